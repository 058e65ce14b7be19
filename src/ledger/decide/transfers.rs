//! Deciding a request of `create_transfers`.

use super::chain::{self, Chained};
use super::clock::BatchClock;
use super::compare::compare;
use super::operand::{HoldRow, HoldState, IdState, Operand};
use super::rows::{DenseRow, RowReference, Rows};
use super::rules::{check_counters, check_fields, closing, effective_amount};
use crate::ledger::{CreateResult, CreateTransferStatus as Status, Transfer, TransferFlags};
use crate::limits::TIMESTAMP_MAX;

/// A created transfer whose stored record is not just the request with its timestamp.
#[derive(Debug, Clone, Copy)]
pub struct Amended {
    /// Index of the event in its batch.
    pub index: u32,
    /// The record as stored.
    pub record: Transfer,
}

/// A created post or void, with the accounts that it touched.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// Index of the event in its batch.
    pub index: u32,
    /// The debit account of the hold.
    pub debit: RowReference,
    /// The credit account of the hold.
    pub credit: RowReference,
    /// What became of the hold.
    pub state: HoldState,
}

/// The counters of an account with the `history` flag right after a transfer.
#[derive(Debug, Clone, Copy)]
pub struct Balance {
    /// Index of the event in its batch.
    pub index: u32,
    /// Whether the account was credited, else debited.
    pub credited: bool,
    /// The account.
    pub row: DenseRow,
}

/// All that a batch of transfers refers to.
#[derive(Debug)]
pub struct TransferInput<'a> {
    /// The events, of all requests of the batch.
    pub events: &'a [Transfer],
    /// One operand for each event.
    pub operands: &'a [Operand],
    /// The accounts.
    pub rows: &'a mut Rows,
    /// Created transfers that events name again.
    pub stored: &'a [Transfer],
    /// Transfers from before the batch that posts and voids name.
    pub holds: &'a mut [HoldRow],
    /// For imported events whether an account has exactly that timestamp; empty is "none".
    pub timestamps_taken: &'a [bool],
    /// The timestamps.
    pub clock: &'a mut BatchClock,
}

/// What this batch has made of an id so far, by the id's first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Group {
    #[default]
    Untouched,
    Created(u32),
    Burned,
}

/// One overwritten value.
#[derive(Debug, Clone, Copy)]
enum Undo {
    Row(RowReference, DenseRow),
    Created(u32),
    StoredHold(u32, HoldState),
    BatchHold(u32, HoldState),
}

/// Decides requests of `create_transfers`; keeps its scratch space between batches.
#[derive(Debug, Default)]
pub struct TransferDecider {
    groups: Vec<Group>,
    /// The state of the holds that this batch created, by event.
    holds: Vec<HoldState>,
    amended: Vec<Amended>,
    settled: Vec<Settled>,
    balances: Vec<Balance>,
    undo: Vec<Undo>,
}

/// How long the lists of the decider were when the chain was opened.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    newest: u64,
    amended: usize,
    settled: usize,
    balances: usize,
}

impl TransferDecider {
    /// Starts a batch of that many events.
    pub fn start(&mut self, events: usize) {
        self.groups.clear();
        self.groups.resize(events, Group::Untouched);
        self.holds.clear();
        self.holds.resize(events, HoldState::Open);
        self.amended.clear();
        self.settled.clear();
        self.balances.clear();
        self.undo.clear();
    }

    /// Decides the request that covers `range` of the batch and appends its results.
    pub fn decide_request(
        &mut self,
        input: &mut TransferInput<'_>,
        range: std::ops::Range<usize>,
        results: &mut Vec<CreateResult>,
    ) {
        if range.is_empty() {
            return;
        }
        let mut request = Request {
            imported: input.events[range.start].has(TransferFlags::IMPORTED),
            batch_timestamp: input.clock.slot(range.end - 1),
            mark: Mark::default(),
            in_chain: false,
            decider: self,
            input,
        };
        chain::decide_request(&mut request, range, results);
    }

