//! The rules of single-phase and pending transfers, in their order, and what burns an id.

use super::*;
use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::{AccountFlags, TransferFlags as Flags};

type Edit = fn(&mut Transfer);

#[test]
fn each_rule_about_fields_refuses_alone_and_burns_nothing() {
    let rows: &[(Status, Edit)] = &[
        (TimestampMustBeZero, |t| t.timestamp = 1),
        (ReservedFlag, |t| t.flags |= 1 << 9),
        (IdMustNotBeZero, |t| t.id = 0),
        (IdMustNotBeIntMax, |t| t.id = u128::MAX),
        (DebitAccountIdMustNotBeZero, |t| t.debit_account_id = 0),
        (DebitAccountIdMustNotBeIntMax, |t| t.debit_account_id = u128::MAX),
        (CreditAccountIdMustNotBeZero, |t| t.credit_account_id = 0),
        (CreditAccountIdMustNotBeIntMax, |t| t.credit_account_id = u128::MAX),
        (AccountsMustBeDifferent, |t| t.credit_account_id = t.debit_account_id),
        (PendingIdMustBeZero, |t| t.pending_id = 5),
        (TimeoutReservedForPendingTransfer, |t| t.timeout = 1),
        (ClosingTransferMustBePending, |t| t.flags |= Flags::CLOSING_CREDIT),
        (ClosingTransferMustBePending, |t| t.flags |= Flags::CLOSING_DEBIT),
        (LedgerMustNotBeZero, |t| t.ledger = 0),
        (CodeMustNotBeZero, |t| t.code = 0),
        (TransferMustHaveTheSameLedgerAsAccounts, |t| t.ledger += 1),
    ];
    for (expected, edit) in rows {
        let mut model = model_with_ids(&[1, 2]);
        let mut spoilt = transfer(9, 1, 2, 10);
        edit(&mut spoilt);
        assert_eq!(model.send(spoilt), *expected);
        assert_eq!(model.send(transfer(9, 1, 2, 10)), Created, "after {expected}");
    }
}

#[test]
fn of_two_rules_about_fields_the_earlier_wins() {
    // Rules that can apply together, in order.
    let rows: &[(Status, Edit)] = &[
        (TimestampMustBeZero, |t| t.timestamp = 1),
        (ReservedFlag, |t| t.flags |= 1 << 9),
        (IdMustNotBeZero, |t| t.id = 0),
        (DebitAccountIdMustNotBeZero, |t| t.debit_account_id = 0),
        (CreditAccountIdMustNotBeIntMax, |t| t.credit_account_id = u128::MAX),
        (PendingIdMustBeZero, |t| t.pending_id = 5),
        (TimeoutReservedForPendingTransfer, |t| t.timeout = 1),
        (ClosingTransferMustBePending, |t| t.flags |= Flags::CLOSING_CREDIT),
        (LedgerMustNotBeZero, |t| t.ledger = 0),
        (CodeMustNotBeZero, |t| t.code = 0),
    ];
    for (index, (expected, _)) in rows.iter().enumerate() {
        let mut spoilt = transfer(9, 1, 2, 10);
        rows[index..].iter().rev().for_each(|(_, edit)| edit(&mut spoilt));
        assert_eq!(model_with_ids(&[1, 2]).send(spoilt), *expected);
    }
    let same_zero = Transfer { pending_id: 5, ..transfer(9, 3, 3, 10) };
    assert_eq!(model_with_ids(&[1, 2]).send(same_zero), AccountsMustBeDifferent);
}

