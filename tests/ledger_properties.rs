//! The rules of the ledger under random load: a subject and the reference model answer alike.
//!
//! Guards against two failures: a rule that the two implementations read differently, and a
//! workload that has stopped reaching the rules it is meant to reach.

use partita::ledger::model::Model;
use partita::sim::compare::{RunOptions, run};
use partita::sim::coverage::Coverage;

const SEEDS: u64 = 16;

/// How the workload fares, with the model on both sides.
fn coverage_of_seeds(seeds: std::ops::Range<u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match run(seed, &RunOptions::default(), &mut Model::new()) {
            Ok(of_seed) => coverage.add(&of_seed),
            Err(mismatch) => panic!("{mismatch}"),
        }
    }
    coverage
}

#[test]
fn the_workload_meets_nearly_every_status() {
    let coverage = coverage_of_seeds(0..SEEDS);
    println!("{coverage}missing: {:?}", coverage.missing());
    assert!(coverage.failed_percent() >= 30, "{coverage}");
    assert!(coverage.failed_percent() <= 75, "a ledger that refuses nearly all shows little");
    assert!(
        coverage.distinct() >= 80,
        "{} statuses, missing {:?}",
        coverage.distinct(),
        coverage.missing()
    );
}

#[test]
fn a_single_seed_meets_half_of_them() {
    let coverage = coverage_of_seeds(1_000..1_001);
    assert!(coverage.failed_percent() >= 30, "{coverage}");
    assert!(
        coverage.distinct() >= 50,
        "{} statuses, missing {:?}",
        coverage.distinct(),
        coverage.missing()
    );
}
