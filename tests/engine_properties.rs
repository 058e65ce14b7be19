//! The engine under random load: it answers like the reference model, whatever the number of its
//! partitions, and its log leads every number of partitions to the same state.

use partita::engine::Permit;
use partita::ledger::{
    Account, Capacity, Command, CommandStatus, CreateTransferStatus, Timestamp, Transfer,
    TransferFlags,
};
use partita::sim::compare::{RunOptions, Subject, run};
use partita::sim::coverage::Coverage;
use partita::sim::harness::Harness;
use partita::wire::{Reply, Request};

const SEEDS: u64 = 24;

fn seeds_agree(partitions: usize) {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        let mut harness = Harness::new(partitions);
        match run(seed, &RunOptions::default(), &mut harness) {
            Ok(of_seed) => coverage.add(&of_seed),
            Err(mismatch) => panic!("{partitions} partitions, {mismatch}"),
        }
        assert!(harness.grown() > 10, "tables grow beside the engine");
        assert!(harness.loaded() > 10, "requests wait for old records");
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
                Ok(mut again) => {
                    assert_eq!(again.digest(), first.digest(), "{partitions} partitions")
                }
                Err(error) => panic!("seed {seed}, {partitions} partitions: {error}"),
            }
        }
    }
}

/// Found by the simulator: only the first request of a batch was asked whether it is imported.
#[test]
fn an_imported_request_is_checked_against_accounts_wherever_it_stands_in_its_batch() {
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    let plain = |id| Transfer {
        id,
        debit_account_id: 1,
        credit_account_id: 2,
        ledger: 1,
        code: 1,
        ..Transfer::default()
    };
    for partitions in [1, 3] {
        let mut harness = Harness::new(partitions);
        let accounts = vec![account(1), account(2), account(3)];
        let clock = Timestamp(1_000);
        let created = harness.ask(vec![Request::CreateAccounts(accounts)], clock, Permit::All);
        let Reply::CreateResults(created) = &created[0] else { panic!("{created:?}") };
        let taken = created[2].timestamp;
        let imported = Transfer { flags: TransferFlags::IMPORTED, timestamp: taken, ..plain(11) };
        // The first request of the batch is refused, so that no transfer is newer.
        let refused = Transfer { code: 0, ..plain(10) };
        let requests =
            [refused, imported].map(|event| Request::CreateTransfers(vec![event])).to_vec();
        let replies = harness.ask(requests, Timestamp(5_000), Permit::All);
        let Reply::CreateResults(results) = &replies[1] else { panic!("{replies:?}") };
        let status = CreateTransferStatus::ImportedEventTimestampMustNotRegress;
        assert_eq!(results[0].status, status.code());
    }
}

/// A capacity that was raised is there after a restart, and the accounts for which it made room are, too.
#[test]
fn a_raised_capacity_makes_room_and_survives_a_restart() {
    let raise = |accounts_max| Request::Command {
        command: Command::RaiseCapacity(Capacity { accounts_max, holds_max: 0 }),
        reason: "more customers".to_owned(),
    };
    let clock = Timestamp(1_000);
    let mut harness = Harness::new(2);
    let before = harness.digest();
    let most = harness.capacity().accounts_max;
    let Reply::Command(refused) = harness.ask(vec![raise(most - 1)], clock, Permit::All).remove(0)
    else {
        panic!("a command has a result")
    };
    assert_eq!(refused.status, CommandStatus::AccountsMaxMustNotShrink.code());
    assert_eq!(harness.digest(), before, "what is refused changes nothing");
    let asked = vec![raise(most + 7), raise(most + 8)];
    let replies = harness.ask(asked, clock, Permit::All);
    for (reply, more) in replies.iter().zip([7, 8]) {
        let Reply::Command(done) = reply else { panic!("{reply:?}") };
        assert_eq!(done.status, CommandStatus::Done.code());
        assert_eq!(done.capacity().accounts_max, most + more);
    }
    assert_ne!(harness.digest(), before);
    let mut again = match Harness::replay(harness.log(), 3) {
        Ok(again) => again,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(again.capacity().accounts_max, most + 8);
    assert_eq!(again.digest(), harness.digest());
}
