//! The coordinator: gives batches their numbers and timestamps and leads them through the owners.
//!
//! A machine: requests go in with `submit`, frames for the log come out of `poll`, and answers out
//! of `poll_release` once `handle_committed` has covered their op. It promises that nothing is
//! released before, and that all it computes follows from the log alone. It never waits, does no
//! I/O but reading old records, and takes the time as an argument.

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{AccountBatch, FenceBatch, TransferBatch};
use super::expiry::ExpiryBatch;
use super::hash::{IdHasher, owner};
use super::order::Order;
use super::owners::{Answer, Job, Owners};
use super::reads::ReadBatch;
use super::recent::Recent;
use super::submission::{Release, Source, Submission};
use super::transfers::TransferStage;
use super::turn::{Permit, Turn};
use super::work::{Probe, Work};
use crate::ledger::decide::AccountDecider;
use crate::ledger::{Op, Timestamp, Transfer};
use crate::log::{
    Epoch, Frame, FrameBuilder, FrameKind, FramePool, FrameStart, Layout, Position, RecordError,
};
use crate::wire::{Reply, Request};

/// Where old records are read from.
pub trait Records {
    /// The transfer whose record stands at that position of the log.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn transfer(&mut self, position: Position) -> Result<Transfer, RecordError>;

    /// Whether the frame at that position created a transfer at exactly that timestamp.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn created_at(&mut self, frame: Position, timestamp: u64) -> Result<bool, RecordError>;
}

/// What an engine starts from.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Where frames go.
    pub layout: Layout,
    /// Key of the id hashes: random in production, fixed in simulations.
    pub hash_key: u128,
    /// Accounts that may exist.
    pub accounts_max: u64,
    /// Holds that may be open.
    pub holds_max: u64,
    /// Bytes of the newest frames kept in memory.
    pub recent_bytes_max: u64,
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEnd {
    /// The end of the last frame.
    pub position: Position,
    /// The last op.
    pub op: Op,
    /// The epoch in which frames are written.
    pub epoch: Epoch,
    /// The newest timestamp given.
    pub timestamp: Timestamp,
}

/// The numbers that `status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineCounts {
    /// Accounts that exist.
    pub accounts: u64,
    /// Transfers that were created.
    pub transfers: u64,
    /// Holds that are open.
    pub holds: u64,
    /// Ordered batches.
    pub batches: u64,
    /// Events that were refused.
    pub refused: u64,
}

/// What is being led through the owners.
#[derive(Debug)]
pub(super) enum Activity {
    Transfers(TransferBatch),
    Accounts(AccountBatch),
    Fence(FenceBatch),
    Expiry(ExpiryBatch),
    Reads(ReadBatch),
}

/// The sequencer, decider and reader of the state.
pub struct Engine<O, R> {
    pub(super) owners: O,
    pub(super) records: R,
    pub(super) hasher: IdHasher,
    pub(super) options: EngineOptions,
    pub(super) order: Order,
    activity: Option<Activity>,
    pub(super) last_turn: Turn,
    waiting: usize,
    /// By owner, while an activity is under way.
    pub(super) works: Vec<Option<Box<Work>>>,
    pub(super) answers: Vec<(usize, Answer)>,
    #[expect(clippy::vec_box, reason = "the boxes travel to the owners and back as they are")]
    spare: Vec<Box<Work>>,
    pub(super) stage: TransferStage,
    pub(super) account_decider: AccountDecider,
    builder: FrameBuilder,
    pub(super) end: LogEnd,
    pub(super) newest_account: u64,
    pub(super) newest_transfer: u64,
    /// The newest timestamp and the position of each frame that created transfers.
    pub(super) transfer_frames: Vec<(u64, Position)>,
    pub(super) recent: Recent,
    releases: VecDeque<Release>,
    committed: Op,
    pub(super) next_expiry: Option<Timestamp>,
    pub(super) counts: EngineCounts,
}

impl<O: Owners, R: Records> Engine<O, R> {
    /// An engine over empty partitions, before the first frame of a log.
    #[must_use]
    pub fn new(owners: O, records: R, options: EngineOptions, end: LogEnd) -> Self {
        let partitions = owners.partitions();
        let start = FrameStart {
            kind: FrameKind::CreateTransfers,
            op: end.op,
            timestamp: end.timestamp,
            epoch: end.epoch,
        };
        Self {
            hasher: IdHasher::new(options.hash_key),
            order: Order::default(),
            activity: None,
            last_turn: Turn::Writes,
            waiting: 0,
            works: (0..partitions).map(|_| None).collect(),
            answers: Vec::new(),
            spare: Vec::new(),
            stage: TransferStage::new(partitions),
            account_decider: AccountDecider::default(),
            builder: FrameBuilder::new(FramePool::new(64), start),
            end,
            newest_account: 0,
            newest_transfer: 0,
            transfer_frames: Vec::new(),
            recent: Recent::new(options.recent_bytes_max),
            releases: VecDeque::new(),
            committed: end.op,
            next_expiry: None,
            counts: EngineCounts::default(),
            owners,
            records,
            options,
        }
    }

