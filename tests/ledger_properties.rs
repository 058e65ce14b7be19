//! The rules of the ledger under random load: a subject and the reference model answer alike.
//!
//! Guards against two failures: a rule that the two implementations read differently, and a
//! workload that has stopped reaching the rules it is meant to reach.

use partita::ledger::model::Model;
use partita::sim::compare::{RunOptions, Subject, run};
use partita::sim::coverage::{Coverage, Situation};

/// Runs these seeds, each against a subject of its own, and adds up what they have met.
fn run_seeds<S: Subject>(seeds: std::ops::Range<u64>, subject: impl Fn() -> S) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match run(seed, &RunOptions::default(), &mut subject()) {
            Ok(of_seed) => coverage.add(&of_seed),
            Err(mismatch) => panic!("{mismatch}"),
        }
    }
    coverage
}

fn assert_meets(coverage: &Coverage, distinct: usize) {
    let failed = coverage.failed_percent();
    assert!((30..=75).contains(&failed), "{failed} % of the events failed\n{coverage}");
    let missing = coverage.missing();
    assert!(coverage.distinct() >= distinct, "{} statuses, not {missing:?}", coverage.distinct());
}

#[test]
fn the_workload_meets_nearly_every_status_and_situation() {
    let coverage = run_seeds(0..24, Model::new);
    println!("{coverage}never met: {:?}", coverage.missing());
    assert_meets(&coverage, 90);
    for situation in Situation::ALL {
        assert!(coverage.times(situation) >= 5, "{situation:?} is too rare\n{coverage}");
    }
}

#[test]
fn a_single_seed_meets_most_of_them() {
    assert_meets(&run_seeds(1_000..1_001, Model::new), 60);
}
