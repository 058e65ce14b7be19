//! The life of a hold: opened by a pending transfer; ended by a post, a void or its expiry.

use super::Model;
use super::transfers::expiry;
use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::{AccountFlags, PendingStatus, Timestamp, Transfer, TransferFlags};
use crate::limits::EXPIRIES_PER_BATCH_MAX;

/// What became of a pending transfer. The reserved amount is the transfer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) status: PendingStatus,
    /// Never, if there is none.
    pub(super) expiry: Option<u64>,
}

impl Model {
    pub(super) fn open_hold(&mut self, transfer: &Transfer) {
        let hold = Hold { status: PendingStatus::Pending, expiry: expiry(transfer) };
        self.holds.put(transfer.id, hold);
    }

    /// The rules of posts and voids, in order.
    pub(super) fn judge_settlement(&self, transfer: &Transfer) -> Result<Transfer, Status> {
        judge_fields(transfer)?;
        let pending = self.transfers.get(&transfer.pending_id).ok_or(PendingTransferNotFound)?;
        judge_agreement(transfer, pending)?;
        let stored = self.inherit(transfer, pending);
        if stored.amount > pending.amount {
            return Err(ExceedsPendingTransferAmount);
        }
        if transfer.has(TransferFlags::VOID_PENDING_TRANSFER) && stored.amount != pending.amount {
            return Err(PendingTransferHasDifferentAmount);
        }
        let hold = self.holds.rows()[&pending.id];
        match hold.status {
            PendingStatus::Pending => {}
            PendingStatus::Posted => return Err(PendingTransferAlreadyPosted),
            PendingStatus::Voided => return Err(PendingTransferAlreadyVoided),
            PendingStatus::Expired => return Err(PendingTransferExpired),
        }
        // The log's time decides, not whether the release has been ordered yet.
        if hold.expiry.is_some_and(|expiry| transfer.timestamp >= expiry) {
            return Err(PendingTransferExpired);
        }
        if transfer.has(TransferFlags::IMPORTED)
            && self.transfer_timestamp_regresses(transfer.timestamp)
        {
            return Err(ImportedEventTimestampMustNotRegress);
        }
        if transfer.has(TransferFlags::POST_PENDING_TRANSFER) {
            if self.account(pending.debit_account_id).has(AccountFlags::CLOSED) {
                return Err(DebitAccountAlreadyClosed);
            }
            if self.account(pending.credit_account_id).has(AccountFlags::CLOSED) {
                return Err(CreditAccountAlreadyClosed);
            }
        }
        Ok(stored)
    }

    /// The post or void with everything that it leaves to the hold filled in.
    pub(super) fn inherit(&self, transfer: &Transfer, pending: &Transfer) -> Transfer {
        let whole_hold =
            if transfer.has(TransferFlags::POST_PENDING_TRANSFER) { u128::MAX } else { 0 };
        let or = |given: u128, inherited: u128| if given == 0 { inherited } else { given };
        let mut stored = *transfer;
        if stored.amount == whole_hold {
            stored.amount = pending.amount;
        }
        stored.debit_account_id = or(stored.debit_account_id, pending.debit_account_id);
        stored.credit_account_id = or(stored.credit_account_id, pending.credit_account_id);
        stored.user_data_128 = or(stored.user_data_128, pending.user_data_128);
        if stored.user_data_64 == 0 {
            stored.user_data_64 = pending.user_data_64;
        }
        if stored.user_data_32 == 0 {
            stored.user_data_32 = pending.user_data_32;
        }
        if stored.ledger == 0 {
            stored.ledger = pending.ledger;
        }
        if stored.code == 0 {
            stored.code = pending.code;
        }
        stored
    }

    /// Enters the effects of a post or void as it is stored.
    pub(super) fn settle(&mut self, stored: &Transfer) {
        let pending = self.transfers.rows()[&stored.pending_id];
        if stored.has(TransferFlags::POST_PENDING_TRANSFER) {
            self.end_hold(&pending, PendingStatus::Posted);
            let mut debit = self.account(pending.debit_account_id);
            let mut credit = self.account(pending.credit_account_id);
            debit.debits_posted += stored.amount;
            credit.credits_posted += stored.amount;
            self.accounts.put(debit.id, debit);
            self.accounts.put(credit.id, credit);
        } else {
            self.end_hold(&pending, PendingStatus::Voided);
        }
    }

