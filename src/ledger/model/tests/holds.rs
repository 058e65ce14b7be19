//! Posts, voids and expiry.

use super::*;
use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::{AccountFlags, PendingStatus, TransferFlags as Flags};

type Edit = fn(&mut Transfer);

const SECOND: u64 = 1_000_000_000;

/// Accounts 1, 2 and 3, and a hold 10 of 100 from 1 to 2.
fn model_with_hold() -> Model {
    let mut model = model_with_ids(&[1, 2, 3]);
    let hold = Transfer {
        user_data_128: 128,
        user_data_64: 64,
        user_data_32: 32,
        code: 7,
        ..pending(10, 1, 2, 100)
    };
    assert_eq!(model.transfers_at_once(&[hold, transfer(11, 1, 2, 1)]), [Created, Created]);
    model
}

#[test]
fn each_rule_of_posts_and_voids_wins_over_the_later_ones() {
    let rows: &[(Status, Edit)] = &[
        (FlagsAreMutuallyExclusive, |t| t.flags |= Flags::PENDING),
        (TimeoutReservedForPendingTransfer, |t| t.timeout = 1),
        (PendingTransferHasDifferentDebitAccountId, |t| t.debit_account_id = 2),
        (PendingTransferHasDifferentCreditAccountId, |t| t.credit_account_id = 1),
        (PendingTransferHasDifferentLedger, |t| t.ledger = 1),
        (PendingTransferHasDifferentCode, |t| t.code = 8),
        (ExceedsPendingTransferAmount, |t| t.amount = 101),
    ];
    for sound in [post(20, 10, 100), void(20, 10)] {
        for (index, (expected, edit)) in rows.iter().enumerate() {
            let mut alone = sound;
            edit(&mut alone);
            let mut with_later = sound;
            rows[index..].iter().rev().for_each(|(_, edit)| edit(&mut with_later));
            let mut model = model_with_hold();
            assert_eq!(model.transfers_at_once(&[alone, with_later]), [*expected; 2]);
            assert_eq!(model.send(sound), Created, "{expected} burns nothing");
        }
    }
}

#[test]
fn post_excludes_void_pending_balancing_and_closing() {
    let others = [
        Flags::VOID_PENDING_TRANSFER,
        Flags::PENDING,
        Flags::BALANCING_DEBIT,
        Flags::BALANCING_CREDIT,
        Flags::CLOSING_DEBIT,
        Flags::CLOSING_CREDIT,
    ];
    for other in others {
        let event = Transfer { flags: Flags::POST_PENDING_TRANSFER | other, ..post(20, 10, 1) };
        assert_eq!(model_with_hold().send(event), FlagsAreMutuallyExclusive);
    }
}

#[test]
fn the_hold_must_be_named_and_be_a_hold() {
    let rows = [
        (post(20, 0, 1), PendingIdMustNotBeZero),
        (post(20, u128::MAX, 1), PendingIdMustNotBeIntMax),
        (post(20, 20, 1), PendingIdMustBeDifferent),
        (void(20, 11), PendingTransferNotPending),
        (void(20, 12), PendingTransferNotFound),
    ];
    for (event, expected) in rows {
        assert_eq!(model_with_hold().send(event), expected);
    }
    let different = Transfer { amount: 99, ..void(20, 10) };
    assert_eq!(model_with_hold().send(different), PendingTransferHasDifferentAmount);
    let most = Transfer { amount: u128::MAX, ..void(20, 10) };
    assert_eq!(model_with_hold().send(most), ExceedsPendingTransferAmount);
}

#[test]
fn posting_books_the_amount_and_releases_the_rest() {
    for (amount, posted) in [(u128::MAX, 100), (100, 100), (30, 30), (0, 0)] {
        let mut model = model_with_hold();
        assert_eq!(model.send(post(20, 10, amount)), Created);
        assert_eq!(model.counters(1), [0, posted + 1, 0, 0]);
        assert_eq!(model.counters(2), [0, 0, 0, posted + 1]);
        assert_eq!(model.lookup_transfers(&[20])[0].amount, posted);
        assert_eq!(model.send(post(21, 10, 1)), PendingTransferAlreadyPosted);
        assert_eq!(model.send(void(22, 10)), PendingTransferAlreadyPosted);
    }
}

