//! The queue in front of the sequencer: which requests share the next batch.
//!
//! Every connection has its own queue, so that its writes are ordered as it sent them. A batch
//! takes requests of one kind from all connections in turn. Small requests go first; a large one
//! gets every second batch, so that neither kind starves the other.

use std::collections::VecDeque;

use super::submission::{Source, Submission};
use crate::limits::EVENTS_PER_BATCH_MAX;
use crate::wire::{Kind, Request};

/// Requests of more events than this are large.
const SMALL_EVENTS_MAX: usize = 1_024;

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Submission>,
    queued: bool,
}

/// The requests that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By core and by the connection's place there.
    lines: Vec<Vec<Line>>,
    /// Lines that have a write at their head, in the order of their turns.
    ring: VecDeque<(u16, u32)>,
    reads: VecDeque<Submission>,
    /// Events of all writes that wait.
    events: usize,
    requests: usize,
    large_next: bool,
}

/// Requests of one kind that become one batch.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Who asked for how many events.
    pub members: Vec<Submission>,
    /// Events of all of them.
    pub events: usize,
}

impl Order {
    /// Takes in a request.
    pub(super) fn push(&mut self, submission: Submission) {
        let Source { core, slot, .. } = submission.source;
        let is_write = submission.request.is_write();
        let line = self.line(core, slot);
        if !is_write && line.waiting.is_empty() {
            self.reads.push_back(submission);
            return;
        }
        let events = submission.request.events();
        line.waiting.push_back(submission);
        if !line.queued {
            line.queued = true;
            self.ring.push_back((core, slot));
        }
        self.events += if is_write { events } else { 0 };
        self.requests += 1;
    }

    /// Events of the writes that wait.
    #[must_use]
    pub(super) const fn waiting_events(&self) -> usize {
        self.events
    }

    /// Requests that wait, reads among them.
    #[must_use]
    pub(super) fn waiting_requests(&self) -> usize {
        self.requests + self.reads.len()
    }

    /// The reads whose turn it is, for all earlier writes of their connections have been ordered;
    /// so many that answering them takes no longer than a batch.
    pub(super) fn take_reads(&mut self) -> Vec<Submission> {
        let mut ids = 0;
        let mut taken = Vec::new();
        while let Some(read) = self.reads.front() {
            ids += read.request.events().max(1);
            if ids > EVENTS_PER_BATCH_MAX && !taken.is_empty() {
                break;
            }
            taken.extend(self.reads.pop_front());
        }
        taken
    }

    /// Whether any line has something at its head that is not a read.
    pub(super) fn has_writes(&self) -> bool {
        !self.ring.is_empty()
    }

    /// Whether any read has its turn.
    #[must_use]
    pub(super) fn has_reads(&self) -> bool {
        !self.reads.is_empty()
    }

    /// The next batch of writes.
    pub(super) fn take_writes(&mut self) -> Option<Group> {
        let kind = self.head_kind()?;
        let mut group = Group::default();
        if self.large_next {
            self.take_large(kind, &mut group);
        }
        self.take_small(kind, &mut group);
        if group.members.is_empty() {
            self.take_large(kind, &mut group);
        }
        self.large_next = !group.members.iter().any(|member| is_large(&member.request));
        (!group.members.is_empty()).then_some(group)
    }

    fn line(&mut self, core: u16, slot: u32) -> &mut Line {
        let (core, slot) = (usize::from(core), slot as usize);
        if self.lines.len() <= core {
            self.lines.resize_with(core + 1, Vec::new);
        }
        let lines = &mut self.lines[core];
        if lines.len() <= slot {
            lines.resize_with(slot + 1, Line::default);
        }
        &mut lines[slot]
    }

    fn head_kind(&mut self) -> Option<Kind> {
        let &(core, slot) = self.ring.front()?;
        self.line(core, slot).waiting.front().map(|head| head.request.kind())
    }

    fn take_small(&mut self, kind: Kind, group: &mut Group) {
        for _ in 0..self.ring.len() {
            if group.events >= EVENTS_PER_BATCH_MAX {
                break;
            }
            self.visit(kind, group, |request| !is_large(request));
        }
    }