#[test]
fn refusals_that_depend_on_the_state_burn_the_id() {
    let limited = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    let mirrored = AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS;
    let accounts = [
        account(1),
        account(2),
        Account { flags: limited, ..account(3) },
        Account { flags: mirrored, ..account(4) },
        Account { flags: AccountFlags::CLOSED, ..account(5) },
    ];
    let rows = [
        (DebitAccountNotFound, transfer(9, 77, 2, 1)),
        (DebitAccountNotFound, transfer(9, 77, 78, 1)),
        (CreditAccountNotFound, transfer(9, 1, 77, 1)),
        (DebitAccountAlreadyClosed, transfer(9, 5, 1, 1)),
        (CreditAccountAlreadyClosed, transfer(9, 1, 5, 1)),
        (ExceedsCredits, transfer(9, 3, 1, 1)),
        (ExceedsCredits, pending(9, 3, 4, 1)),
        (ExceedsDebits, transfer(9, 1, 4, 1)),
        (PendingTransferNotFound, post(9, 77, 1)),
        (PendingTransferNotFound, void(9, 77)),
    ];
    for (expected, event) in rows {
        let mut model = model_with(&accounts);
        assert_eq!(model.send(event), expected);
        assert_eq!(model.send(transfer(9, 1, 2, 1)), IdAlreadyFailed, "after {expected}");
        assert_eq!(model.transfers().count(), 0);
    }
}

#[test]
fn a_burn_counts_at_once_inside_the_same_batch() {
    let mut model = model_with_ids(&[1, 2]);
    let batch = [
        transfer(9, 1, 77, 1),
        transfer(9, 1, 2, 1),
        Transfer { code: 0, ..transfer(8, 1, 2, 1) },
        transfer(8, 1, 2, 1),
    ];
    assert_eq!(
        model.transfers_at_once(&batch),
        [CreditAccountNotFound, IdAlreadyFailed, CodeMustNotBeZero, Created]
    );
}

#[test]
fn ledgers_of_accounts_are_compared_before_that_of_the_transfer() {
    let mut model = model_with(&[account(1), Account { ledger: 5, ..account(2) }]);
    let event = Transfer { ledger: 6, ..transfer(9, 1, 2, 1) };
    assert_eq!(model.send(event), AccountsMustHaveTheSameLedger);
}

#[test]
fn counters_overflow_in_their_order() {
    let half = 1 << 127;
    let cases: &[(&[Transfer], Transfer, Status)] = &[
        (&[pending(1, 1, 2, half)], pending(9, 1, 3, half), OverflowsDebitsPending),
        (&[pending(1, 1, 2, half)], pending(9, 3, 2, half), OverflowsCreditsPending),
        (&[transfer(1, 1, 2, half)], pending(9, 1, 3, half), OverflowsDebitsPosted),
        (&[transfer(1, 1, 2, half)], transfer(9, 1, 3, half), OverflowsDebitsPosted),
        (&[transfer(1, 1, 2, half)], transfer(9, 3, 2, half), OverflowsCreditsPosted),
        (&[pending(1, 1, 2, half)], transfer(9, 1, 3, half), OverflowsDebits),
        (&[pending(1, 1, 2, half)], transfer(9, 3, 2, half), OverflowsCredits),
        (&[transfer(1, 1, 2, half)], transfer(9, 1, 2, half - 1), Created),
    ];
    for (before, event, expected) in cases {
        let mut model = model_with_ids(&[1, 2, 3]);
        model.transfers_at_once(before);
        assert_eq!(model.send(*event), *expected);
    }
}

#[test]
fn a_timeout_must_end_inside_the_range_of_timestamps() {
    let late = (1 << 63) - 1 - 2_000_000_000;
    let mut model = model_with_ids(&[1, 2]);
    let hold = |id, timeout| Transfer { timeout, ..pending(id, 1, 2, 1) };
    let results = model.create_transfers(&[hold(8, 2), hold(9, 1)], Timestamp(late - 1));
    assert_eq!(results[0].status, Created.code(), "expires at the last moment");
    assert_eq!(results[1].status, Created.code());
    let results = model.create_transfers(&[hold(7, 2)], Timestamp(late));
    assert_eq!(results[0].status, OverflowsTimeout.code());
}