    /// Gives the reserved amount back. Unless the hold is posted, what it closed opens again.
    fn end_hold(&mut self, pending: &Transfer, status: PendingStatus) {
        let hold = self.holds.rows()[&pending.id];
        assert_eq!(hold.status, PendingStatus::Pending, "a hold ends once");
        self.holds.put(pending.id, Hold { status, ..hold });

        let mut debit = self.account(pending.debit_account_id);
        let mut credit = self.account(pending.credit_account_id);
        debit.debits_pending -= pending.amount;
        credit.credits_pending -= pending.amount;
        if status != PendingStatus::Posted {
            if pending.has(TransferFlags::CLOSING_DEBIT) {
                debit.flags &= !AccountFlags::CLOSED;
            }
            if pending.has(TransferFlags::CLOSING_CREDIT) {
                credit.flags &= !AccountFlags::CLOSED;
            }
        }
        self.accounts.put(debit.id, debit);
        self.accounts.put(credit.id, credit);
    }

    /// Releases the holds that are due when the primary's clock reads `clock`, by expiry and then by
    /// the hold's own timestamp, as many as one operation may. Gives their ids in that order.
    pub fn expire(&mut self, clock: Timestamp) -> Vec<u128> {
        self.last_timestamp = self.base(clock.0);
        let mut due: Vec<(u64, u64, u128)> = self
            .open_expiries()
            .filter(|(expiry, _)| *expiry <= self.last_timestamp)
            .map(|(expiry, id)| (expiry, self.transfers.rows()[&id].timestamp, id))
            .collect();
        due.sort_unstable();
        due.truncate(EXPIRIES_PER_BATCH_MAX);
        let ids: Vec<u128> = due.into_iter().map(|(_, _, id)| id).collect();
        for id in &ids {
            let pending = self.transfers.rows()[id];
            self.end_hold(&pending, PendingStatus::Expired);
        }
        ids
    }

    /// When the next open hold is due.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.open_expiries().map(|(expiry, _)| Timestamp(expiry)).min()
    }

    fn open_expiries(&self) -> impl Iterator<Item = (u64, u128)> + '_ {
        self.holds
            .rows()
            .iter()
            .filter(|(_, hold)| hold.status == PendingStatus::Pending)
            .filter_map(|(id, hold)| Some((hold.expiry?, *id)))
    }
}

/// The rules that need nothing but the post or void itself.
fn judge_fields(transfer: &Transfer) -> Result<(), Status> {
    let both = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;
    let foreign = TransferFlags::PENDING
        | TransferFlags::BALANCING_DEBIT
        | TransferFlags::BALANCING_CREDIT
        | TransferFlags::CLOSING_DEBIT
        | TransferFlags::CLOSING_CREDIT;
    if transfer.has(both) || transfer.has_any(foreign) {
        return Err(FlagsAreMutuallyExclusive);
    }
    if transfer.pending_id == 0 {
        return Err(PendingIdMustNotBeZero);
    }
    if transfer.pending_id == u128::MAX {
        return Err(PendingIdMustNotBeIntMax);
    }
    if transfer.pending_id == transfer.id {
        return Err(PendingIdMustBeDifferent);
    }
    if transfer.timeout != 0 {
        return Err(TimeoutReservedForPendingTransfer);
    }
    Ok(())
}

/// What the post or void names must be what the hold says.
fn judge_agreement(transfer: &Transfer, pending: &Transfer) -> Result<(), Status> {
    if !pending.has(TransferFlags::PENDING) {
        return Err(PendingTransferNotPending);
    }
    let differs = |given: u128, held: u128| given != 0 && given != held;
    if differs(transfer.debit_account_id, pending.debit_account_id) {
        return Err(PendingTransferHasDifferentDebitAccountId);
    }
    if differs(transfer.credit_account_id, pending.credit_account_id) {
        return Err(PendingTransferHasDifferentCreditAccountId);
    }
    if differs(transfer.ledger.into(), pending.ledger.into()) {
        return Err(PendingTransferHasDifferentLedger);
    }
    if differs(transfer.code.into(), pending.code.into()) {
        return Err(PendingTransferHasDifferentCode);
    }
    Ok(())
}
