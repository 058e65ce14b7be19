//! The queue in front of the sequencer: which requests share the next batch.
//!
//! Every connection has its own queue, so that its writes are ordered as it sent them. A batch
//! takes requests of one kind from all connections in turn. Small requests go first; a large one
//! gets every second batch, so that neither kind starves the other. A connection whose next request
//! has to wait for old records stands aside until they are there; the others don't notice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::Source;
use super::submission::Submission;
use crate::limits::EVENTS_PER_BATCH_MAX;
use crate::wire::{Kind, Request};

/// Requests of more events than this are large.
const SMALL_EVENTS_MAX: usize = 1_024;

/// The number of a request in the order in which requests came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Arrival(pub(super) u64);

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) arrival: Arrival,
    pub(super) submission: Submission,
}

impl Waiting {
    /// The line of its connection.
    const fn line(&self) -> LineKey {
        line_of(self.submission.source)
    }
}

/// A connection's core and its place there.
type LineKey = (u16, u32);

const fn line_of(source: Source) -> LineKey {
    (source.core, source.slot)
}

/// The requests of one connection.
///
/// Invariant: they stand in the order in which they came. The line is in the ring exactly if it is
/// `queued`, and never while any of it stands aside.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    queued: bool,
    /// How many of it wait for old records. One at a time is the rule; but a read that was asked before a
    /// write may be found to wait for some after it.
    asides: u32,
}

/// The requests that wait for their turn.
///
/// Invariant: `events` and `requests` count what is in lines, but for the events of parked lines,
/// which are in `parked_events`: those can't be ordered now.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// By core and by the connection's place there.
    lines: Vec<Vec<Line>>,
    /// Lines that have a write at their head, in the order of their turns.
    ring: VecDeque<LineKey>,
    reads: VecDeque<Waiting>,
    /// Lines whose heads wait for records, by the arrival of the head.
    parked: BTreeMap<Arrival, LineKey>,
    /// Events of all writes that wait.
    events: usize,
    parked_events: usize,
    requests: usize,
    large_next: bool,
    arrivals: u64,
}

/// Requests of one kind that become one batch.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Who asked for how many events.
    pub(super) members: Vec<Waiting>,
    /// Events of all of them.
    pub(super) events: usize,
}

impl Order {
    /// Takes in a request.
    pub(super) fn push(&mut self, submission: Submission) {
        let key = line_of(submission.source);
        self.arrivals += 1;
        let arrival = Arrival(self.arrivals);
        assert!(submission.request.events() <= EVENTS_PER_BATCH_MAX, "a request fits a batch");
        let is_write = submission.request.is_write();
        let events = submission.request.events();
        let line = self.line(key);
        if !is_write && line.waiting.is_empty() {
            self.reads.push_back(Waiting { arrival, submission });
            return;
        }
        line.waiting.push_back(Waiting { arrival, submission });
        let parked = line.asides > 0;
        if !line.queued && !parked {
            line.queued = true;
            self.ring.push_back(key);
        }
        if is_write {
            *self.count_of(parked) += events;
        }
        self.requests += 1;
    }

    /// Puts requests that were taken for a batch back where they were, with all later ones of their
    /// connections that were taken as well, and lets these connections stand aside: the head of each
    /// waits for old records. Gives the arrivals of the heads.
    pub(super) fn set_aside(&mut self, taken: Vec<Waiting>) -> Vec<Arrival> {
        let mut heads: BTreeMap<LineKey, Arrival> = BTreeMap::new();
        for waiting in &taken {
            let head = heads.entry(waiting.line()).or_insert(waiting.arrival);
            *head = (*head).min(waiting.arrival);
        }
        let behind =
            |read: &Waiting| heads.get(&read.line()).is_some_and(|&head| read.arrival > head);
        let mut back = taken;
        for read in std::mem::take(&mut self.reads) {
            if behind(&read) {
                back.push(read);
            } else {
                self.reads.push_back(read);
            }
        }
        back.sort_by_key(|waiting| std::cmp::Reverse(waiting.arrival));
        for waiting in back {
            let key = waiting.line();
            let parked = self.line(key).asides > 0;
            if waiting.submission.request.is_write() {
                *self.count_of(parked) += waiting.submission.request.events();
            }
            self.requests += 1;
            let line = self.line(key);
            let next = line.waiting.front().map_or(Arrival(u64::MAX), |next| next.arrival);
            assert!(waiting.arrival < next, "a connection's requests stay in their order");
            line.waiting.push_front(waiting);
        }
        let asides: BTreeSet<LineKey> = heads.keys().copied().collect();
        self.ring.retain(|key| !asides.contains(key));
        for (&key, &head) in &heads {
            let line = self.line(key);
            line.queued = false;
            line.asides += 1;
            let events = if line.asides == 1 { events_of(line) } else { 0 };
            self.events -= events;
            self.parked_events += events;
            self.parked.insert(head, key);
        }
        heads.into_values().collect()
    }