#[test]
fn pending_credits_are_not_funds_and_limits_count_pending_debits() {
    let flags = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    let mut model = model_with(&[Account { flags, ..account(1) }, account(2)]);
    assert_eq!(model.send(pending(10, 2, 1, 50)), Created);
    assert_eq!(model.send(transfer(11, 1, 2, 1)), ExceedsCredits);
    assert_eq!(model.send(transfer(12, 2, 1, 100)), Created);
    assert_eq!(model.send(pending(13, 1, 2, 60)), Created);
    assert_eq!(model.send(transfer(14, 1, 2, 41)), ExceedsCredits);
    assert_eq!(model.send(transfer(15, 1, 2, 40)), Created);
    assert_eq!(model.send(transfer(16, 1, 2, 0)), Created, "nothing is always affordable");
    assert_eq!(model.counters(1), [60, 40, 50, 100]);
}

#[test]
fn balancing_cuts_the_amount_to_what_is_free() {
    let mut model = model_with_ids(&[1, 2, 3]);
    model.transfers_at_once(&[transfer(1, 3, 1, 100), pending(2, 1, 3, 30), transfer(3, 2, 3, 20)]);
    let debit =
        |id, amount| Transfer { flags: Flags::BALANCING_DEBIT, ..transfer(id, 1, 2, amount) };
    let both = Flags::BALANCING_DEBIT | Flags::BALANCING_CREDIT;

    assert_eq!(model.send(Transfer { flags: both, ..transfer(4, 1, 2, 50) }), Created);
    assert_eq!(model.lookup_transfers(&[4])[0].amount, 20, "account 2 takes no more than 20");
    assert_eq!(
        model.send(Transfer { flags: both | Flags::PENDING, ..transfer(5, 1, 2, 50) }),
        Created
    );
    assert_eq!(model.lookup_transfers(&[5])[0].amount, 0);
    assert_eq!(model.send(debit(6, 10)), Created);
    assert_eq!(model.lookup_transfers(&[6])[0].amount, 10);
    assert_eq!(model.send(debit(7, u128::MAX)), Created);
    assert_eq!(model.lookup_transfers(&[7])[0].amount, 40, "100 in, 30 held, 30 spent");
    assert_eq!(model.send(debit(8, u128::MAX)), Created);
    assert_eq!(model.lookup_transfers(&[8])[0].amount, 0, "a result of 0 is still a transfer");
}

#[test]
fn closing_closes_until_the_hold_is_voided() {
    let mut model = model_with_ids(&[1, 2]);
    let closing =
        Transfer { flags: Flags::PENDING | Flags::CLOSING_DEBIT, ..transfer(10, 1, 2, 5) };
    assert_eq!(model.transfers_at_once(&[pending(9, 1, 2, 1), closing]), [Created, Created]);
    assert_eq!(model.send(transfer(11, 1, 2, 1)), DebitAccountAlreadyClosed);
    assert_eq!(model.send(transfer(12, 2, 1, 1)), CreditAccountAlreadyClosed);
    assert_eq!(model.send(post(13, 9, 1)), DebitAccountAlreadyClosed);
    assert_eq!(model.send(void(14, 9)), Created, "a closed account gives its holds back");
    assert_eq!(model.send(post(15, 10, 5)), DebitAccountAlreadyClosed);
    assert_eq!(model.send(void(16, 10)), Created);
    assert_eq!(model.send(transfer(17, 1, 2, 1)), Created);
    assert_eq!(model.counters(1), [0, 1, 0, 0]);
}

#[test]
fn an_account_created_closed_cannot_be_closed_again() {
    let mut model =
        model_with(&[Account { flags: AccountFlags::CLOSED, ..account(1) }, account(2)]);
    let closing =
        Transfer { flags: Flags::PENDING | Flags::CLOSING_CREDIT, ..transfer(10, 2, 1, 0) };
    assert_eq!(model.send(closing), CreditAccountAlreadyClosed);
    assert!(model.account(1).has(AccountFlags::CLOSED));
}