#[test]
fn voiding_releases_once() {
    for amount in [0, 100] {
        let mut model = model_with_hold();
        assert_eq!(model.send(Transfer { amount, ..void(20, 10) }), Created);
        assert_eq!(model.counters(1), [0, 1, 0, 0]);
        assert_eq!(model.lookup_transfers(&[20])[0].amount, 100);
        assert_eq!(model.send(void(21, 10)), PendingTransferAlreadyVoided);
        assert_eq!(model.send(post(22, 10, 1)), PendingTransferAlreadyVoided);
    }
}

#[test]
fn the_stored_record_inherits_zeros_and_keeps_overrides() {
    let mut model = model_with_hold();
    assert_eq!(model.send(Transfer { user_data_64: 5, ..post(20, 10, 100) }), Created);
    let stored = model.lookup_transfers(&[20])[0];
    let expected = Transfer {
        id: 20,
        pending_id: 10,
        user_data_64: 5,
        flags: Flags::POST_PENDING_TRANSFER,
        timestamp: stored.timestamp,
        ..model.lookup_transfers(&[10])[0]
    };
    assert_eq!(stored, expected);
}

#[test]
fn a_hold_expires_by_timestamp_before_and_after_the_release() {
    let mut model = model_with_ids(&[1, 2]);
    let hold = |id| Transfer { timeout: 1, ..pending(id, 1, 2, 100) };
    let created = model.create_transfers(&[hold(10), hold(11)], Timestamp(CLOCK));
    let expiry = created[1].timestamp + SECOND;
    assert_eq!(model.next_expiry(), Some(Timestamp(expiry - 1)));

    // The slot after this clock is the last moment of hold 11, and the one after that its expiry.
    let events = [void(20, 10), post(21, 11, 100)];
    let results = model.create_transfers(&events[..1], Timestamp(expiry - 2));
    assert_eq!(results[0].status, PendingTransferExpired.code());
    assert_eq!(model.pending_status(10), Some(PendingStatus::Pending), "the release is an op");
    let results = model.create_transfers(&events, Timestamp(expiry - 2));
    assert_eq!(results[1].status, PendingTransferExpired.code());

    assert_eq!(model.expire(Timestamp(expiry)), [10, 11]);
    assert_eq!(model.next_expiry(), None);
    assert_eq!(model.counters(1), [0; 4]);
    assert_eq!(model.pending_status(11), Some(PendingStatus::Expired));
    assert_eq!(model.transfers_at_once(&events), [PendingTransferExpired; 2]);
    assert_eq!(model.send(transfer(20, 1, 2, 1)), Created, "expired burns nothing");
}

#[test]
fn the_last_moment_before_expiry_is_open() {
    let mut model = model_with_ids(&[1, 2]);
    let hold = Transfer { timeout: 1, ..pending(10, 1, 2, 100) };
    let expiry = model.create_transfers(&[hold], Timestamp(CLOCK))[0].timestamp + SECOND;
    let results = model.create_transfers(&[post(20, 10, 100)], Timestamp(expiry - 2));
    assert_eq!((results[0].status, results[0].timestamp), (Created.code(), expiry - 1));
}

#[test]
fn releases_are_ordered_by_expiry_and_then_by_age_and_reopen_accounts() {
    let mut model = model_with_ids(&[1, 2, 3, 4]);
    let hold = |id, timeout| Transfer { timeout, ..pending(id, 1, 2, 1) };
    let flags = Flags::PENDING | Flags::CLOSING_CREDIT;
    let closing = Transfer { timeout: 2, flags, ..transfer(7, 3, 4, 0) };
    model.transfers_at_once(&[hold(9, 3), hold(8, 2), closing, hold(6, 1), hold(5, 0)]);
    assert!(model.account(4).has(AccountFlags::CLOSED));
    let last = model.last_timestamp();

    assert_eq!(model.expire(last), [0; 0]);
    assert_eq!(model.expire(Timestamp(last.0 + 4 * SECOND)), [6, 8, 7, 9]);
    assert_eq!(model.last_timestamp(), Timestamp(last.0 + 4 * SECOND));
    assert!(!model.account(4).has(AccountFlags::CLOSED));
    assert_eq!(model.counters(1), [1, 0, 0, 0], "the hold without a timeout stays");
    model.assert_balanced();
}

#[test]
fn a_post_is_not_checked_against_limits_again() {
    let flags = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    let mut model = model_with(&[Account { flags, ..account(1) }, account(2)]);
    let batch = [transfer(10, 2, 1, 100), pending(11, 1, 2, 100), post(12, 11, u128::MAX)];
    assert_eq!(model.transfers_at_once(&batch), [Created; 3]);
    assert_eq!(model.counters(1), [0, 100, 0, 100]);
}
