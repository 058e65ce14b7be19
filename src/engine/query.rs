//! Reads that walk the committed log: run by the query thread, away from the cores.
//!
//! Everything that a [`LongRead`] needs of the state was taken when it was ordered; the log up to
//! that op does the rest, and it never changes.

use std::collections::BTreeMap;

use super::owners::limit_of;
use crate::ledger::{
    AccountBalance, AccountFilter, AccountFilterFlags, PendingStatus, QueryFilterFlags,
    QueryTransfersFilter, ResolveOutcome, ResolveResult, Timestamp, Transfer, TransferFlags,
};
use crate::log::{Position, RecordError, TransferEntry};
use crate::wire::Reply;

/// A read that needs the log.
#[derive(Debug, Clone)]
pub enum LongRead {
    /// Transfers by the position of their records, some of them known already.
    Records(Vec<(Position, Option<Transfer>)>),
    /// What became of transfer ids.
    Resolve(Vec<Resolved>),
    /// The transfers of one account, from its newest on backwards.
    AccountTransfers {
        /// What is wanted.
        filter: AccountFilter,
        /// The account's newest transfer record.
        newest: Position,
    },
    /// The balances of one account, from its newest on backwards.
    AccountBalances {
        /// What is wanted.
        filter: AccountFilter,
        /// The account's newest transfer record.
        newest: Position,
    },
    /// Transfers by their fields.
    Transfers {
        /// What is wanted.
        filter: QueryTransfersFilter,
        /// The first frame that can hold any.
        first: Option<Position>,
        /// The end of the log at the op of the read.
        end: Position,
    },
}

/// What is known of an id that is to be resolved.
#[derive(Debug, Clone, Copy)]
pub enum Resolved {
    /// All of it: the outcome and its timestamp.
    Is(ResolveOutcome, u64),
    /// That it created the transfer whose record stands there, and has its timestamp.
    CreatedBy(Position),
}

impl Resolved {
    /// The answer, if all is known.
    #[must_use]
    pub fn result(&self) -> Option<ResolveResult> {
        match *self {
            Self::Is(outcome, timestamp) => {
                Some(ResolveResult { timestamp, outcome: outcome as u32, reserved: 0 })
            }
            Self::CreatedBy(_) => None,
        }
    }
}

/// The log as queries see it.
pub trait CommittedLog {
    /// The transfer record at that position and the ones before it.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn entry(&mut self, position: Position) -> Result<TransferEntry, RecordError>;

    /// The balance of a side after the transfer whose record stands at that position.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn balance(
        &mut self,
        position: Position,
        credited: bool,
    ) -> Result<Option<AccountBalance>, RecordError>;

    /// Gives the frames from `first` to `end`: for each its kind, its position, its entries with
    /// the status of each, or the ids that it released.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn scan(
        &mut self,
        first: Position,
        end: Position,
        visit: &mut dyn FnMut(Scanned<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<(), RecordError>;
}