    /// The request has what it waited for: its connection gets its turns again.
    pub(super) fn resume(&mut self, head: Arrival) {
        let Some(key) = self.parked.remove(&head) else { unreachable!("who goes on stood aside") };
        let line = self.line(key);
        let mut waiting = line.waiting.iter();
        assert!(waiting.any(|it| it.arrival == head), "who stood aside still stands in its line");
        assert!(line.asides > 0 && !line.queued, "a connection stands aside or has its turns");
        line.asides -= 1;
        if line.asides > 0 {
            return;
        }
        let events = events_of(line);
        // Reads at its head have their turn at once: they would wait for that of a write otherwise.
        let is_read = |it: &Waiting| !it.submission.request.is_write();
        let mut reads = Vec::new();
        while line.waiting.front().is_some_and(is_read) {
            reads.extend(line.waiting.pop_front());
        }
        line.queued = !line.waiting.is_empty();
        let queued = line.queued;
        assert!(self.requests >= reads.len(), "what is taken was counted");
        self.requests -= reads.len();
        self.reads.extend(reads);
        assert!(self.parked_events >= events, "what goes on was counted as parked");
        self.events += events;
        self.parked_events -= events;
        if queued {
            self.ring.push_back(key);
        }
    }

    /// Forgets the reads of a connection that is gone.
    pub(super) fn forget_reads(&mut self, gone: Source) {
        self.reads.retain(|read| !read.submission.source.is_same_connection(gone));
    }

    /// Events of requests that wait for old records, and of those behind them.
    pub(super) const fn parked_events(&self) -> usize {
        self.parked_events
    }

    fn count_of(&mut self, parked: bool) -> &mut usize {
        if parked { &mut self.parked_events } else { &mut self.events }
    }

    /// Events of the writes that could be ordered now.
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
    pub(super) fn take_reads(&mut self) -> Vec<Waiting> {
        let mut ids = 0;
        let mut taken = Vec::new();
        while let Some(read) = self.reads.front() {
            ids += read.submission.request.events().max(1);
            if ids > EVENTS_PER_BATCH_MAX && !taken.is_empty() {
                break;
            }
            taken.extend(self.reads.pop_front());
        }
        let is_write = |read: &Waiting| read.submission.request.is_write();
        assert!(!taken.iter().any(is_write), "a write has its place in a line, not among reads");
        taken
    }

    /// Whether any read has its turn.
    #[must_use]
    pub(super) fn has_reads(&self) -> bool {
        !self.reads.is_empty()
    }

    /// The next batch of writes.
    pub(super) fn take_writes(&mut self) -> Option<Gathered> {
        let kind = self.head_kind()?;
        let mut group = Gathered::default();
        if self.large_next {
            self.take_large(kind, &mut group);
        }
        self.take_small(kind, &mut group);
        if group.members.is_empty() {
            self.take_large(kind, &mut group);
        }
        assert!(group.events <= EVENTS_PER_BATCH_MAX, "a batch keeps to its bounds");
        assert!(
            group.members.iter().all(|member| member.submission.request.kind() == kind),
            "a batch is of one kind"
        );
        self.large_next = !group.members.iter().any(|member| is_large(&member.submission.request));
        (!group.members.is_empty()).then_some(group)
    }

    fn line(&mut self, (core, slot): LineKey) -> &mut Line {
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
        let &key = self.ring.front()?;
        let head = self.line(key).waiting.front()?;
        Some(head.submission.request.kind())
    }

    fn take_small(&mut self, kind: Kind, group: &mut Gathered) {
        for _ in 0..self.ring.len() {
            if group.events >= EVENTS_PER_BATCH_MAX {
                break;
            }
            self.visit(kind, group, |request| !is_large(request));
        }
    }

    fn take_large(&mut self, kind: Kind, group: &mut Gathered) {
        for _ in 0..self.ring.len() {
            if group.events > 0 {
                break;
            }
            self.visit(kind, group, is_large);
        }
    }

    /// Takes what fits from the line whose turn it is, and puts the line at the end of the ring.
    fn visit(&mut self, kind: Kind, group: &mut Gathered, wanted: impl Fn(&Request) -> bool) {
        let Some(key) = self.ring.pop_front() else { return };
        loop {
            let line = self.line(key);
            assert!(line.queued && line.asides == 0, "only lines that have a turn are in the ring");
            let Some(head) = line.waiting.front() else {
                line.queued = false;
                return;
            };
            let request = &head.submission.request;
            let events = request.events();
            // Each command has a frame of its own.
            let is_alone = kind != Kind::Command || group.members.is_empty();
            let fits = request.kind() == kind
                && wanted(request)
                && is_alone
                && group.events + events <= EVENTS_PER_BATCH_MAX;
            let read = !request.is_write();
            if !fits && !read {
                self.ring.push_back(key);
                return;
            }
            let Some(waiting) = line.waiting.pop_front() else { return };
            assert!(self.requests > 0, "what is taken was counted");
            self.requests -= 1;
            if read {
                self.reads.push_back(waiting);
            } else {
                self.events -= events;
                group.events += events;
                group.members.push(waiting);
            }
        }
    }
}