    /// The records of the batch that are stored otherwise than they came, by index.
    #[must_use]
    pub fn amended(&self) -> &[Amended] {
        &self.amended
    }

    /// The posts and voids that the batch created, by index.
    #[must_use]
    pub fn settled(&self) -> &[Settled] {
        &self.settled
    }

    /// The balances that accounts with `history` had after each created transfer, by index.
    #[must_use]
    pub fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// What became by the end of the batch of the hold that this event created.
    #[must_use]
    pub fn batch_hold(&self, event: usize) -> HoldState {
        self.holds[event]
    }

    /// Whether the batch burned the id whose first event this is.
    #[must_use]
    pub fn is_burned(&self, first: usize) -> bool {
        self.groups[first] == Group::Burned
    }
}

pub(super) struct Request<'a, 'b> {
    pub(super) decider: &'a mut TransferDecider,
    pub(super) input: &'a mut TransferInput<'b>,
    pub(super) imported: bool,
    batch_timestamp: u64,
    mark: Mark,
    in_chain: bool,
}

impl Chained for Request<'_, '_> {
    fn is_linked(&self, at: usize) -> bool {
        self.input.events[at].has(TransferFlags::LINKED)
    }

    fn slot(&self, at: usize) -> u64 {
        self.input.clock.slot(at)
    }

    fn repeats(&self, at: usize) -> Option<CreateResult> {
        match self.prefix(at) {
            Err((Status::Exists, timestamp)) => Some(result(Status::Exists, timestamp)),
            _ => None,
        }
    }

    fn decide(&mut self, at: usize) -> CreateResult {
        let slot = self.slot(at);
        if let Err((status, timestamp)) = self.prefix(at) {
            return result(status, timestamp);
        }
        const SETTLES: u16 =
            TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;
        let outcome = if self.input.events[at].has_any(SETTLES) {
            self.settle(at)
        } else {
            self.transfer(at)
        };
        match outcome {
            Ok(timestamp) => result(Status::Created, timestamp),
            Err(status) => {
                if status.burns_id() {
                    let first = self.input.operands[at].first;
                    self.decider.groups[first as usize] = Group::Burned;
                }
                result(status, slot)
            }
        }
    }

    fn open_chain(&mut self) {
        self.in_chain = true;
        self.mark = Mark {
            newest: self.input.clock.newest,
            amended: self.decider.amended.len(),
            settled: self.decider.settled.len(),
            balances: self.decider.balances.len(),
        };
    }

    fn keep_chain(&mut self) {
        self.in_chain = false;
        self.decider.undo.clear();
    }

    fn roll_back_chain(&mut self) {
        self.in_chain = false;
        self.input.clock.newest = self.mark.newest;
        self.decider.amended.truncate(self.mark.amended);
        self.decider.settled.truncate(self.mark.settled);
        self.decider.balances.truncate(self.mark.balances);
        while let Some(undo) = self.decider.undo.pop() {
            match undo {
                Undo::Row(row, before) => *self.input.rows.get_mut(row) = before,
                Undo::Created(first) => self.decider.groups[first as usize] = Group::Untouched,
                Undo::StoredHold(hold, before) => self.input.holds[hold as usize].state = before,
                Undo::BatchHold(event, before) => self.decider.holds[event as usize] = before,
            }
        }
    }
}

/// A refusal, with the timestamp of its result.
type Refusal = (Status, u64);

impl Request<'_, '_> {
    /// The rules that come before everything else, up to what is known of the id.
    fn prefix(&self, at: usize) -> Result<(), Refusal> {
        let event = &self.input.events[at];
        let slot = self.input.clock.slot(at);
        self.check_arrival(event).map_err(|status| (status, slot))?;
        let operand = &self.input.operands[at];
        let known = match operand.id {
            IdState::Stored(stored) => {
                Some(self.compare_with(at, &self.input.stored[stored as usize]))
            }
            IdState::Burned => Some((Status::IdAlreadyFailed, slot)),
            IdState::Fenced => Some((Status::IdFenced, slot)),
            IdState::Fresh => match self.decider.groups[operand.first as usize] {
                Group::Untouched => None,
                Group::Burned => Some((Status::IdAlreadyFailed, slot)),
                Group::Created(creator) => Some(self.compare_with(at, &self.batch_record(creator))),
            },
        };
        match known {
            None => Ok(()),
            Some((Status::Exists, timestamp)) => Err((Status::Exists, timestamp)),
            Some((status, _)) => Err((status, slot)),
        }
    }

