//! Events that bring their own timestamp.

use super::*;
use crate::ledger::CreateAccountStatus as A;
use crate::ledger::CreateTransferStatus::*;
use crate::ledger::{AccountFlags, TransferFlags as Flags};

fn old_account(id: u128, timestamp: u64) -> Account {
    Account { flags: AccountFlags::IMPORTED, timestamp, ..account(id) }
}

/// Accounts 1 and 2 of the moments 10 and 20.
fn old_model() -> Model {
    model_with(&[old_account(1, 10), old_account(2, 20)])
}

#[test]
fn the_first_event_decides_for_the_batch() {
    let mut model = old_model();
    let batch = [imported(transfer(10, 1, 2, 1), 30), transfer(11, 1, 2, 1)];
    assert_eq!(model.transfers_at_once(&batch), [Created, ImportedEventExpected]);
    let batch = [transfer(11, 1, 2, 1), imported(transfer(12, 1, 2, 1), 31)];
    assert_eq!(model.transfers_at_once(&batch), [Created, ImportedEventNotExpected]);
    let batch = [old_account(3, 40), account(4)];
    assert_eq!(model.accounts_at_once(&batch)[1], A::ImportedEventExpected);
    let batch = [account(4), old_account(5, 40)];
    assert_eq!(model.accounts_at_once(&batch), [A::Created, A::ImportedEventNotExpected]);
}

#[test]
fn the_range_comes_before_everything_but_the_chain() {
    let mut model = old_model();
    let last = model.last_timestamp().0;
    let rows = [
        (0, ImportedEventTimestampOutOfRange),
        (1 << 63, ImportedEventTimestampOutOfRange),
        (u64::MAX, ImportedEventTimestampOutOfRange),
        ((1 << 63) - 1, ImportedEventTimestampMustNotAdvance),
        (last + 1, ImportedEventTimestampMustNotAdvance),
        (last, IdMustNotBeZero),
    ];
    for (timestamp, expected) in rows {
        let mut model = model.clone();
        assert_eq!(model.send(imported(transfer(0, 1, 2, 1), timestamp)), expected);
    }
    assert_eq!(model.send(imported(transfer(10, 1, 2, 1), 30)), Created);
    let rows = [
        (0, ImportedEventTimestampOutOfRange),
        (1 << 62, ImportedEventTimestampMustNotAdvance),
        (30, Exists),
        (7, Exists),
    ];
    for (timestamp, expected) in rows {
        assert_eq!(model.send(imported(transfer(10, 1, 2, 1), timestamp)), expected);
    }
}

#[test]
fn the_batch_reaches_to_its_last_slot() {
    let mut model = old_model();
    let last = model.last_timestamp().0;
    let batch = [
        imported(transfer(10, 1, 2, 1), last + 2),
        imported(transfer(11, 1, 2, 1), last + 3),
        imported(transfer(0, 1, 2, 1), 5),
    ];
    let results = model.create_transfers(&batch, Timestamp(1));
    assert_eq!((results[0].status, results[0].timestamp), (Created.code(), last + 2));
    assert_eq!(results[1].status, ImportedEventTimestampMustNotAdvance.code());
    assert_eq!((results[1].timestamp, results[2].timestamp), (last + 2, last + 3));
    assert_eq!(model.last_timestamp(), Timestamp(last + 3));
}

#[test]
fn imported_records_go_forward_and_meet_no_record_of_the_other_kind() {
    let mut model = old_model();
    let batch = [
        imported(transfer(10, 1, 2, 1), 30),
        imported(transfer(11, 1, 2, 1), 30),
        imported(transfer(12, 1, 2, 1), 29),
        imported(transfer(13, 1, 2, 1), 31),
    ];
    let regress = ImportedEventTimestampMustNotRegress;
    assert_eq!(model.transfers_at_once(&batch), [Created, regress, regress, Created]);
    let batch = [old_account(3, 20), old_account(4, 31), old_account(5, 32)];
    let regress = A::ImportedEventTimestampMustNotRegress;
    assert_eq!(model.accounts_at_once(&batch), [regress, regress, A::Created]);
    let batch = [imported(transfer(14, 1, 2, 1), 32), imported(transfer(15, 1, 2, 1), 33)];
    assert_eq!(model.transfers_at_once(&batch), [ImportedEventTimestampMustNotRegress, Created]);
}

#[test]
fn ordinary_records_count_as_the_newest_too() {
    let mut model = old_model();
    assert_eq!(model.send(transfer(10, 1, 2, 1)), Created);
    let past = imported(transfer(11, 1, 2, 1), 50);
    assert_eq!(model.send(past), ImportedEventTimestampMustNotRegress);
}

#[test]
fn a_transfer_is_later_than_both_accounts_and_has_no_timeout() {
    let mut model = model_with(&[old_account(1, 10), old_account(2, 20), old_account(3, 30)]);
    let hold = |id, debit, credit, timestamp| {
        let hold = Transfer { timeout: 1, ..pending(id, debit, credit, 1) };
        imported(hold, timestamp)
    };
    let batch = [hold(10, 2, 3, 19), hold(11, 3, 2, 25), hold(12, 2, 3, 25), hold(13, 1, 2, 25)];
    assert_eq!(
        model.transfers_at_once(&batch),
        [
            ImportedEventTimestampMustPostdateDebitAccount,
            ImportedEventTimestampMustPostdateDebitAccount,
            ImportedEventTimestampMustPostdateCreditAccount,
            ImportedEventTimeoutMustBeZero,
        ]
    );
}

#[test]
fn a_failed_chain_gives_its_timestamps_back() {
    let mut model = old_model();
    let batch = [
        imported(linked(transfer(10, 1, 2, 1)), 90),
        imported(transfer(0, 1, 2, 1), 91),
        imported(transfer(11, 1, 2, 1), 40),
    ];
    assert_eq!(model.transfers_at_once(&batch), [LinkedEventFailed, IdMustNotBeZero, Created]);
    let linked_account = Account { flags: AccountFlags::LINKED, ..old_account(3, 90) };
    let linked_account =
        Account { flags: linked_account.flags | AccountFlags::IMPORTED, ..linked_account };
    let batch = [linked_account, old_account(0, 91), old_account(4, 41)];
    assert_eq!(
        model.accounts_at_once(&batch),
        [A::LinkedEventFailed, A::IdMustNotBeZero, A::Created]
    );
}

#[test]
fn an_imported_settlement_of_a_hold_with_a_timeout_is_ordinary() {
    let mut model = old_model();
    let hold = Transfer { timeout: 1, ..pending(10, 1, 2, 5) };
    let held_at = model.create_transfers(&[hold], Timestamp(CLOCK))[0].timestamp;
    let late = Timestamp(CLOCK + 5_000_000_000);
    let expiry = held_at + 1_000_000_000;

    let too_late = imported(post(11, 10, 5), expiry);
    assert_eq!(model.create_transfers(&[too_late], late)[0].status, PendingTransferExpired.code());
    let too_early = imported(post(11, 10, 5), held_at);
    assert_eq!(
        model.create_transfers(&[too_early], late)[0].status,
        ImportedEventTimestampMustNotRegress.code()
    );
    let in_time = imported(post(11, 10, 5), expiry - 1);
    let result = model.create_transfers(&[in_time], late)[0];
    assert_eq!((result.status, result.timestamp), (Created.code(), expiry - 1));
    assert_eq!(model.counters(1), [0, 5, 0, 0]);
    assert!(model.lookup_transfers(&[11])[0].has(Flags::IMPORTED));
}