/// Events of the writes in a line.
fn events_of(line: &Line) -> usize {
    let writes = line.waiting.iter().filter(|waiting| waiting.submission.request.is_write());
    writes.map(|waiting| waiting.submission.request.events()).sum()
}

fn is_large(request: &Request) -> bool {
    request.events() > SMALL_EVENTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Account, Capacity, Command, Transfer};
    use crate::log::Principal;

    fn submission(slot: u32, correlation: u64, request: Request) -> Submission {
        let source = Source { core: 0, slot, generation: 0, correlation };
        Submission { source, principal: Principal::NOBODY, request }
    }

    fn transfers(events: usize) -> Request {
        Request::CreateTransfers(vec![Transfer::default(); events])
    }

    fn correlations(group: &Gathered) -> Vec<u64> {
        group.members.iter().map(|member| member.submission.source.correlation).collect()
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
    fn each_command_has_a_batch_of_its_own() {
        let mut order = Order::default();
        let command = || Request::Command {
            command: Command::RaiseCapacity(Capacity { accounts_max: 1, holds_max: 1 }),
            reason: "a reason".to_owned(),
        };
        for slot in 0..3 {
            order.push(submission(slot, u64::from(slot), command()));
            order.push(submission(slot, 10 + u64::from(slot), transfers(1)));
        }
        let mut batches = Vec::new();
        while let Some(group) = order.take_writes() {
            batches.push(correlations(&group).len());
        }
        batches.sort_unstable();
        assert_eq!(batches.iter().sum::<usize>(), 6);
        assert!(batches.len() >= 4 && batches[..3] == [1, 1, 1], "{batches:?}");
        assert_eq!(order.waiting_events(), 0);
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

    #[test]
    fn a_read_may_be_found_to_wait_after_a_later_write_of_its_connection() {
        let mut order = Order::default();
        order.push(submission(1, 0, Request::LookupTransfers(vec![7])));
        order.push(submission(1, 1, transfers(2)));
        let write = {
            let taken = order.take_writes().expect("the write").members;
            order.set_aside(taken)
        };
        let reads = order.take_reads();
        assert_eq!(reads.len(), 1, "it was asked before");
        let read = order.set_aside(reads);
        assert_eq!((order.waiting_events(), order.parked_events()), (0, 2));
        order.resume(write[0]);
        assert!(order.take_writes().is_none(), "the read before it still waits");
        order.resume(read[0]);
        assert_eq!((order.waiting_events(), order.parked_events()), (2, 0));
        assert_eq!(order.take_reads().len(), 1, "a read has its turn without any write's");
        assert_eq!(correlations(&order.take_writes().expect("the write")), [1]);
        assert_eq!(order.waiting_requests(), 0);
    }

    #[test]
    fn a_connection_whose_head_waits_for_records_keeps_its_order_and_holds_up_nobody() {
        let mut order = Order::default();
        for number in 0..3 {
            order.push(submission(1, number, transfers(1)));
            order.push(submission(1, 10 + number, Request::LookupAccounts(vec![1])));
            order.push(submission(2, 20 + number, transfers(1)));
        }
        let group = order.take_writes().expect("a batch");
        assert_eq!(correlations(&group), [0, 1, 2, 20, 21, 22]);
        // The second of connection 1 has to wait; what came behind it goes back, too.
        let taken = group.members.into_iter().skip(1).take(2).collect();
        let heads = order.set_aside(taken);
        let reads = order.take_reads();
        let numbers: Vec<u64> =
            reads.iter().map(|read| read.submission.source.correlation).collect();
        assert_eq!(numbers, [10], "the read behind the first write, which was ordered");
        order.push(submission(1, 3, transfers(1)));
        order.push(submission(3, 30, transfers(1)));
        assert_eq!((order.waiting_events(), order.parked_events()), (1, 3));
        assert_eq!(correlations(&order.take_writes().expect("others go on")), [30]);
        assert!(order.take_writes().is_none() && !order.has_reads());
        order.resume(heads[0]);
        assert_eq!(correlations(&order.take_writes().expect("all of it")), [1, 2, 3]);
        assert_eq!(order.take_reads().len(), 2);
        assert_eq!((order.waiting_requests(), order.parked_events()), (0, 0));
    }
}
