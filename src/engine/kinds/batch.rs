//! Requests of one kind that are ordered and decided together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::verbs::{Cold, count};
use crate::engine::order::{Arrival, Gathered, Waiting};
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::engine::source::Source;
use crate::engine::submission::Submission;
use crate::ledger::Timestamp;
use crate::limits::EVENTS_PER_BATCH_MAX;
use crate::log::{FrameBuilder, FrameView, Principal, RequestEntry};
use crate::wire::{Reply, Request};

/// One request of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Who asked; none when the log is replayed.
    pub(super) source: Option<Source>,
    principal: Principal,
    arrival: Arrival,
    pub(super) events: usize,
}

/// A batch of events.
///
/// Invariant: the events of all members stand one behind the other, in the order of the members, and
/// get the timestamps from `base + 1` on.
#[derive(Debug)]
pub(super) struct Batch<E> {
    pub(super) members: Vec<Member>,
    pub(super) events: Vec<E>,
    pub(super) base: Timestamp,
}

impl<E: Copy> Batch<E> {
    /// The batch of these requests.
    pub(super) fn gather(
        gathered: Gathered,
        base: Timestamp,
        events_of: impl Fn(Request) -> Vec<E>,
    ) -> Self {
        let mut batch =
            Self { members: Vec::with_capacity(gathered.members.len()), events: Vec::new(), base };
        for Waiting { arrival, submission } in gathered.members {
            let Submission { source, principal, request } = submission;
            let mut events = events_of(request);
            let source = Some(source);
            batch.members.push(Member { source, principal, arrival, events: events.len() });
            if batch.events.is_empty() {
                // Without copying when there is nothing yet.
                std::mem::swap(&mut batch.events, &mut events);
                batch.events.reserve(gathered.events - batch.events.len());
            } else {
                batch.events.extend_from_slice(&events);
            }
        }
        assert_eq!(batch.events.len(), gathered.events, "no event gets lost on the way");
        assert!(batch.events.len() <= EVENTS_PER_BATCH_MAX, "a batch keeps to its bounds");
        batch
    }

    /// The batch that a frame records, whose events are given.
    pub(super) fn read_back(frame: &FrameView<'_>, events: Vec<E>) -> Self {
        let member = |request: RequestEntry| Member {
            source: None,
            principal: request.principal,
            arrival: Arrival::default(),
            events: request.events as usize,
        };
        let members: Vec<Member> = frame.requests().map(member).collect();
        let asked: usize = members.iter().map(|member| member.events).sum();
        assert_eq!(asked, events.len(), "the requests of a frame are its events");
        Self { members, events, base: frame.header().timestamp }
    }

    /// The last timestamp that the batch uses up.
    pub(super) const fn last(&self) -> Timestamp {
        Timestamp(self.base.0 + self.events.len() as u64)
    }

    /// The ranges of the events of each member.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (Option<Source>, Range<usize>)> {
        self.members.iter().scan(0, |start, member| {
            let range = *start..*start + member.events;
            *start = range.end;
            Some((member.source, range))
        })
    }

    /// Writes the requests: their sizes, and who is behind them.
    pub(super) fn push_requests(&self, builder: &mut FrameBuilder) {
        for member in &self.members {
            let events = count(member.events);
            builder.push_request(RequestEntry::new(events, member.principal));
        }
    }

    /// Takes the requests out of which events are cold, each with what it needs, and with them the later
    /// ones of the same connections, which may not overtake them.
    pub(super) fn take_out(
        &mut self,
        cold: &[Cold],
        request_of: impl Fn(Vec<E>) -> Request,
    ) -> Vec<(Waiting, Vec<Load>)> {
        let mut by_event: BTreeMap<usize, Vec<Load>> = BTreeMap::new();
        for cold in cold {
            by_event.entry(cold.event).or_default().push(cold.load);
        }
        let mut aside: BTreeSet<(u16, u32)> = BTreeSet::new();
        let mut out = Vec::new();
        let (mut members, mut events) = (Vec::new(), Vec::new());
        let mut start = 0;
        for member in std::mem::take(&mut self.members) {
            let range = start..start + member.events;
            start = range.end;
            let Some(source) = member.source else {
                unreachable!("only requests of connections are held up")
            };
            let line = (source.core, source.slot);
            let is_behind = aside.contains(&line);
            let loads = by_event.range(range.clone()).flat_map(|(_, loads)| loads);
            // One behind another will be asked again what it needs when its turn comes.
            let needs: Vec<Load> = if is_behind { Vec::new() } else { loads.copied().collect() };
            if is_behind || !needs.is_empty() {
                aside.insert(line);
                let request = request_of(self.events[range].to_vec());
                let submission = Submission { source, principal: member.principal, request };
                out.push((Waiting { arrival: member.arrival, submission }, needs));
            } else {
                members.push(member);
                events.extend_from_slice(&self.events[range]);
            }
        }
        assert!(!out.is_empty(), "a cold event belongs to a request");
        self.members = members;
        self.events = events;
        out
    }

    /// Lets go what the members held on to while they waited for their turn.
    pub(super) fn release_records<O: Owners>(&self, parts: &mut Parts<O>) {
        for member in &self.members {
            parts.past.loads.release(member.arrival);
        }
    }

    /// Answers each member with its part of the results.
    pub(super) fn answer<O: Owners, T: Clone>(
        &self,
        parts: &mut Parts<O>,
        results: &mut Vec<T>,
        wrap: impl Fn(Vec<T>) -> Reply,
    ) {
        assert_eq!(results.len(), self.events.len(), "every event has its result");
        self.release_records(parts);
        if let [member] = self.members[..] {
            if let Some(source) = member.source {
                parts.reply(source, wrap(std::mem::take(results)));
            }
            return;
        }
        for (source, range) in self.ranges() {
            if let Some(source) = source {
                parts.reply(source, wrap(results[range].to_vec()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions, IdHasher, Inline, Partition, Permit, Polled, Tip};
    use crate::ledger::Op;
    use crate::log::{Epoch, Layout};

    fn engine() -> Engine<Inline> {
        let layout = Layout { segment_bytes: 64 << 20 };
        let hash_key = 7;
        let partition = Partition::new(IdHasher::new(hash_key));
        let options = EngineOptions {
            layout,
            hash_key,
            accounts_max: 100,
            holds_max: 100,
            recent_bytes_max: 1 << 20,
            state_bytes_max: u64::MAX,
        };
        let (op, epoch, timestamp) = (Op(0), Epoch(1), Timestamp(0));
        let tip = Tip { position: layout.first(), op, epoch, timestamp };
        Engine::new(Inline::new(vec![partition]), options, tip)
    }

    #[test]
    fn the_frame_says_who_asked() {
        let mut engine = engine();
        for (slot, principal) in [(3, Principal(30)), (1, Principal::NOBODY), (2, Principal(20))] {
            let source = Source { core: 0, slot, generation: 0, correlation: 1 };
            let request = Request::ResolveTransfers {
                ids: (1..=u128::from(slot)).collect(),
                flags: crate::ledger::ResolveFlags::FENCE,
            };
            engine.submit(Submission { source, principal, request });
        }
        let Polled::Frame(frame) = engine.poll(Timestamp(5), Permit::All) else {
            panic!("a frame is due");
        };
        let mut asked: Vec<_> = frame.requests().map(|row| (row.events, row.principal)).collect();
        asked.sort_unstable();
        let expected = [(1, Principal::NOBODY), (2, Principal(20)), (3, Principal(30))];
        assert_eq!(asked, expected);
    }
}
