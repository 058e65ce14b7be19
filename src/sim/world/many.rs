//! Many seeds on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Failure, Report, SimulationOptions, simulate};

/// What became of many seeds.
#[derive(Debug, Default)]
pub struct Many {
    /// What happened in those that passed.
    pub report: Report,
    /// Seeds that passed.
    pub passed: Vec<u64>,
    /// Seeds that failed, the lowest first.
    pub failures: Vec<Failure>,
}

/// Runs these seeds on so many threads. Unless `keep_going`, no seed is begun once one has failed;
/// seeds are begun in order, so the lowest one that fails is among those that were run.
#[must_use]
pub fn simulate_many(
    seeds: Range<u64>,
    options: SimulationOptions,
    threads: usize,
    keep_going: bool,
) -> Many {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let many = Mutex::new(Many::default());
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let result = simulate(seed, options);
            let mut many = many.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(report) => {
                    many.report.merge(&report);
                    many.passed.push(seed);
                }
                Err(failure) => {
                    many.failures.push(*failure);
                    stop.store(!keep_going, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut many = many.into_inner().unwrap_or_else(PoisonError::into_inner);
    many.passed.sort_unstable();
    many.failures.sort_by_key(|failure| failure.seed);
    many
}