    /// The same engine with its partitions in other hands.
    #[must_use]
    pub fn with_owners<P: Owners>(self, hand_over: impl FnOnce(O) -> P) -> Engine<P, R> {
        assert!(self.activity.is_none() && self.waiting == 0, "only between batches");
        let mut idle = self;
        idle.receive();
        Engine {
            owners: hand_over(idle.owners),
            records: idle.records,
            hasher: idle.hasher,
            options: idle.options,
            order: idle.order,
            activity: None,
            last_turn: idle.last_turn,
            waiting: 0,
            works: idle.works,
            answers: idle.answers,
            spare: idle.spare,
            stage: idle.stage,
            account_decider: idle.account_decider,
            builder: idle.builder,
            end: idle.end,
            newest_account: idle.newest_account,
            newest_transfer: idle.newest_transfer,
            transfer_frames: idle.transfer_frames,
            recent: idle.recent,
            releases: idle.releases,
            committed: idle.committed,
            next_expiry: idle.next_expiry,
            counts: idle.counts,
        }
    }

    /// Goes on behind the end of a log that was replayed.
    pub fn continue_from(&mut self, end: LogEnd) {
        self.end = end;
        self.committed = end.op;
    }

    /// The digest of the whole state, whatever the number of partitions. Needs owners that answer
    /// at once, and no batch under way.
    pub fn state_digest(&mut self) -> u64 {
        self.send_loads();
        self.receive();
        assert_eq!(self.waiting, 0, "the owners answer at once");
        let digest = self.digest_before();
        self.note_expiries();
        for work in self.works.iter_mut().filter_map(Option::take) {
            self.spare.push(work);
        }
        self.spare.iter_mut().for_each(|work| work.clear());
        digest
    }

    /// Takes in a request. Its answer comes out of [`Self::poll_release`].
    pub fn submit(&mut self, submission: Submission) {
        if submission.request.is_write() && submission.request.events() == 0 {
            let reply = match submission.request {
                Request::ResolveTransfers { .. } => Reply::ResolveResults(Vec::new()),
                _ => Reply::CreateResults(Vec::new()),
            };
            self.reply(submission.source, reply);
            return;
        }
        self.order.push(submission);
    }

    /// Takes in a job that the owner of a partition has done on another thread.
    pub fn handle_done(&mut self, owner: usize, job: Job) {
        self.owners.accept(owner, job);
    }

    /// Goes on with what is under way and starts what is next. A frame that comes out belongs at
    /// the end of the log. Call again until nothing comes out.
    ///
    /// # Errors
    /// When an old record can't be read: the state can't be known, so the process must stop.
    pub fn poll(
        &mut self,
        now: Timestamp,
        permit: Permit,
    ) -> Result<Option<Arc<Frame>>, RecordError> {
        loop {
            self.receive();
            if self.waiting > 0 {
                return Ok(None);
            }
            let frame = match self.activity.take() {
                Some(activity) => self.advance(activity)?,
                None if self.begin(now, permit) => None,
                None => return Ok(None),
            };
            if let Some(frame) = frame {
                let frame = Arc::new(frame);
                self.recent.push(Arc::clone(&frame));
                return Ok(Some(frame));
            }
        }
    }

    /// Takes note that everything up to `op` is committed.
    pub fn handle_committed(&mut self, op: Op) {
        debug_assert!(op >= self.committed && op <= self.end.op);
        self.committed = op;
        self.recent.trim(op);
    }

    /// The next answer whose op is committed.
    pub fn poll_release(&mut self) -> Option<Release> {
        let (Release::Reply { op, .. } | Release::Query { op, .. }) = self.releases.front()?;
        if *op > self.committed {
            return None;
        }
        self.releases.pop_front()
    }

