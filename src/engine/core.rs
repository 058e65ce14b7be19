//! The coordinator: it leads one piece of ordered work after the other through the owners.
//!
//! A machine: requests go in with `submit`, frames for the log come out of `poll`, and answers out
//! of `poll_release` once `handle_committed` has covered their op. Old records that are needed come
//! out of `poll_load` and go in with `handle_loaded`. It promises that nothing is released before it
//! is committed, and that all it computes follows from the log alone. It never waits, does no I/O,
//! and takes the time as an argument.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::books::EngineCounts;
use super::kinds::{Activity, Cold, Led};
use super::order::Order;
use super::owners::{Job, Owners};
use super::parts::{EngineOptions, Parts};
use super::past::{Load, Loaded};
use super::sequence::Tip;
use super::source::Source;
use super::submission::{Polled, Release, Submission};
use super::turn::{Permit, Turn};
use crate::ledger::{Capacity, Op, Timestamp};
use crate::limits::{EVENTS_PER_BATCH_MAX, EVENTS_PER_REQUEST_MAX};
use crate::log::Frame;
use crate::wire::{Reply, Request, RequestError};

/// The sequencer, decider and reader of the state.
///
/// Invariant: at most one activity is led at a time, and only it changes `parts`.
#[derive(Debug)]
pub struct Engine<O> {
    /// What waits for its turn.
    order: Order,
    last_turn: Turn,
    /// What is being led through the owners.
    activity: Option<Activity>,
    pub(super) parts: Parts<O>,
}

impl<O: Owners> Engine<O> {
    /// An engine over empty partitions, before the first frame of a log.
    #[must_use]
    pub fn new(owners: O, options: EngineOptions, tip: Tip) -> Self {
        Self {
            order: Order::default(),
            last_turn: Turn::Writes,
            activity: None,
            parts: Parts::new(owners, &options, tip),
        }
    }

    /// The same engine with its partitions in other hands.
    #[must_use]
    pub fn with_owners<P: Owners>(self, hand_over: impl FnOnce(O) -> P) -> Engine<P> {
        let Self { order, last_turn, activity, parts } = self;
        assert!(activity.is_none(), "partitions change hands between two batches only");
        Engine { order, last_turn, activity, parts: parts.with_owners(hand_over) }
    }

    /// Goes on behind the end of a log that was replayed.
    pub fn continue_from(&mut self, tip: Tip) {
        assert!(self.activity.is_none(), "a log ends between two batches");
        self.parts.sequence.continue_from(tip);
        self.parts.releases.commit(tip.op);
    }

    /// The digest of the whole state, whatever the number of partitions. Needs owners that answer
    /// at once, and no batch under way.
    pub fn state_digest(&mut self) -> u64 {
        assert!(self.activity.is_none(), "the state is the one between two batches");
        self.parts.crew.receive();
        let (digest, next_expiry) = self.parts.crew.survey();
        self.parts.sequence.next_expiry = next_expiry;
        digest.wrapping_add(self.parts.books.digest())
    }

    /// Takes in a request. Its answer comes out of [`Self::poll_release`].
    pub fn submit(&mut self, submission: Submission) {
        if submission.request.is_write() && submission.request.events() == 0 {
            let reply = match submission.request {
                Request::ResolveTransfers { .. } => Reply::ResolveResults(Vec::new()),
                _ => Reply::CreateResults(Vec::new()),
            };
            self.parts.reply(submission.source, reply);
            return;
        }
        assert!(
            submission.request.events() <= EVENTS_PER_REQUEST_MAX,
            "a request keeps to the bounds of the wire"
        );
        self.order.push(submission);
    }

    /// Takes in a job that the owner of a partition has done on another thread.
    pub fn handle_done(&mut self, owner: usize, job: Job) {
        self.parts.crew.accept(owner, job);
    }

