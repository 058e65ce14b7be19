//! Posts and voids: settling a hold, once.

use super::compare::inherit_user_data;
use super::operand::{HoldReference, HoldRow, HoldState};
use super::rules::expires_at;
use super::transfers::{Group, Request};
use crate::ledger::{AccountFlags, CreateTransferStatus as Status, Transfer, TransferFlags};

const NOT_WITH_A_SETTLEMENT: u16 = TransferFlags::PENDING
    | TransferFlags::BALANCING_DEBIT
    | TransferFlags::BALANCING_CREDIT
    | TransferFlags::CLOSING_DEBIT
    | TransferFlags::CLOSING_CREDIT;

impl Request<'_, '_> {
    /// The transfer that an event's `pending_id` names, if one was created.
    pub(super) fn hold_of(&self, at: usize) -> Option<HoldRow> {
        match self.input.operands[at].hold {
            HoldReference::None => None,
            HoldReference::Stored(hold) => Some(self.input.holds[hold as usize]),
            HoldReference::InBatch(first) => match self.group(first) {
                Group::Created(creator) => Some(self.batch_hold_row(creator)),
                Group::Untouched | Group::Burned => None,
            },
        }
    }

    fn batch_hold_row(&self, creator: u32) -> HoldRow {
        let record = self.batch_record(creator);
        let operand = &self.input.operands[creator as usize];
        let state = if record.has(TransferFlags::PENDING) {
            self.decider.batch_hold(creator as usize)
        } else {
            HoldState::NotPending
        };
        HoldRow { record, state, debit: operand.debit, credit: operand.credit }
    }

    /// A post or a void.
    pub(super) fn settle(&mut self, at: usize) -> Result<u64, Status> {
        let event = self.input.events[at];
        check_flags_and_ids(&event)?;
        let hold = self.hold_of(at).ok_or(Status::PendingTransferNotFound)?;
        let amount = check_against_hold(&event, &hold)?;
        let timestamp = if self.imported { event.timestamp } else { self.input.clock.slot(at) };
        check_open(&hold, timestamp)?;
        if self.imported {
            self.check_regress(at)?;
        }
        let posts = event.has(TransferFlags::POST_PENDING_TRANSFER);
        if posts {
            if self.input.rows.get(hold.debit).is_closed() {
                return Err(Status::DebitAccountAlreadyClosed);
            }
            if self.input.rows.get(hold.credit).is_closed() {
                return Err(Status::CreditAccountAlreadyClosed);
            }
        }
        // Nothing can fail from here on.
        self.remember_rows(hold.debit, hold.credit);
        let posted = if posts { amount } else { 0 };
        let debit = self.input.rows.get_mut(hold.debit);
        debit.debits_pending -= hold.record.amount;
        debit.debits_posted += posted;
        reopen(&mut debit.flags, &hold.record, TransferFlags::CLOSING_DEBIT, posts);
        let credit = self.input.rows.get_mut(hold.credit);
        credit.credits_pending -= hold.record.amount;
        credit.credits_posted += posted;
        reopen(&mut credit.flags, &hold.record, TransferFlags::CLOSING_CREDIT, posts);
        let state = if posts { HoldState::Posted } else { HoldState::Voided };
        self.mark_settled(at, state);
        self.note_settled(at, &hold, state);
        let record = settled_record(&event, &hold.record, amount, timestamp);
        let plain = Transfer { timestamp, ..event };
        self.created(at, timestamp, (record != plain).then_some(record));
        self.keep_balances(at, hold.debit, hold.credit);
        Ok(timestamp)
    }

    fn mark_settled(&mut self, at: usize, state: HoldState) {
        match self.input.operands[at].hold {
            HoldReference::None => {}
            HoldReference::Stored(hold) => self.settle_stored(hold, state),
            HoldReference::InBatch(first) => {
                if let Group::Created(creator) = self.group(first) {
                    self.settle_in_batch(creator, state);
                }
            }
        }
    }
}

fn check_flags_and_ids(event: &Transfer) -> Result<(), Status> {
    let both = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;
    if event.has(both) || event.has_any(NOT_WITH_A_SETTLEMENT) {
        return Err(Status::FlagsAreMutuallyExclusive);
    }
    if event.pending_id == 0 {
        return Err(Status::PendingIdMustNotBeZero);
    }
    if event.pending_id == u128::MAX {
        return Err(Status::PendingIdMustNotBeIntMax);
    }
    if event.pending_id == event.id {
        return Err(Status::PendingIdMustBeDifferent);
    }
    if event.timeout != 0 {
        return Err(Status::TimeoutReservedForPendingTransfer);
    }
    Ok(())
}

/// Checks that the settlement fits its hold; gives the amount that is posted or voided.
fn check_against_hold(event: &Transfer, hold: &HoldRow) -> Result<u128, Status> {
    let held = &hold.record;
    if hold.state == HoldState::NotPending {
        return Err(Status::PendingTransferNotPending);
    }
    if event.debit_account_id != 0 && event.debit_account_id != held.debit_account_id {
        return Err(Status::PendingTransferHasDifferentDebitAccountId);
    }
    if event.credit_account_id != 0 && event.credit_account_id != held.credit_account_id {
        return Err(Status::PendingTransferHasDifferentCreditAccountId);
    }
    if event.ledger != 0 && event.ledger != held.ledger {
        return Err(Status::PendingTransferHasDifferentLedger);
    }
    if event.code != 0 && event.code != held.code {
        return Err(Status::PendingTransferHasDifferentCode);
    }
    let voids = event.has(TransferFlags::VOID_PENDING_TRANSFER);
    let whole = if voids { 0 } else { u128::MAX };
    let amount = if event.amount == whole { held.amount } else { event.amount };
    if amount > held.amount {
        return Err(Status::ExceedsPendingTransferAmount);
    }
    if voids && amount < held.amount {
        return Err(Status::PendingTransferHasDifferentAmount);
    }
    Ok(amount)
}

fn check_open(hold: &HoldRow, timestamp: u64) -> Result<(), Status> {
    match hold.state {
        HoldState::Posted => Err(Status::PendingTransferAlreadyPosted),
        HoldState::Voided => Err(Status::PendingTransferAlreadyVoided),
        HoldState::Expired => Err(Status::PendingTransferExpired),
        HoldState::Open | HoldState::NotPending => {
            let timeout = hold.record.timeout;
            if timeout != 0 && timestamp >= expires_at(hold.record.timestamp, timeout) {
                return Err(Status::PendingTransferExpired);
            }
            Ok(())
        }
    }
}

/// Voiding the transfer that closed an account opens it again.
fn reopen(flags: &mut u16, hold: &Transfer, side: u16, posts: bool) {
    if !posts && hold.has(side) {
        *flags &= !AccountFlags::CLOSED;
    }
}

fn settled_record(event: &Transfer, hold: &Transfer, amount: u128, timestamp: u64) -> Transfer {
    let mut record = Transfer {
        debit_account_id: hold.debit_account_id,
        credit_account_id: hold.credit_account_id,
        ledger: hold.ledger,
        code: hold.code,
        amount,
        timestamp,
        ..*event
    };
    inherit_user_data(&mut record, hold);
    record
}