    /// Whether nothing is under way and nothing waits, neither for its turn nor for the log.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.activity.is_none()
            && self.waiting == 0
            && self.order.waiting_requests() == 0
            && self.releases.is_empty()
    }

    /// Whether an answer of the owners is awaited.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Where the log ends.
    #[must_use]
    pub const fn end(&self) -> LogEnd {
        self.end
    }

    /// The last op that is committed.
    #[must_use]
    pub const fn committed(&self) -> Op {
        self.committed
    }

    /// Events of the writes that wait for their turn.
    #[must_use]
    pub const fn waiting_events(&self) -> usize {
        self.order.waiting_events()
    }

    /// Requests that wait for their turn, reads among them.
    #[must_use]
    pub fn waiting_requests(&self) -> usize {
        self.order.waiting_requests()
    }

    /// Answers that wait for the log.
    #[must_use]
    pub fn waiting_answers(&self) -> usize {
        self.releases.len()
    }

    /// When the next hold ends, as far as is known: never too late.
    #[must_use]
    pub const fn next_expiry(&self) -> Option<Timestamp> {
        self.next_expiry
    }

    /// The numbers that `status` shows.
    #[must_use]
    pub const fn counts(&self) -> EngineCounts {
        self.counts
    }

    /// The owners of the partitions.
    pub const fn owners(&self) -> &O {
        &self.owners
    }

    fn advance(&mut self, activity: Activity) -> Result<Option<Frame>, RecordError> {
        match activity {
            Activity::Transfers(batch) => self.advance_transfers(batch),
            Activity::Accounts(batch) => self.advance_accounts(batch),
            Activity::Fence(batch) => self.advance_fence(batch),
            Activity::Expiry(batch) => Ok(self.advance_expiry(batch)),
            Activity::Reads(batch) => self.advance_reads(batch).map(|()| None),
        }
    }

    /// Leads this through the owners next.
    pub(super) fn start(&mut self, activity: Activity) {
        self.activity = Some(activity);
    }

    /// Where an id belongs: its hash and its owner.
    pub(super) fn locate(&self, id: u128) -> (u64, usize) {
        let hash = self.hasher.hash(id);
        (hash, owner(hash, self.works.len()))
    }

    /// The id to look up, and whom to ask.
    pub(super) fn probe(&self, id: u128, tag: u32) -> (usize, Probe) {
        let (hash, owner) = self.locate(id);
        (owner, Probe { id, hash, tag })
    }

    /// The work of an owner for the activity under way.
    pub(super) fn work(&mut self, owner: usize) -> &mut Work {
        let spare = &mut self.spare;
        self.works[owner].get_or_insert_with(|| spare.pop().unwrap_or_default())
    }

    /// Sends all owners their work to be loaded, also those who are asked nothing.
    pub(super) fn send_loads(&mut self) {
        for owner in (0..self.works.len()).rev() {
            self.work(owner);
            if let Some(work) = self.works[owner].take() {
                self.waiting += 1;
                self.owners.send(owner, Job::Load(work));
            }
        }
    }

    /// Sends all owners what was decided.
    pub(super) fn send_applies(&mut self) {
        for owner in (0..self.works.len()).rev() {
            if let Some(work) = self.works[owner].take() {
                self.owners.send(owner, Job::Apply(work));
            }
        }
    }

    pub(super) fn ask(&mut self, owner: usize, read: super::owners::Read) {
        self.waiting += 1;
        self.owners.send(owner, Job::Read(read));
    }

    fn receive(&mut self) {
        while let Some((owner, job)) = self.owners.receive() {
            match job {
                Job::Load(work) => {
                    self.waiting -= 1;
                    self.works[owner] = Some(work);
                }
                Job::Apply(work) => self.spare.push(work),
                Job::Answer(answer) => {
                    self.waiting -= 1;
                    self.answers.push((owner, answer));
                }
                Job::Read(_) => {}
            }
        }
    }

    /// The digest of the whole state before the batch, from the loaded works.
    pub(super) fn digest_before(&self) -> u64 {
        let works = self.works.iter().flatten();
        works.fold(0_u64, |sum, work| sum.wrapping_add(work.digest))
    }

    /// The earliest end of a hold that the owners reported with the loaded works.
    pub(super) fn note_expiries(&mut self) {
        self.next_expiry = self.works.iter().flatten().filter_map(|work| work.next_expiry).min();
    }

    /// Begins the frame of the next op.
    pub(super) fn start_frame(&mut self, kind: FrameKind, base: Timestamp) -> &mut FrameBuilder {
        self.builder.restart(FrameStart {
            kind,
            op: self.end.op.next(),
            timestamp: base,
            epoch: self.end.epoch,
        });
        &mut self.builder
    }

    pub(super) const fn builder(&mut self) -> &mut FrameBuilder {
        &mut self.builder
    }

    /// Finishes the frame that was begun and moves the end of the log behind it.
    pub(super) fn finish_frame(
        &mut self,
        last: Timestamp,
        outcome_digest: u64,
        state_digest: u64,
    ) -> Frame {
        let position = self.options.layout.place(self.end.position, self.builder.frame_bytes());
        let frame = self.builder.finish(position, outcome_digest, state_digest);
        self.end.position = frame.end();
        self.end.op = self.end.op.next();
        self.end.timestamp = Timestamp(self.end.timestamp.0.max(last.0));
        self.counts.batches += 1;
        frame
    }

    /// Answers once all that is ordered now is committed.
    pub(super) fn reply(&mut self, to: Source, reply: Reply) {
        self.releases.push_back(Release::Reply { to, op: self.end.op, reply });
    }

    pub(super) fn release(&mut self, release: Release) {
        self.releases.push_back(release);
    }

    /// A record of the log, from memory if it is recent.
    pub(super) fn fetch(&mut self, position: u64) -> Result<Transfer, RecordError> {
        let position = Position(position);
        match self.recent.transfer(position) {
            Some(transfer) => Ok(transfer),
            None => self.records.transfer(position),
        }
    }
}