    /// A connection is gone: its reads are pointless. What it wrote goes on, for whoever asks later.
    /// Any request of the connection names it.
    pub fn handle_gone(&mut self, source: Source) {
        self.order.forget_reads(source);
        self.parts.scans.forget(source);
    }

    /// What is to be read from the committed log for requests that wait for it, in the order of
    /// positions. Whoever takes it reads all of it and hands it in.
    pub fn poll_load(&mut self) -> Option<Vec<Load>> {
        self.parts.past.loads.poll()
    }

    /// Takes in records that were asked for.
    pub fn handle_loaded(&mut self, loaded: &[Loaded]) {
        self.parts.past.loads.handle_loaded(loaded);
        self.resume_ready();
    }

    fn resume_ready(&mut self) {
        for arrival in self.parts.past.loads.take_ready() {
            self.order.resume(arrival);
        }
    }

    /// Goes on with what is under way and starts what is next: at most one piece of work to its end, so that
    /// whoever drives the engine can take in what has come meanwhile.
    pub fn poll(&mut self, now: Timestamp, permit: Permit) -> Polled {
        loop {
            self.parts.crew.receive();
            if self.parts.crew.is_waiting() {
                return Polled::Nothing;
            }
            if let Some(activity) = self.activity.take() {
                match activity.lead(&mut self.parts) {
                    Led::Asked(activity) => self.activity = Some(activity),
                    Led::Cold(activity, cold) => self.set_aside(activity, &cold),
                    Led::Done => return Polled::More,
                    Led::Written(frame) => return Polled::Frame(self.written(frame)),
                }
            } else {
                assert!(self.parts.crew.is_at_rest(), "nothing is left of the work before");
                let Some(mut activity) = self.next_activity(now, permit) else {
                    return Polled::Nothing;
                };
                activity.begin(&mut self.parts);
                self.activity = Some(activity);
            }
        }
    }

    /// What is next: reads, then a slice of a scan, then an expiry that is due, then writes, and none of
    /// them twice in a row while another waits.
    fn next_activity(&mut self, now: Timestamp, permit: Permit) -> Option<Activity> {
        self.parts.now = now;
        let base = self.parts.sequence.base(now);
        assert!(base >= self.parts.sequence.tip().timestamp, "timestamps only ascend");
        for turn in self.last_turn.next_ones() {
            let activity = match turn {
                Turn::Reads => {
                    self.order.has_reads().then(|| Activity::reads(self.order.take_reads()))
                }
                Turn::Scans => {
                    let taken = self.parts.scans.take();
                    taken.map(|(to, scan)| Activity::slice(to, scan))
                }
                Turn::Expiry => {
                    let next = self.parts.sequence.next_expiry;
                    let due = permit == Permit::All && next.is_some_and(|at| at <= base);
                    due.then(|| Activity::expiry(base))
                }
                Turn::Writes if permit == Permit::Reads => None,
                Turn::Writes => self.next_batch(base),
            };
            if activity.is_some() {
                self.last_turn = turn;
                return activity;
            }
        }
        None
    }

    /// The next batch for which there is room.
    fn next_batch(&mut self, base: Timestamp) -> Option<Activity> {
        while let Some(mut gathered) = self.order.take_writes() {
            for (member, error) in self.parts.books.refuse_what_does_not_fit(&mut gathered) {
                self.parts.past.loads.release(member.arrival);
                self.parts.reply(member.submission.source, Reply::Error(error));
            }
            assert!(gathered.events <= EVENTS_PER_BATCH_MAX, "a batch keeps to its bounds");
            assert!(
                gathered.members.len() <= gathered.events,
                "a request without events is answered without a batch"
            );
            let activity = Activity::batch(gathered, base);
            if activity.is_some() {
                return activity;
            }
        }
        None
    }

    /// Takes a frame into memory.
    pub(super) fn written(&mut self, frame: Frame) -> Arc<Frame> {
        assert!(self.parts.crew.answers.is_empty(), "every answer was used");
        let (header, tip) = (frame.header(), self.parts.sequence.tip());
        assert_eq!(
            (header.op, header.end()),
            (tip.op, tip.position),
            "the tip is behind the frame"
        );
        let frame = Arc::new(frame);
        self.parts.past.push(Arc::clone(&frame));
        frame
    }

