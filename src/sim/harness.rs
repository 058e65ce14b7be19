//! The engine on one thread with its log in memory: what tests and the simulator drive directly.
//!
//! It commits every frame at once. It keeps the sealed frames, so that the same log can be decided
//! again with another number of partitions.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::compare::Subject;
use crate::engine::{
    CommittedLog, Engine, EngineOptions, Grower, Growth, IdHasher, Inline, Loaded, Partition,
    Permit, Polled, Records, Release, ReplayError, Scanned, Source, Submission, Tip, balance_of,
    created_in, growth, run_query, visit_frame,
};
use crate::io::to_usize;
use crate::ledger::{
    Account, AccountBalance, AccountFilter, Capacity, Command, CommandResult, CreateResult,
    FilterError, Op, QueryAccountsFilter, QueryTransfersFilter, ResolveFlags, ResolveResult,
    Timestamp, Transfer,
};
use crate::log::{
    ChainValue, ClusterId, Epoch, Frame, FrameBuf, FrameView, Layout, Position, Principal,
    RecordError, Sealer, TransferEntry,
};
use crate::wire::{Reply, Request};

const CLUSTER: ClusterId = ClusterId(7);

/// The frames of a log, sealed as a writer would.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    frames: Rc<RefCell<Vec<(Position, FrameBuf)>>>,
}

impl MemoryLog {
    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.borrow().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, sealer: &mut Sealer, frame: &Frame) {
        let mut sealed = FrameBuf::new();
        sealed.resize(to_usize(frame.header().frame_bytes));
        sealer.seal_into(frame, frame.position(), sealed.bytes_mut());
        self.frames.borrow_mut().push((frame.position(), sealed));
    }

    fn with<T>(
        &self,
        position: Position,
        read: impl FnOnce(&FrameView<'_>) -> Option<T>,
    ) -> Result<T, RecordError> {
        let frames = self.frames.borrow();
        let after = frames.partition_point(|(start, _)| *start <= position);
        let found = after.checked_sub(1).and_then(|at| {
            let (start, bytes) = &frames[at];
            let view = FrameView::parse(CLUSTER, *start, bytes.bytes()).ok()?;
            read(&view)
        });
        found.ok_or(RecordError::NoRecord(position))
    }
}

fn entry_of(view: &FrameView<'_>, position: Position) -> Option<TransferEntry> {
    let header = view.header();
    let entries = view.transfers().iter();
    entries.copied().find(|entry| {
        crate::log::entry_position(header.position, header.kind, entry.index()) == position
    })
}

impl Records for MemoryLog {
    fn transfer(&mut self, position: Position) -> Result<Transfer, RecordError> {
        self.entry(position).map(|entry| entry.transfer)
    }

    fn created_at(
        &mut self,
        first: Position,
        until: Position,
        timestamp: u64,
    ) -> Result<bool, RecordError> {
        let mut found = false;
        self.scan(first, until, &mut |scanned| created_in(scanned, timestamp, &mut found))?;
        Ok(found)
    }
}

impl CommittedLog for MemoryLog {
    fn entry(&mut self, position: Position) -> Result<TransferEntry, RecordError> {
        self.with(position, |view| entry_of(view, position))
    }

    fn balance(
        &mut self,
        position: Position,
        credited: bool,
    ) -> Result<Option<AccountBalance>, RecordError> {
        self.with(position, |view| {
            let index = u32::from(entry_of(view, position)?.index());
            Some(balance_of(view.history(), index, credited))
        })
    }

    fn scan(
        &mut self,
        first: Position,
        end: Position,
        visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Position>, RecordError> {
        let frames = self.frames.borrow();
        let mut within = frames.iter().filter(|(at, _)| (first..end).contains(at));
        while let Some((position, bytes)) = within.next() {
            let view = FrameView::parse(CLUSTER, *position, bytes.bytes())
                .map_err(|source| RecordError::Damaged { position: *position, source })?;
            if visit_frame(&view, visit).is_break() {
                return Ok(within.next().map(|(next, _)| *next));
            }
        }
        Ok(None)
    }
}

/// An engine with its partitions in line and its log in memory.
pub struct Harness {
    engine: Engine<Inline>,
    /// Tables of any size are lent out to grow, and come back a few requests later.
    grower: Grower,
    grown: u64,
    loaded: u64,
    log: MemoryLog,
    sealer: Sealer,
    correlation: u64,
}

impl Harness {
    /// An empty ledger with that many partitions, which keeps few records in memory so that old
    /// ones are read back from the log.
    #[must_use]
    pub fn new(partitions: usize) -> Self {
        let log = MemoryLog::default();
        let (growth, grower) = growth(0);
        Self {
            engine: engine_over(partitions, &growth),
            grower,
            grown: 0,
            loaded: 0,
            log,
            sealer: Sealer::new(CLUSTER, ChainValue::START),
            correlation: 0,
        }
    }