    /// Compares an event with the stored record of its id. If both name the same hold, that is the
    /// one that the record settled.
    fn compare_with(&self, at: usize, stored: &Transfer) -> (Status, u64) {
        let event = &self.input.events[at];
        let hold = self.hold_of(at).map(|hold| hold.record);
        (compare(event, stored, hold.as_ref()), stored.timestamp)
    }

    /// The record that an event of this batch created, as stored.
    pub(super) fn batch_record(&self, event: u32) -> Transfer {
        let amended = &self.decider.amended;
        if let Ok(found) = amended.binary_search_by_key(&event, |amended| amended.index) {
            return amended[found].record;
        }
        let mut record = self.input.events[event as usize];
        if !record.has(TransferFlags::IMPORTED) {
            record.timestamp = self.input.clock.slot(event as usize);
        }
        record
    }

    fn check_arrival(&self, event: &Transfer) -> Result<(), Status> {
        match (self.imported, event.has(TransferFlags::IMPORTED)) {
            (true, false) => return Err(Status::ImportedEventExpected),
            (false, true) => return Err(Status::ImportedEventNotExpected),
            (true, true) if event.timestamp == 0 || event.timestamp > TIMESTAMP_MAX => {
                return Err(Status::ImportedEventTimestampOutOfRange);
            }
            (true, true) if event.timestamp >= self.batch_timestamp => {
                return Err(Status::ImportedEventTimestampMustNotAdvance);
            }
            (false, false) if event.timestamp != 0 => return Err(Status::TimestampMustBeZero),
            _ => {}
        }
        if event.flags & !TransferFlags::ALL != 0 {
            return Err(Status::ReservedFlag);
        }
        if event.id == 0 {
            return Err(Status::IdMustNotBeZero);
        }
        if event.id == u128::MAX {
            return Err(Status::IdMustNotBeIntMax);
        }
        Ok(())
    }

    /// A single-phase or pending transfer.
    fn transfer(&mut self, at: usize) -> Result<u64, Status> {
        let event = &self.input.events[at];
        check_fields(event)?;
        let Operand { debit, credit, .. } = self.input.operands[at];
        if !debit.is_some() {
            return Err(Status::DebitAccountNotFound);
        }
        if !credit.is_some() {
            return Err(Status::CreditAccountNotFound);
        }
        let (debit_row, credit_row) = (self.input.rows.get(debit), self.input.rows.get(credit));
        if debit_row.ledger != credit_row.ledger {
            return Err(Status::AccountsMustHaveTheSameLedger);
        }
        if event.ledger != debit_row.ledger {
            return Err(Status::TransferMustHaveTheSameLedgerAsAccounts);
        }
        let timestamp = if self.imported {
            self.check_imported(at, debit_row.timestamp, credit_row.timestamp)?
        } else {
            self.input.clock.slot(at)
        };
        if debit_row.is_closed() {
            return Err(Status::DebitAccountAlreadyClosed);
        }
        if credit_row.is_closed() {
            return Err(Status::CreditAccountAlreadyClosed);
        }
        let amount = effective_amount(event, debit_row, credit_row);
        check_counters(event, debit_row, credit_row, amount, timestamp)?;
        // Nothing can fail from here on.
        self.remember_rows(debit, credit);
        let pending = event.has(TransferFlags::PENDING);
        let debit_row = self.input.rows.get_mut(debit);
        if pending {
            debit_row.debits_pending += amount;
        } else {
            debit_row.debits_posted += amount;
        }
        debit_row.flags |= closing(event, TransferFlags::CLOSING_DEBIT);
        let credit_row = self.input.rows.get_mut(credit);
        if pending {
            credit_row.credits_pending += amount;
        } else {
            credit_row.credits_posted += amount;
        }
        credit_row.flags |= closing(event, TransferFlags::CLOSING_CREDIT);
        let amended = (amount != event.amount).then_some(Transfer { amount, timestamp, ..*event });
        if pending {
            self.decider.holds[at] = HoldState::Open;
        }
        self.created(at, timestamp, amended);
        self.keep_balances(at, debit, credit);
        Ok(timestamp)
    }