    /// Parks the requests that need old records, and goes on with the others.
    fn set_aside(&mut self, mut activity: Activity, cold: &[Cold]) {
        assert!(!cold.is_empty(), "nothing is set aside without a need");
        self.parts.crew.give_up();
        let mut needs = BTreeMap::new();
        let mut out = Vec::new();
        for (waiting, loads) in activity.take_out(cold) {
            needs.insert(waiting.arrival, loads);
            out.push(waiting);
        }
        for head in self.order.set_aside(out) {
            let loads = needs.remove(&head).unwrap_or_default();
            assert!(!loads.is_empty(), "whoever stands at the head of a line waits for something");
            self.parts.past.loads.park(head, loads);
        }
        self.resume_ready();
        if !activity.is_empty() {
            activity.begin(&mut self.parts);
            self.activity = Some(activity);
        }
    }

    /// Refuses all writes that wait for their turn, because the log can't take them.
    pub fn refuse_writes(&mut self, error: &RequestError) {
        while let Some(gathered) = self.order.take_writes() {
            for member in gathered.members {
                self.parts.past.loads.release(member.arrival);
                self.parts.reply(member.submission.source, Reply::Error(error.clone()));
            }
        }
        assert_eq!(self.order.waiting_events(), 0, "all that could have been ordered is refused");
    }

    /// Takes note that everything up to `op` is committed.
    pub fn handle_committed(&mut self, op: Op) {
        assert!(op <= self.parts.sequence.tip().op, "what is committed was ordered");
        self.parts.releases.commit(op);
        self.parts.past.trim(op);
    }

    /// The next answer whose op is committed.
    pub fn poll_release(&mut self) -> Option<Release> {
        let release = self.parts.releases.poll()?;
        assert!(release.op() <= self.committed(), "nothing is told before it is committed");
        Some(release)
    }

    /// Whether nothing is under way and nothing waits, neither for its turn nor for the log.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.activity.is_none()
            && !self.parts.crew.is_waiting()
            && self.order.waiting_requests() == 0
            && self.parts.scans.is_empty()
            && self.parts.releases.len() == 0
            && self.parts.past.loads.is_idle()
    }

    /// Whether an answer of the owners is awaited.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.parts.crew.is_waiting()
    }

    /// Where the log ends.
    #[must_use]
    pub const fn end(&self) -> Tip {
        self.parts.sequence.tip()
    }

    /// The last op that is committed.
    #[must_use]
    pub const fn committed(&self) -> Op {
        self.parts.releases.committed()
    }

    /// Events of the writes that could be ordered now.
    #[must_use]
    pub const fn waiting_events(&self) -> usize {
        self.order.waiting_events()
    }

    /// Events of the writes that wait for old records, or for one of their connection that does.
    #[must_use]
    pub const fn parked_events(&self) -> usize {
        self.order.parked_events()
    }

    /// Requests that wait for their turn, reads among them.
    #[must_use]
    pub fn waiting_requests(&self) -> usize {
        self.order.waiting_requests() + self.parts.scans.len()
    }

    /// Answers that wait for the log.
    #[must_use]
    pub fn waiting_answers(&self) -> usize {
        self.parts.releases.len()
    }

    /// When the next hold ends, as far as is known: never too late.
    #[must_use]
    pub const fn next_expiry(&self) -> Option<Timestamp> {
        self.parts.sequence.next_expiry
    }

    /// How much there may be now.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.parts.books.capacity()
    }

    /// The numbers that `status` shows.
    #[must_use]
    pub const fn counts(&self) -> EngineCounts {
        self.parts.books.counts
    }

    /// The owners of the partitions.
    pub const fn owners(&self) -> &O {
        self.parts.crew.owners()
    }
}
