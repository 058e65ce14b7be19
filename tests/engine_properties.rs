//! The engine under random load: it answers like the reference model, whatever the number of its
//! partitions, and its log leads every number of partitions to the same state.

use partita::sim::compare::{RunOptions, run};
use partita::sim::coverage::Coverage;
use partita::sim::harness::Harness;

const SEEDS: u64 = 24;

fn seeds_agree(partitions: usize) {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        let mut harness = Harness::new(partitions);
        match run(seed, &RunOptions::default(), &mut harness) {
            Ok(of_seed) => coverage.add(&of_seed),
            Err(mismatch) => panic!("{partitions} partitions, {mismatch}"),
        }
    }
    assert!(coverage.failed_percent() >= 30, "{coverage}");
    assert!(coverage.distinct() >= 50, "{coverage}");
}

#[test]
fn one_partition_answers_like_the_model() {
    seeds_agree(1);
}

#[test]
fn two_partitions_answer_like_the_model() {
    seeds_agree(2);
}

#[test]
fn three_partitions_answer_like_the_model() {
    seeds_agree(3);
}

#[test]
fn eight_partitions_answer_like_the_model() {
    seeds_agree(8);
}

#[test]
fn the_same_log_leads_every_number_of_partitions_to_the_same_state() {
    for seed in 100..108 {
        let mut first = Harness::new(1);
        if let Err(mismatch) = run(seed, &RunOptions::default(), &mut first) {
            panic!("{mismatch}");
        }
        assert!(first.log().len() > 50, "the run has written a log");
        for partitions in [1, 2, 3, 8] {
            match Harness::replay(first.log(), partitions) {
                Ok(again) => assert_eq!(again.digest(), first.digest(), "{partitions} partitions"),
                Err(error) => panic!("seed {seed}, {partitions} partitions: {error}"),
            }
        }
    }
}
