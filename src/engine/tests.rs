//! The engine over partitions on one thread: who gets his turn when.

use super::{
    Engine, EngineOptions, IdHasher, Inline, Partition, Permit, Polled, Release, Source,
    Submission, Tip,
};
use crate::ledger::{Account, Op, QueryAccountsFilter, Timestamp};
use crate::limits::{SCAN_NS_MAX, SCAN_ROWS_PER_SLICE};
use crate::log::{Epoch, Layout, Principal};
use crate::wire::{ErrorCode, Reply, Request};

const ACCOUNTS: u32 = 8 * SCAN_ROWS_PER_SLICE;

fn source(slot: u32, correlation: u64) -> Source {
    Source { core: 0, slot, generation: 0, correlation }
}

fn accounts(first: u32, count: u32) -> Request {
    let account = |id: u32| Account { id: id.into(), ledger: 1, code: 1, ..Account::default() };
    Request::CreateAccounts((first..first + count).map(account).collect())
}

/// A search for accounts of that code.
fn search(code: u16) -> Request {
    let filter = QueryAccountsFilter { code, limit: 10, ..QueryAccountsFilter::default() };
    Request::QueryAccounts(filter)
}

struct Bench {
    engine: Engine<Inline>,
    now: u64,
    /// Calls of `poll` in all.
    polls: u32,
    /// Frames that came out, by the call that they came out of.
    frames: Vec<u32>,
    /// Answers: to whom, the call after which they came, and what.
    answers: Vec<(Source, u32, Reply)>,
}

impl Bench {
    /// An engine that has so many accounts in so many partitions.
    fn new(partitions: usize) -> Self {
        let hash_key = 0x5eed;
        let partition = || Partition::new(IdHasher::new(hash_key));
        let owners = Inline::new(std::iter::repeat_with(partition).take(partitions).collect());
        let layout = Layout::default();
        let options = EngineOptions {
            layout,
            hash_key,
            accounts_max: 1 << 20,
            holds_max: 1 << 20,
            recent_bytes_max: 64 << 10,
            state_bytes_max: 1 << 30,
        };
        let tip =
            Tip { position: layout.first(), op: Op(0), epoch: Epoch(1), timestamp: Timestamp(0) };
        let engine = Engine::new(owners, options, tip);
        let mut bench =
            Self { engine, now: 1_000, polls: 0, frames: Vec::new(), answers: Vec::new() };
        for first in (1..=ACCOUNTS).step_by(4_096) {
            bench.submit(source(0, u64::from(first)), accounts(first, 4_096));
        }
        bench.run(|_| false);
        assert_eq!(bench.engine.counts().accounts, u64::from(ACCOUNTS));
        (bench.polls, bench.frames, bench.answers) = (0, Vec::new(), Vec::new());
        bench
    }

    fn submit(&mut self, source: Source, request: Request) {
        self.engine.submit(Submission { source, principal: Principal::NOBODY, request });
    }

    /// One call, with time going on by a microsecond. Whether there may be more to do.
    fn poll(&mut self) -> bool {
        self.now += 1_000;
        self.polls += 1;
        let polled = self.engine.poll(Timestamp(self.now), Permit::All);
        if let Polled::Frame(frame) = &polled {
            self.engine.handle_committed(frame.header().op);
            self.frames.push(self.polls);
        }
        while let Some(release) = self.engine.poll_release() {
            let Release::Reply { to, reply, .. } = release else {
                unreachable!("nothing here is read from the log")
            };
            self.answers.push((to, self.polls, reply));
        }
        !matches!(polled, Polled::Nothing)
    }

    /// Goes on until nothing is left to do, or until `enough`.
    fn run(&mut self, enough: impl Fn(&Self) -> bool) {
        while self.poll() && !enough(self) {}
    }

    fn answer_of(&self, source: Source) -> Option<(u32, &Reply)> {
        let found = self.answers.iter().find(|(to, ..)| *to == source);
        found.map(|(_, at, reply)| (*at, reply))
    }
}