/// What a scan sees of a frame.
#[derive(Debug, Clone, Copy)]
pub enum Scanned<'a> {
    /// The transfers that a frame created.
    Created(&'a [Transfer]),
    /// The holds that a frame released.
    Released(&'a [u128]),
}

/// Carries out the read.
///
/// # Errors
/// When the log can't be read.
pub fn run(read: &LongRead, log: &mut impl CommittedLog) -> Result<Reply, RecordError> {
    match read {
        LongRead::Records(records) => {
            let records = records.iter().map(|&(position, known)| match known {
                Some(transfer) => Ok(transfer),
                None => log.entry(position).map(|entry| entry.transfer),
            });
            Ok(Reply::Transfers(records.collect::<Result<_, _>>()?))
        }
        LongRead::Resolve(ids) => {
            let results = ids.iter().map(|&id| match id {
                Resolved::Is(outcome, timestamp) => Ok((outcome, timestamp)),
                Resolved::CreatedBy(position) => {
                    log.entry(position).map(|e| (ResolveOutcome::Created, e.transfer.timestamp))
                }
            });
            let wrap = |result: Result<(ResolveOutcome, u64), RecordError>| {
                result.map(|(outcome, timestamp)| ResolveResult {
                    timestamp,
                    outcome: outcome as u32,
                    reserved: 0,
                })
            };
            Ok(Reply::ResolveResults(results.map(wrap).collect::<Result<_, _>>()?))
        }
        LongRead::AccountTransfers { filter, newest } => {
            let found = walk(filter, *newest, log)?;
            Ok(Reply::Transfers(found.into_iter().map(|(_, transfer)| transfer).collect()))
        }
        LongRead::AccountBalances { filter, newest } => {
            let mut balances = Vec::new();
            for (position, transfer) in walk(filter, *newest, log)? {
                let credited = transfer.credit_account_id == filter.account_id;
                if let Some(balance) = log.balance(position, credited)? {
                    balances.push(AccountBalance { timestamp: transfer.timestamp, ..balance });
                }
            }
            Ok(Reply::Balances(balances))
        }
        LongRead::Transfers { filter, first, end } => query(filter, *first, *end, log),
    }
}

/// The matching transfers of an account, in the order that the filter wants.
fn walk(
    filter: &AccountFilter,
    newest: Position,
    log: &mut impl CommittedLog,
) -> Result<Vec<(Position, Transfer)>, RecordError> {
    let (min, max) = filter.bounds();
    let limit = limit_of(filter.limit);
    let reversed = filter.flags & AccountFilterFlags::REVERSED != 0;
    // Backwards is the only way; forwards keeps the last `limit` of them.
    let mut found = std::collections::VecDeque::new();
    let mut position = newest;
    while !position.is_none() {
        let entry = log.entry(position)?;
        let transfer = entry.transfer;
        let timestamp = Timestamp(transfer.timestamp);
        if timestamp < min || (reversed && found.len() == limit) {
            break;
        }
        if timestamp <= max && matches_account_filter(filter, &transfer) {
            found.push_back((position, transfer));
            if !reversed && found.len() > limit {
                found.pop_front();
            }
        }
        let links = entry.links();
        position = if transfer.debit_account_id == filter.account_id {
            links.debit_previous
        } else {
            links.credit_previous
        };
    }
    let mut found = Vec::from(found);
    if !reversed {
        found.reverse();
    }
    Ok(found)
}

fn matches_account_filter(filter: &AccountFilter, transfer: &Transfer) -> bool {
    let debits = filter.flags & AccountFilterFlags::DEBITS != 0
        && transfer.debit_account_id == filter.account_id;
    let credits = filter.flags & AccountFilterFlags::CREDITS != 0
        && transfer.credit_account_id == filter.account_id;
    (debits || credits)
        && (filter.user_data_128 == 0 || filter.user_data_128 == transfer.user_data_128)
        && (filter.user_data_64 == 0 || filter.user_data_64 == transfer.user_data_64)
        && (filter.user_data_32 == 0 || filter.user_data_32 == transfer.user_data_32)
        && (filter.code == 0 || filter.code == transfer.code)
}

fn query(
    filter: &QueryTransfersFilter,
    first: Option<Position>,
    end: Position,
    log: &mut impl CommittedLog,
) -> Result<Reply, RecordError> {
    let Some(first) = first else { return Ok(Reply::Transfers(Vec::new())) };
    let settled =
        if filter.pending_status == 0 { BTreeMap::new() } else { settled_holds(first, end, log)? };
    let (min, max) = filter.bounds();
    let limit = limit_of(filter.limit);
    let reversed = filter.flags & QueryFilterFlags::REVERSED != 0;
    let mut found = std::collections::VecDeque::new();
    log.scan(first, end, &mut |scanned| {
        let Scanned::Created(transfers) = scanned else {
            return std::ops::ControlFlow::Continue(());
        };
        for transfer in transfers {
            let timestamp = Timestamp(transfer.timestamp);
            if timestamp > max || (!reversed && found.len() == limit) {
                return std::ops::ControlFlow::Break(());
            }
            if timestamp >= min && matches_query(filter, transfer, &settled) {
                found.push_back(*transfer);
                if found.len() > limit {
                    found.pop_front();
                }
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    let mut found = Vec::from(found);
    if reversed {
        found.reverse();
    }
    Ok(Reply::Transfers(found))
}

/// What became of the holds that are settled by the end.
fn settled_holds(
    first: Position,
    end: Position,
    log: &mut impl CommittedLog,
) -> Result<BTreeMap<u128, PendingStatus>, RecordError> {
    let mut settled = BTreeMap::new();
    log.scan(first, end, &mut |scanned| {
        match scanned {
            Scanned::Created(transfers) => {
                for transfer in transfers {
                    if transfer.has(TransferFlags::POST_PENDING_TRANSFER) {
                        settled.insert(transfer.pending_id, PendingStatus::Posted);
                    } else if transfer.has(TransferFlags::VOID_PENDING_TRANSFER) {
                        settled.insert(transfer.pending_id, PendingStatus::Voided);
                    }
                }
            }
            Scanned::Released(ids) => {
                settled.extend(ids.iter().map(|&id| (id, PendingStatus::Expired)));
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(settled)
}

fn matches_query(
    filter: &QueryTransfersFilter,
    transfer: &Transfer,
    settled: &BTreeMap<u128, PendingStatus>,
) -> bool {
    let status = || {
        let settled = settled.get(&transfer.id).copied();
        settled.unwrap_or(PendingStatus::Pending)
    };
    (filter.user_data_128 == 0 || filter.user_data_128 == transfer.user_data_128)
        && (filter.user_data_64 == 0 || filter.user_data_64 == transfer.user_data_64)
        && (filter.user_data_32 == 0 || filter.user_data_32 == transfer.user_data_32)
        && (filter.ledger == 0 || filter.ledger == transfer.ledger)
        && (filter.code == 0 || filter.code == transfer.code)
        && (filter.pending_id == 0 || filter.pending_id == transfer.pending_id)
        && (filter.pending_status == 0
            || (transfer.has(TransferFlags::PENDING) && status() as u16 == filter.pending_status))
}
