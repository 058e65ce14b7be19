//! May this transfer be created, and what does it move?

use super::Model;
use super::batch::{Common, Event};
use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::{Account, AccountBalance, AccountFlags, Transfer, TransferFlags};
use crate::limits::TIMESTAMP_MAX;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

const SETTLES: u16 = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;

impl Event for Transfer {
    type Status = Status;

    const COMMON: Common<Status> = Common {
        created: Created,
        exists: Exists,
        linked_event_failed: LinkedEventFailed,
        linked_event_chain_open: LinkedEventChainOpen,
        imported_event_expected: ImportedEventExpected,
        imported_event_not_expected: ImportedEventNotExpected,
        imported_event_timestamp_out_of_range: ImportedEventTimestampOutOfRange,
        imported_event_timestamp_must_not_advance: ImportedEventTimestampMustNotAdvance,
        timestamp_must_be_zero: TimestampMustBeZero,
    };

    fn is_linked(&self) -> bool {
        self.has(TransferFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.has(TransferFlags::IMPORTED)
    }

    fn timestamp(&self) -> u64 {
        self.timestamp
    }

    fn with_timestamp(self, timestamp: u64) -> Self {
        Self { timestamp, ..self }
    }

    fn number(status: Status) -> u32 {
        status.code()
    }

    fn judge(&self, model: &Model) -> Result<Self, Status> {
        if self.flags & !TransferFlags::ALL != 0 {
            return Err(ReservedFlag);
        }
        if self.id == 0 {
            return Err(IdMustNotBeZero);
        }
        if self.id == u128::MAX {
            return Err(IdMustNotBeIntMax);
        }
        if let Some(existing) = model.transfers.get(&self.id) {
            return Err(compare(self, existing, model));
        }
        if model.burned.contains(&self.id) {
            return Err(IdAlreadyFailed);
        }
        if model.fenced.contains(&self.id) {
            return Err(IdFenced);
        }
        if self.has_any(SETTLES) { model.judge_settlement(self) } else { judge_new(self, model) }
    }

    fn enter(self, model: &mut Model) {
        if self.has_any(SETTLES) {
            model.settle(&self);
        } else {
            book_new(&self, model);
        }
        model.transfers.put(self.id, self);
        model.transfers_by_timestamp.put(self.timestamp, self.id);
        model.keep_balance(self.debit_account_id, self.timestamp);
        model.keep_balance(self.credit_account_id, self.timestamp);
    }

    fn burn(&self, status: Status, model: &mut Model) {
        let depends_on_state = [
            DebitAccountNotFound,
            CreditAccountNotFound,
            PendingTransferNotFound,
            DebitAccountAlreadyClosed,
            CreditAccountAlreadyClosed,
            ExceedsCredits,
            ExceedsDebits,
        ];
        if depends_on_state.contains(&status) {
            model.burned.insert(self.id);
        }
    }

    fn original_timestamp(&self, model: &Model) -> u64 {
        model.transfers.rows()[&self.id].timestamp
    }
}

/// What a request with the id of an existing transfer answers.
fn compare(request: &Transfer, existing: &Transfer, model: &Model) -> Status {
    let identity = !TransferFlags::LINKED;
    if request.flags & identity != existing.flags & identity {
        return ExistsWithDifferentFlags;
    }
    if request.pending_id != existing.pending_id {
        return ExistsWithDifferentPendingId;
    }
    if request.timeout != existing.timeout {
        return ExistsWithDifferentTimeout;
    }
    let expected = would_be_stored(request, existing, model);
    if expected.debit_account_id != existing.debit_account_id {
        ExistsWithDifferentDebitAccountId
    } else if expected.credit_account_id != existing.credit_account_id {
        ExistsWithDifferentCreditAccountId
    } else if expected.amount != existing.amount {
        ExistsWithDifferentAmount
    } else if expected.user_data_128 != existing.user_data_128 {
        ExistsWithDifferentUserData128
    } else if expected.user_data_64 != existing.user_data_64 {
        ExistsWithDifferentUserData64
    } else if expected.user_data_32 != existing.user_data_32 {
        ExistsWithDifferentUserData32
    } else if expected.ledger != existing.ledger {
        ExistsWithDifferentLedger
    } else if expected.code != existing.code {
        ExistsWithDifferentCode
    } else {
        Exists
    }
}

/// The request as it would have been stored if it is the one that created `existing`.
fn would_be_stored(request: &Transfer, existing: &Transfer, model: &Model) -> Transfer {
    if request.has_any(SETTLES) {
        return model.inherit(request, &model.transfers.rows()[&request.pending_id]);
    }
    let balancing = TransferFlags::BALANCING_DEBIT | TransferFlags::BALANCING_CREDIT;
    if request.has_any(balancing) && request.amount >= existing.amount {
        return Transfer { amount: existing.amount, ..*request };
    }
    *request
}

/// The rules of single-phase and pending transfers, in order.
fn judge_new(transfer: &Transfer, model: &Model) -> Result<Transfer, Status> {
    judge_fields(transfer)?;
    let debit_account =
        model.accounts.get(&transfer.debit_account_id).ok_or(DebitAccountNotFound)?;
    let credit_account =
        model.accounts.get(&transfer.credit_account_id).ok_or(CreditAccountNotFound)?;
    if debit_account.ledger != credit_account.ledger {
        return Err(AccountsMustHaveTheSameLedger);
    }
    if transfer.ledger != debit_account.ledger {
        return Err(TransferMustHaveTheSameLedgerAsAccounts);
    }
    if transfer.is_imported() {
        if model.transfer_timestamp_regresses(transfer.timestamp) {
            return Err(ImportedEventTimestampMustNotRegress);
        }
        if transfer.timestamp <= debit_account.timestamp {
            return Err(ImportedEventTimestampMustPostdateDebitAccount);
        }
        if transfer.timestamp <= credit_account.timestamp {
            return Err(ImportedEventTimestampMustPostdateCreditAccount);
        }
        if transfer.timeout != 0 {
            return Err(ImportedEventTimeoutMustBeZero);
        }
    }
    if debit_account.has(AccountFlags::CLOSED) {
        return Err(DebitAccountAlreadyClosed);
    }
    if credit_account.has(AccountFlags::CLOSED) {
        return Err(CreditAccountAlreadyClosed);
    }
    let amount = effective_amount(transfer, debit_account, credit_account);
    let stored = Transfer { amount, ..*transfer };
    judge_balances(&stored, debit_account, credit_account)?;
    Ok(stored)
}

/// The rules that need nothing but the transfer itself.
fn judge_fields(transfer: &Transfer) -> Result<(), Status> {
    if transfer.debit_account_id == 0 {
        return Err(DebitAccountIdMustNotBeZero);
    }
    if transfer.debit_account_id == u128::MAX {
        return Err(DebitAccountIdMustNotBeIntMax);
    }
    if transfer.credit_account_id == 0 {
        return Err(CreditAccountIdMustNotBeZero);
    }
    if transfer.credit_account_id == u128::MAX {
        return Err(CreditAccountIdMustNotBeIntMax);
    }
    if transfer.debit_account_id == transfer.credit_account_id {
        return Err(AccountsMustBeDifferent);
    }
    if transfer.pending_id != 0 {
        return Err(PendingIdMustBeZero);
    }
    if !transfer.has(TransferFlags::PENDING) {
        if transfer.timeout != 0 {
            return Err(TimeoutReservedForPendingTransfer);
        }
        if transfer.has_any(TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT) {
            return Err(ClosingTransferMustBePending);
        }
    }
    if transfer.ledger == 0 {
        return Err(LedgerMustNotBeZero);
    }
    if transfer.code == 0 {
        return Err(CodeMustNotBeZero);
    }
    Ok(())
}

/// The requested amount, cut to what a balancing side leaves free.
fn effective_amount(transfer: &Transfer, debit: &Account, credit: &Account) -> u128 {
    let mut amount = transfer.amount;
    if transfer.has(TransferFlags::BALANCING_DEBIT) {
        let used = debit.debits_posted + debit.debits_pending;
        amount = amount.min(debit.credits_posted.saturating_sub(used));
    }
    if transfer.has(TransferFlags::BALANCING_CREDIT) {
        let used = credit.credits_posted + credit.credits_pending;
        amount = amount.min(credit.debits_posted.saturating_sub(used));
    }
    amount
}

/// The rules about counters, expiry and limits, in order, for the effective amount.
fn judge_balances(transfer: &Transfer, debit: &Account, credit: &Account) -> Result<(), Status> {
    let overflows = |counter: u128| counter.checked_add(transfer.amount).is_none();
    if transfer.has(TransferFlags::PENDING) {
        if overflows(debit.debits_pending) {
            return Err(OverflowsDebitsPending);
        }
        if overflows(credit.credits_pending) {
            return Err(OverflowsCreditsPending);
        }
    }
    if overflows(debit.debits_posted) {
        return Err(OverflowsDebitsPosted);
    }
    if overflows(credit.credits_posted) {
        return Err(OverflowsCreditsPosted);
    }
    let debits = debit.debits_pending + debit.debits_posted;
    if overflows(debits) {
        return Err(OverflowsDebits);
    }
    let credits = credit.credits_pending + credit.credits_posted;
    if overflows(credits) {
        return Err(OverflowsCredits);
    }
    if expiry(transfer).is_some_and(|expiry| expiry > TIMESTAMP_MAX) {
        return Err(OverflowsTimeout);
    }
    if debit.has(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
        && debits + transfer.amount > debit.credits_posted
    {
        return Err(ExceedsCredits);
    }
    if credit.has(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
        && credits + transfer.amount > credit.debits_posted
    {
        return Err(ExceedsDebits);
    }
    Ok(())
}

/// When the hold of this transfer expires, if ever. It can lie beyond the range of timestamps.
pub(super) fn expiry(transfer: &Transfer) -> Option<u64> {
    let timeout = u64::from(transfer.timeout) * NANOSECONDS_PER_SECOND;
    (timeout != 0).then(|| transfer.timestamp.saturating_add(timeout))
}

/// Moves the amount of a single-phase transfer, or reserves that of a pending one.
fn book_new(transfer: &Transfer, model: &mut Model) {
    let mut debit = model.account(transfer.debit_account_id);
    let mut credit = model.account(transfer.credit_account_id);
    if transfer.has(TransferFlags::PENDING) {
        debit.debits_pending += transfer.amount;
        credit.credits_pending += transfer.amount;
        model.open_hold(transfer);
    } else {
        debit.debits_posted += transfer.amount;
        credit.credits_posted += transfer.amount;
    }
    if transfer.has(TransferFlags::CLOSING_DEBIT) {
        debit.flags |= AccountFlags::CLOSED;
    }
    if transfer.has(TransferFlags::CLOSING_CREDIT) {
        credit.flags |= AccountFlags::CLOSED;
    }
    model.accounts.put(debit.id, debit);
    model.accounts.put(credit.id, credit);
}

impl Model {
    /// A copy of an account that is known to be there.
    pub(super) fn account(&self, id: u128) -> Account {
        self.accounts.rows()[&id]
    }

    /// Whether an imported transfer of that moment would stand before a transfer that is there
    /// already, or at the very moment of an account.
    pub(super) fn transfer_timestamp_regresses(&self, timestamp: u64) -> bool {
        let newest = self.transfers_by_timestamp.rows().last_key_value();
        newest.is_some_and(|(newest, _)| timestamp <= *newest)
            || self.accounts_by_timestamp.contains(&timestamp)
    }

    /// Remembers the account's counters after the transfer of that moment, if it wants them kept.
    fn keep_balance(&mut self, account_id: u128, timestamp: u64) {
        let account = self.account(account_id);
        if account.has(AccountFlags::HISTORY) {
            let balance = AccountBalance {
                debits_pending: account.debits_pending,
                debits_posted: account.debits_posted,
                credits_pending: account.credits_pending,
                credits_posted: account.credits_posted,
                timestamp,
                ..AccountBalance::default()
            };
            self.balances.put((account_id, timestamp), balance);
        }
    }
}