#[test]
fn searches_that_match_nothing_hold_up_neither_a_search_nor_a_write_of_others() {
    for partitions in [1, 3] {
        let mut bench = Bench::new(partitions);
        for number in 0..256 {
            bench.submit(source(1, number), search(9));
        }
        // All of the 256 are known to the engine, and the first is under way.
        for _ in 0..8 {
            assert!(bench.poll());
        }
        let before = bench.polls;
        bench.submit(source(2, 0), search(1));
        bench.submit(source(3, 0), accounts(ACCOUNTS + 1, 1));
        let (found, written) = (source(2, 0), source(3, 0));
        bench.run(|bench| bench.answer_of(found).is_some() && bench.answer_of(written).is_some());
        let (at, reply) = bench.answer_of(written).unwrap();
        assert!(matches!(reply, Reply::CreateResults(results) if results.len() == 1));
        assert!(at - before <= 4, "a write waited for {} pieces of work", at - before);
        let (at, reply) = bench.answer_of(found).unwrap();
        let Reply::Accounts(accounts) = reply else { unreachable!("{reply:?}") };
        assert_eq!(accounts.len(), 10);
        // Ten of its accounts stand in the first slice of each partition.
        assert!(at - before <= 8, "a search waited for {} pieces of work", at - before);
        assert!(bench.answers.len() < 20, "most of the others are still being searched for");
        // In the end they are all answered.
        bench.run(|_| false);
        let nothing = |(to, _, reply): &&(Source, u32, Reply)| {
            to.slot == 1 && matches!(reply, Reply::Accounts(accounts) if accounts.is_empty())
        };
        assert_eq!(bench.answers.iter().filter(nothing).count(), 256);
        assert!(bench.engine.is_idle());
    }
}

#[test]
fn a_search_sees_what_was_written_while_it_went_on_and_writes_go_between_its_slices() {
    let mut bench = Bench::new(1);
    let last = ACCOUNTS + 1;
    let filter = QueryAccountsFilter { flags: 0, code: 7, limit: 9, ..Default::default() };
    bench.submit(source(1, 0), Request::QueryAccounts(filter));
    assert!(bench.poll() && bench.poll(), "it has been taken in and has begun");
    let account = Account { id: last.into(), ledger: 1, code: 7, ..Account::default() };
    bench.submit(source(2, 0), Request::CreateAccounts(vec![account]));
    bench.run(|_| false);
    let (at, reply) = bench.answer_of(source(1, 0)).unwrap();
    assert!(bench.frames[0] < at, "the write didn't wait for the search");
    let Reply::Accounts(accounts) = reply else { unreachable!("{reply:?}") };
    assert_eq!(accounts.iter().map(|account| account.id).collect::<Vec<_>>(), [last.into()]);
}

#[test]
fn a_search_that_takes_too_long_is_given_up_with_an_error() {
    let mut bench = Bench::new(2);
    bench.submit(source(1, 0), search(9));
    assert!(bench.poll() && bench.poll());
    assert_eq!(bench.answers.len(), 0, "it is under way");
    bench.now += SCAN_NS_MAX;
    bench.run(|_| false);
    let (_, reply) = bench.answer_of(source(1, 0)).unwrap();
    let Reply::Error(error) = reply else { unreachable!("{reply:?}") };
    assert_eq!(error.code(), Some(ErrorCode::DeadlineExceeded));
    assert!(bench.engine.is_idle());
}

#[test]
fn the_searches_of_a_connection_that_is_gone_end_at_once() {
    let mut bench = Bench::new(1);
    for number in 0..100 {
        bench.submit(source(1, number), search(9));
    }
    bench.submit(source(2, 0), search(9));
    assert!(bench.poll() && bench.poll() && bench.poll());
    bench.submit(source(1, 100), Request::Ping);
    bench.engine.handle_gone(source(1, 3));
    bench.run(|_| false);
    assert_eq!(bench.answers.len(), 1, "nobody else waits for an answer");
    assert!(bench.answer_of(source(2, 0)).is_some());
    let slices = ACCOUNTS / SCAN_ROWS_PER_SLICE;
    assert!(bench.polls < 3 * slices, "{} calls for a search of {slices} slices", bench.polls);
    assert!(bench.engine.is_idle());
}