    /// The log so far.
    #[must_use]
    pub const fn log(&self) -> &MemoryLog {
        &self.log
    }

    /// How many tables have grown beside the engine.
    #[must_use]
    pub const fn grown(&self) -> u64 {
        self.grown
    }

    /// How many old records were read for requests that waited for them.
    #[must_use]
    pub const fn loaded(&self) -> u64 {
        self.loaded
    }

    /// The digest of the whole state, whatever the number of partitions.
    #[must_use]
    pub fn digest(&mut self) -> u64 {
        self.engine.state_digest()
    }

    /// Decides a log again from its start.
    ///
    /// # Errors
    /// The first frame that is decided otherwise than the log records.
    pub fn replay(log: &MemoryLog, partitions: usize) -> Result<Self, ReplayError> {
        let mut harness = Self::new(partitions);
        for (position, bytes) in log.frames.borrow().iter() {
            let view = FrameView::parse(CLUSTER, *position, bytes.bytes()).map_err(|source| {
                ReplayError::Record(RecordError::Damaged { position: *position, source })
            })?;
            harness.grown += u64::from(harness.grower.step());
            harness.engine.replay(&view, &mut log.clone())?;
            let mut copy = FrameBuf::new();
            copy.resize(bytes.bytes().len());
            copy.bytes_mut().copy_from_slice(bytes.bytes());
            harness.log.frames.borrow_mut().push((*position, copy));
        }
        Ok(harness)
    }

    /// Orders the requests together and gives their answers.
    pub fn ask(&mut self, requests: Vec<Request>, clock: Timestamp, permit: Permit) -> Vec<Reply> {
        let count = requests.len();
        for request in requests {
            self.correlation += 1;
            // One connection: its requests are ordered as they came, whatever each waits for.
            let source = Source { core: 0, slot: 0, generation: 0, correlation: self.correlation };
            self.engine.submit(Submission { source, principal: Principal::NOBODY, request });
        }
        self.turn(clock, permit);
        let first = self.correlation + 1 - count as u64;
        let mut replies: Vec<Option<Reply>> = (0..count).map(|_| None).collect();
        while let Some(release) = self.engine.poll_release() {
            let (to, reply) = match release {
                Release::Reply { to, reply, .. } => (to, reply),
                Release::Query { to, read, .. } => {
                    let reply = run_query(&read, &mut self.log.clone());
                    (to, reply.expect("the log in memory can be read"))
                }
            };
            replies[to_usize(to.correlation - first)] = Some(reply);
        }
        replies.into_iter().map(|reply| reply.expect("every request is answered")).collect()
    }

    /// Lets the engine do all that it can, and commits it. Gives the frames.
    fn turn(&mut self, clock: Timestamp, permit: Permit) -> Vec<std::sync::Arc<Frame>> {
        self.grown += u64::from(self.grower.step());
        let mut frames = Vec::new();
        loop {
            match self.engine.poll(clock, permit) {
                Polled::Frame(frame) => {
                    self.log.push(&mut self.sealer, &frame);
                    self.engine.handle_committed(frame.header().op);
                    frames.push(frame);
                }
                Polled::More => {}
                Polled::Nothing => {
                    let Some(loads) = self.engine.poll_load() else { return frames };
                    let read = |load| self.log.load(load).expect("the log in memory can be read");
                    let loaded: Vec<Loaded> = loads.into_iter().map(read).collect();
                    self.loaded += loaded.len() as u64;
                    self.engine.handle_loaded(&loaded);
                }
            }
        }
    }

