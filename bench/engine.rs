//! The engine alone: no network, no disk. Prints nanoseconds per transfer.
//!
//! `cargo bench --bench engine -- [--accounts N] [--partitions P] [--batches N] [--threads]`: with
//! `--threads` each partition but the first has a thread of its own, as in the server.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::queue::SegQueue;

use partita::engine::{
    Engine, EngineOptions, IdHasher, Inline, Job, Owners, Partition, Permit, Polled, Release,
    Source, Submission, Tip, perform,
};
use partita::ledger::{Account, Op, Timestamp, Transfer};
use partita::log::{Epoch, Layout, Principal};
use partita::wire::{Reply, Request};

const BATCH: usize = 8_189;

struct Options {
    accounts: u64,
    partitions: usize,
    batches: u64,
    threads: bool,
}

fn options() -> Options {
    let mut options = Options { accounts: 10_000, partitions: 1, batches: 300, threads: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut number = || -> u64 {
            let text = arguments.next().unwrap_or_else(|| panic!("{flag} needs a number"));
            text.parse().unwrap_or_else(|_| panic!("{flag} needs a number, not {text}"))
        };
        match flag.as_str() {
            "--accounts" => options.accounts = number(),
            "--partitions" => options.partitions = usize::try_from(number()).unwrap_or(1),
            "--batches" => options.batches = number(),
            "--threads" => options.threads = true,
            "--bench" => {}
            other => panic!("unknown flag {other}"),
        }
    }
    options
}

/// A stream of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn ask<O: Owners>(engine: &mut Engine<O>, correlation: u64, request: Request) {
    let source = Source { core: 0, slot: 0, generation: 0, correlation };
    engine.submit(Submission { source, principal: Principal::NOBODY, request });
    loop {
        let polled = engine.poll(Timestamp(1), Permit::All);
        match polled {
            Polled::Frame(frame) => engine.handle_committed(frame.header().op),
            Polled::More => {}
            Polled::Nothing if engine.is_waiting() => std::hint::spin_loop(),
            Polled::Nothing => break,
        }
    }
    while let Some(release) = engine.poll_release() {
        let Release::Reply { reply: Reply::CreateResults(results), .. } = release else {
            panic!("unexpected {release:?}")
        };
        assert!(results.iter().all(|result| result.status == u32::MAX), "all are created");
    }
}

fn batch(numbers: &mut Numbers, next_id: &mut u128, accounts: u64) -> Vec<Transfer> {
    (0..BATCH)
        .map(|_| {
            *next_id += 1;
            let debit = numbers.below(accounts);
            let credit = (debit + 1 + numbers.below(accounts - 1)) % accounts;
            Transfer {
                id: *next_id,
                debit_account_id: u128::from(debit + 1),
                credit_account_id: u128::from(credit + 1),
                amount: 1,
                ledger: 1,
                code: 1,
                ..Transfer::default()
            }
        })
        .collect()
}

/// Jobs on their way to and from the thread of a partition.
#[derive(Default)]
struct Line {
    jobs: SegQueue<Job>,
    done: SegQueue<Job>,
    stop: AtomicBool,
}

/// The first partition on this thread, each of the others on one of its own, which never sleeps.
struct Threads {
    own: Partition,
    lines: Vec<Arc<Line>>,
    done: VecDeque<Job>,
}

impl Threads {
    fn start(inline: Inline) -> Self {
        let mut partitions = inline.into_partitions().into_iter();
        let own = partitions.next().expect("there is a partition");
        let lines = partitions.map(|mut partition| {
            let line = Arc::new(Line::default());
            let theirs = Arc::clone(&line);
            std::thread::spawn(move || {
                while !theirs.stop.load(Ordering::Relaxed) {
                    match theirs.jobs.pop() {
                        Some(job) => theirs.done.push(perform(&mut partition, job)),
                        None => std::hint::spin_loop(),
                    }
                }
            });
            line
        });
        Self { own, lines: lines.collect(), done: VecDeque::new() }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.lines.iter().for_each(|line| line.stop.store(true, Ordering::Relaxed));
    }
}

impl Owners for Threads {
    fn partitions(&self) -> usize {
        self.lines.len() + 1
    }

    fn send(&mut self, owner: usize, job: Job) {
        match owner.checked_sub(1) {
            Some(line) => self.lines[line].jobs.push(job),
            None => self.done.push_back(perform(&mut self.own, job)),
        }
    }

    fn receive(&mut self) -> Option<(usize, Job)> {
        let own = self.done.pop_front().map(|job| (0, job));
        own.or_else(|| {
            let lines = (1..).zip(&self.lines);
            lines.filter_map(|(owner, line)| Some((owner, line.done.pop()?))).next()
        })
    }

    fn accept(&mut self, _: usize, _: Job) {
        unreachable!("done jobs come back through the lines")
    }
}

fn main() {
    let options = options();
    let hash_key = 42;
    let hasher = IdHasher::new(hash_key);
    let partitions = (0..options.partitions).map(|_| Partition::new(hasher)).collect();
    let layout = Layout::default();
    let limits = EngineOptions {
        layout,
        hash_key,
        accounts_max: 1 << 30,
        holds_max: 1 << 30,
        recent_bytes_max: 8 << 20,
        state_bytes_max: u64::MAX,
    };
    let tip = Tip { position: layout.first(), op: Op(0), epoch: Epoch(1), timestamp: Timestamp(0) };
    let engine = Engine::new(Inline::new(partitions), limits, tip);
    if options.threads {
        measure(engine.with_owners(Threads::start), &options);
    } else {
        measure(engine, &options);
    }
}

fn measure<O: Owners>(mut engine: Engine<O>, options: &Options) {
    let ids: Vec<u64> = (1..=options.accounts).collect();
    for chunk in ids.chunks(BATCH) {
        let accounts = chunk
            .iter()
            .map(|&id| Account { id: id.into(), ledger: 1, code: 1, ..Account::default() })
            .collect();
        ask(&mut engine, 0, Request::CreateAccounts(accounts));
    }
    let mut numbers = Numbers(7);
    let mut next_id = 0;
    let mut spent = Duration::ZERO;
    for number in 0..options.batches {
        let transfers = batch(&mut numbers, &mut next_id, options.accounts);
        let start = Instant::now();
        ask(&mut engine, number, Request::CreateTransfers(transfers));
        spent += start.elapsed();
    }
    let transfers = options.batches * BATCH as u64;
    let ns = spent.as_nanos() as f64 / transfers as f64;
    println!(
        "{} accounts, {} partitions{}, {transfers} transfers: {ns:.1} ns each, {:.2} M/s",
        options.accounts,
        options.partitions,
        if options.threads { " on threads" } else { "" },
        1e3 / ns
    );
}