    fn take_large(&mut self, kind: Kind, group: &mut Group) {
        for _ in 0..self.ring.len() {
            if group.events > 0 {
                break;
            }
            self.visit(kind, group, is_large);
        }
    }

    /// Takes what fits from the line whose turn it is, and puts the line at the end of the ring.
    fn visit(&mut self, kind: Kind, group: &mut Group, wanted: impl Fn(&Request) -> bool) {
        let Some((core, slot)) = self.ring.pop_front() else { return };
        loop {
            let line = self.line(core, slot);
            let Some(head) = line.waiting.front() else {
                line.queued = false;
                return;
            };
            let events = head.request.events();
            let fits = head.request.kind() == kind
                && wanted(&head.request)
                && group.events + events <= EVENTS_PER_BATCH_MAX;
            let read = !head.request.is_write();
            if !fits && !read {
                self.ring.push_back((core, slot));
                return;
            }
            let Some(submission) = line.waiting.pop_front() else { return };
            self.requests -= 1;
            if read {
                self.reads.push_back(submission);
            } else {
                self.events -= events;
                group.events += events;
                group.members.push(submission);
            }
        }
    }
}

fn is_large(request: &Request) -> bool {
    request.events() > SMALL_EVENTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Account, Transfer};

    fn submission(slot: u32, correlation: u64, request: Request) -> Submission {
        Submission { source: Source { core: 0, slot, generation: 0, correlation }, request }
    }

    fn transfers(events: usize) -> Request {
        Request::CreateTransfers(vec![Transfer::default(); events])
    }

    fn correlations(group: &Group) -> Vec<u64> {
        group.members.iter().map(|member| member.source.correlation).collect()
    }

    #[test]
    fn small_requests_of_many_connections_share_a_batch() {
        let mut order = Order::default();
        for slot in 0..100 {
            order.push(submission(slot, u64::from(slot), transfers(1)));
        }
        let group = order.take_writes().expect("a batch");
        assert_eq!((group.members.len(), group.events), (100, 100));
        assert!(order.take_writes().is_none());
        assert_eq!(order.waiting_events(), 0);
    }

    #[test]
    fn large_and_small_requests_take_turns() {
        let mut order = Order::default();
        for number in 0..3 {
            order.push(submission(1, number, transfers(8_190)));
            order.push(submission(2, 10 + number, transfers(1)));
        }
        let batches: Vec<_> =
            std::iter::from_fn(|| order.take_writes()).map(|group| correlations(&group)).collect();
        assert_eq!(batches, [vec![10, 11, 12], vec![0], vec![1], vec![2]]);

        order.push(submission(1, 0, transfers(8_190)));
        order.push(submission(1, 1, transfers(8_190)));
        order.push(submission(2, 10, transfers(1)));
        let mut next = || order.take_writes().map(|group| correlations(&group));
        assert_eq!((next(), next()), (Some(vec![10]), Some(vec![0])));
        order.push(submission(3, 11, transfers(1)));
        let mut next = || order.take_writes().map(|group| correlations(&group));
        assert_eq!((next(), next(), next()), (Some(vec![11]), Some(vec![1]), None));
    }

    #[test]
    fn a_connection_keeps_its_own_order_across_kinds_and_reads() {
        let mut order = Order::default();
        order.push(submission(1, 0, Request::CreateAccounts(vec![Account::default()])));
        order.push(submission(1, 1, transfers(1)));
        order.push(submission(1, 2, Request::LookupAccounts(vec![1])));
        order.push(submission(2, 3, transfers(1)));
        order.push(submission(3, 4, Request::LookupAccounts(vec![1])));
        assert_eq!(order.take_reads().len(), 1, "no write is ahead of it");
        assert_eq!(correlations(&order.take_writes().expect("accounts")), [0]);
        assert!(!order.has_reads());
        let mut second = correlations(&order.take_writes().expect("transfers"));
        second.sort_unstable();
        assert_eq!(second, [1, 3]);
        assert_eq!(order.take_reads().len(), 1);
        assert_eq!(order.waiting_requests(), 0);
    }
}
