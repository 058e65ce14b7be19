//! The rules of a single-phase or pending transfer that need no more than the event and its rows.

use super::rows::DenseRow;
use crate::ledger::{AccountFlags, CreateTransferStatus as Status, Transfer, TransferFlags};
use crate::limits::TIMESTAMP_MAX;

/// The account flag that the transfer sets on that side.
pub(super) const fn closing(event: &Transfer, side: u16) -> u16 {
    if event.has(side) { AccountFlags::CLOSED } else { 0 }
}

pub(super) fn check_fields(event: &Transfer) -> Result<(), Status> {
    if event.debit_account_id == 0 {
        return Err(Status::DebitAccountIdMustNotBeZero);
    }
    if event.debit_account_id == u128::MAX {
        return Err(Status::DebitAccountIdMustNotBeIntMax);
    }
    if event.credit_account_id == 0 {
        return Err(Status::CreditAccountIdMustNotBeZero);
    }
    if event.credit_account_id == u128::MAX {
        return Err(Status::CreditAccountIdMustNotBeIntMax);
    }
    if event.debit_account_id == event.credit_account_id {
        return Err(Status::AccountsMustBeDifferent);
    }
    if event.pending_id != 0 {
        return Err(Status::PendingIdMustBeZero);
    }
    if !event.has(TransferFlags::PENDING) {
        if event.timeout != 0 {
            return Err(Status::TimeoutReservedForPendingTransfer);
        }
        if event.has_any(TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT) {
            return Err(Status::ClosingTransferMustBePending);
        }
    }
    if event.ledger == 0 {
        return Err(Status::LedgerMustNotBeZero);
    }
    if event.code == 0 {
        return Err(Status::CodeMustNotBeZero);
    }
    Ok(())
}

/// The amount after balancing: what the debit account can give and the credit account can take.
pub(super) fn effective_amount(event: &Transfer, debit: &DenseRow, credit: &DenseRow) -> u128 {
    let mut amount = event.amount;
    if event.has(TransferFlags::BALANCING_DEBIT) {
        let debits = debit.debits_posted + debit.debits_pending;
        amount = amount.min(debit.credits_posted.saturating_sub(debits));
    }
    if event.has(TransferFlags::BALANCING_CREDIT) {
        let credits = credit.credits_posted + credit.credits_pending;
        amount = amount.min(credit.debits_posted.saturating_sub(credits));
    }
    amount
}

pub(super) fn check_counters(
    event: &Transfer,
    debit: &DenseRow,
    credit: &DenseRow,
    amount: u128,
    timestamp: u64,
) -> Result<(), Status> {
    let overflows = |counter: u128| counter.checked_add(amount).is_none();
    if event.has(TransferFlags::PENDING) {
        if overflows(debit.debits_pending) {
            return Err(Status::OverflowsDebitsPending);
        }
        if overflows(credit.credits_pending) {
            return Err(Status::OverflowsCreditsPending);
        }
    }
    if overflows(debit.debits_posted) {
        return Err(Status::OverflowsDebitsPosted);
    }
    if overflows(credit.credits_posted) {
        return Err(Status::OverflowsCreditsPosted);
    }
    if overflows(debit.debits_pending + debit.debits_posted) {
        return Err(Status::OverflowsDebits);
    }
    if overflows(credit.credits_pending + credit.credits_posted) {
        return Err(Status::OverflowsCredits);
    }
    if event.timeout != 0 && expires_at(timestamp, event.timeout) > TIMESTAMP_MAX {
        return Err(Status::OverflowsTimeout);
    }
    if debit.debits_exceed_credits(amount) {
        return Err(Status::ExceedsCredits);
    }
    if credit.credits_exceed_debits(amount) {
        return Err(Status::ExceedsDebits);
    }
    Ok(())
}

/// When a hold with that timeout in seconds ends. Can't overflow: 2^63 + 2^32 · 10^9 < 2^64.
pub(super) const fn expires_at(timestamp: u64, timeout: u32) -> u64 {
    timestamp + timeout as u64 * 1_000_000_000
}