    fn ask_one(&mut self, request: Request) -> Reply {
        let clock = self.engine.end().timestamp;
        self.ask(vec![request], clock, Permit::Writes).remove(0)
    }
}

fn engine_over(partitions: usize, growth: &Growth) -> Engine<Inline> {
    let hash_key = 0x5eed;
    let hasher = IdHasher::new(hash_key);
    let partition = || {
        let mut partition = Partition::new(hasher);
        partition.grow_by(growth);
        partition
    };
    let owners = Inline::new(std::iter::repeat_with(partition).take(partitions).collect());
    let layout = Layout::default();
    let options = EngineOptions {
        layout,
        hash_key,
        accounts_max: 1 << 20,
        holds_max: 1 << 30,
        recent_bytes_max: 64 << 10,
        state_bytes_max: u64::MAX,
    };
    let tip = Tip { position: layout.first(), op: Op(0), epoch: Epoch(1), timestamp: Timestamp(0) };
    Engine::new(owners, options, tip)
}

fn filter_error(reply: &Reply) -> FilterError {
    const ALL: [FilterError; 10] = [
        FilterError::NoSide,
        FilterError::LimitIsZero,
        FilterError::TimestampsReversed,
        FilterError::TimestampOutOfRange,
        FilterError::UnknownFlags,
        FilterError::ReservedField,
        FilterError::AccountIdInvalid,
        FilterError::AccountNotFound,
        FilterError::AccountWithoutHistory,
        FilterError::PendingStatusUnknown,
    ];
    let Reply::Error(error) = reply else { panic!("expected an error, not {reply:?}") };
    let code = |filter: FilterError| crate::wire::RequestError::from(filter).code();
    let same = |filter: &&FilterError| code(**filter) == error.code();
    *ALL.iter().find(same).unwrap_or_else(|| panic!("{error:?} is no filter error"))
}

macro_rules! records {
    ($reply:expr, $kind:ident) => {
        match $reply {
            Reply::$kind(records) => Ok(records),
            other => Err(filter_error(&other)),
        }
    };
}

impl Subject for Harness {
    fn create_accounts(
        &mut self,
        requests: &[Vec<Account>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>> {
        let requests = requests.iter().cloned().map(Request::CreateAccounts).collect();
        create_results(self.ask(requests, clock, Permit::Writes))
    }

    fn create_transfers(
        &mut self,
        requests: &[Vec<Transfer>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>> {
        let requests = requests.iter().cloned().map(Request::CreateTransfers).collect();
        create_results(self.ask(requests, clock, Permit::Writes))
    }

    fn resolve_transfers(
        &mut self,
        ids: &[u128],
        fence: bool,
        clock: Timestamp,
    ) -> Vec<ResolveResult> {
        let flags = if fence { ResolveFlags::FENCE } else { 0 };
        let request = Request::ResolveTransfers { ids: ids.to_vec(), flags };
        match self.ask(vec![request], clock, Permit::Writes).remove(0) {
            Reply::ResolveResults(results) => results,
            other => panic!("expected resolve results, not {other:?}"),
        }
    }

    fn capacity(&mut self) -> Capacity {
        self.engine.capacity()
    }

    fn command(&mut self, command: &Command, reason: &str, clock: Timestamp) -> CommandResult {
        let request = Request::Command { command: *command, reason: reason.to_owned() };
        match self.ask(vec![request], clock, Permit::Writes).remove(0) {
            Reply::Command(result) => result,
            other => panic!("expected the result of a command, not {other:?}"),
        }
    }

    fn expire(&mut self, clock: Timestamp) -> Vec<u128> {
        let frames = self.turn(clock, Permit::All);
        frames.iter().flat_map(|frame| frame.ids().to_vec()).collect()
    }

    fn last_timestamp(&mut self) -> Timestamp {
        self.engine.end().timestamp
    }

    fn next_expiry(&mut self) -> Option<Timestamp> {
        let partitions = self.engine.owners().partitions().iter();
        partitions.filter_map(Partition::next_expiry).min()
    }

    fn lookup_accounts(&mut self, ids: &[u128]) -> Option<Vec<Account>> {
        records!(self.ask_one(Request::LookupAccounts(ids.to_vec())), Accounts).ok()
    }

    fn lookup_transfers(&mut self, ids: &[u128]) -> Option<Vec<Transfer>> {
        records!(self.ask_one(Request::LookupTransfers(ids.to_vec())), Transfers).ok()
    }

    fn get_account_transfers(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>> {
        Some(records!(self.ask_one(Request::GetAccountTransfers(*filter)), Transfers))
    }

    fn get_account_balances(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<AccountBalance>, FilterError>> {
        Some(records!(self.ask_one(Request::GetAccountBalances(*filter)), Balances))
    }

    fn query_accounts(
        &mut self,
        filter: &QueryAccountsFilter,
    ) -> Option<Result<Vec<Account>, FilterError>> {
        Some(records!(self.ask_one(Request::QueryAccounts(*filter)), Accounts))
    }

    fn query_transfers(
        &mut self,
        filter: &QueryTransfersFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>> {
        Some(records!(self.ask_one(Request::QueryTransfers(*filter)), Transfers))
    }
}

fn create_results(replies: Vec<Reply>) -> Vec<Vec<CreateResult>> {
    replies
        .into_iter()
        .map(|reply| match reply {
            Reply::CreateResults(results) => results,
            other => panic!("expected create results, not {other:?}"),
        })
        .collect()
}