    fn check_imported(&self, at: usize, debited: u64, credited: u64) -> Result<u64, Status> {
        let event = &self.input.events[at];
        self.check_regress(at)?;
        if event.timestamp <= debited {
            return Err(Status::ImportedEventTimestampMustPostdateDebitAccount);
        }
        if event.timestamp <= credited {
            return Err(Status::ImportedEventTimestampMustPostdateCreditAccount);
        }
        if event.timeout != 0 {
            return Err(Status::ImportedEventTimeoutMustBeZero);
        }
        Ok(event.timestamp)
    }

    pub(super) fn check_regress(&self, at: usize) -> Result<(), Status> {
        let taken = self.input.timestamps_taken.get(at).copied().unwrap_or(false);
        if self.input.events[at].timestamp <= self.input.clock.newest || taken {
            return Err(Status::ImportedEventTimestampMustNotRegress);
        }
        Ok(())
    }

    /// Notes that the event is created; its effects are on the rows already.
    pub(super) fn created(&mut self, at: usize, timestamp: u64, amended: Option<Transfer>) {
        let index = batch_index(at);
        let first = self.input.operands[at].first;
        self.decider.groups[first as usize] = Group::Created(index);
        if self.in_chain {
            self.decider.undo.push(Undo::Created(first));
        }
        if let Some(record) = amended {
            self.decider.amended.push(Amended { index, record });
        }
        self.input.clock.newest = timestamp;
    }

    /// Keeps the balances that the accounts have now, if they have a history.
    pub(super) fn keep_balances(&mut self, at: usize, debit: RowReference, credit: RowReference) {
        let rows = [*self.input.rows.get(debit), *self.input.rows.get(credit)];
        for (row, credited) in rows.into_iter().zip([false, true]) {
            if row.flags & crate::ledger::AccountFlags::HISTORY != 0 {
                self.decider.balances.push(Balance { index: batch_index(at), credited, row });
            }
        }
    }

    pub(super) fn note_settled(&mut self, at: usize, hold: &HoldRow, state: HoldState) {
        let (index, debit, credit) = (batch_index(at), hold.debit, hold.credit);
        self.decider.settled.push(Settled { index, debit, credit, state });
    }

    pub(super) fn group(&self, first: u32) -> Group {
        self.decider.groups[first as usize]
    }

    pub(super) fn remember_rows(&mut self, debit: RowReference, credit: RowReference) {
        if self.in_chain {
            for row in [debit, credit] {
                self.decider.undo.push(Undo::Row(row, *self.input.rows.get(row)));
            }
        }
    }

    pub(super) fn settle_stored(&mut self, hold: u32, state: HoldState) {
        let before = std::mem::replace(&mut self.input.holds[hold as usize].state, state);
        if self.in_chain {
            self.decider.undo.push(Undo::StoredHold(hold, before));
        }
    }

    pub(super) fn settle_in_batch(&mut self, event: u32, state: HoldState) {
        let before = std::mem::replace(&mut self.decider.holds[event as usize], state);
        if self.in_chain {
            self.decider.undo.push(Undo::BatchHold(event, before));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a batch has at most 8,190 events")]
const fn batch_index(at: usize) -> u32 {
    at as u32
}

const fn result(status: Status, timestamp: u64) -> CreateResult {
    CreateResult { timestamp, status: status.code(), reserved: 0 }
}
