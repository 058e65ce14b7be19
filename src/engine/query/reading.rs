//! One read of the log, slice by slice.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use super::matching::{matches_account_filter, matches_query};
use super::{CommittedLog, LongRead, Resolved, Scanned};
use crate::engine::scans::limit_of;
use crate::ledger::{
    AccountBalance, AccountFilter, AccountFilterFlags, PendingStatus, QueryFilterFlags,
    QueryTransfersFilter, ResolveOutcome, ResolveResult, Timestamp, Transfer, TransferFlags,
};
use crate::limits::{QUERY_RECORDS_PER_SLICE, QUERY_TRANSFERS_PER_SLICE};
use crate::log::{Position, RecordError};
use crate::wire::Reply;

/// A read under way. It has at most one answer's records in memory.
#[derive(Debug)]
pub struct Reading {
    read: LongRead,
    progress: Progress,
}

/// How far it has come.
#[derive(Debug)]
enum Progress {
    /// Single records, in order.
    Records(Vec<Transfer>),
    Resolved(Vec<ResolveResult>),
    /// Along the chain of an account, backwards; the next position is none at its end.
    Walking {
        next: Position,
        found: VecDeque<(Position, Transfer)>,
    },
    /// The balances after what was found on the chain.
    Balances {
        chain: Vec<(Position, Transfer)>,
        balances: Vec<AccountBalance>,
        at: usize,
    },
    /// Over all frames, to learn what became of holds.
    Settling {
        next: Option<Position>,
        settled: BTreeMap<u128, PendingStatus>,
    },
    /// Over all frames, to find transfers.
    Searching {
        next: Option<Position>,
        settled: BTreeMap<u128, PendingStatus>,
        found: VecDeque<Transfer>,
    },
}

impl Reading {
    /// Before the first slice.
    #[must_use]
    pub fn new(read: LongRead) -> Self {
        let progress = match &read {
            LongRead::Records(records) => Progress::Records(Vec::with_capacity(records.len())),
            LongRead::Resolve(ids) => Progress::Resolved(Vec::with_capacity(ids.len())),
            LongRead::AccountTransfers { newest, .. }
            | LongRead::AccountBalances { newest, .. } => {
                Progress::Walking { next: *newest, found: VecDeque::new() }
            }
            LongRead::Transfers { filter, first, .. } if filter.pending_status == 0 => {
                Progress::Searching {
                    next: *first,
                    settled: BTreeMap::new(),
                    found: VecDeque::new(),
                }
            }
            LongRead::Transfers { first, .. } => {
                Progress::Settling { next: *first, settled: BTreeMap::new() }
            }
        };
        Self { read, progress }
    }

    /// Does one slice. Gives the answer if that was the last.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn step(&mut self, log: &mut impl CommittedLog) -> Result<Option<Reply>, RecordError> {
        let Self { read, progress } = self;
        match (&*read, &mut *progress) {
            (LongRead::Records(records), Progress::Records(found)) => {
                for &(position, known) in slice_of(records, found.len()) {
                    found.push(match known {
                        Some(transfer) => transfer,
                        None => log.entry(position)?.transfer,
                    });
                }
                let done = found.len() == records.len();
                Ok(done.then(|| Reply::Transfers(std::mem::take(found))))
            }
            (LongRead::Resolve(ids), Progress::Resolved(results)) => {
                for id in slice_of(ids, results.len()) {
                    results.push(resolve(id, log)?);
                }
                let done = results.len() == ids.len();
                Ok(done.then(|| Reply::ResolveResults(std::mem::take(results))))
            }
            (LongRead::AccountTransfers { filter, .. }, Progress::Walking { next, found }) => {
                let chain = walk(filter, next, found, log)?;
                let transfers = |chain: Vec<(Position, Transfer)>| {
                    Reply::Transfers(chain.into_iter().map(|(_, transfer)| transfer).collect())
                };
                Ok(chain.map(transfers))
            }
            (LongRead::AccountBalances { filter, .. }, Progress::Walking { next, found }) => {
                if let Some(chain) = walk(filter, next, found, log)? {
                    *progress = Progress::Balances { chain, balances: Vec::new(), at: 0 };
                }
                Ok(None)
            }
            (
                LongRead::AccountBalances { filter, .. },
                Progress::Balances { chain, balances, at },
            ) => {
                for (position, transfer) in slice_of(chain, *at) {
                    let credited = transfer.credit_account_id == filter.account_id;
                    if let Some(balance) = log.balance(*position, credited)? {
                        balances.push(AccountBalance { timestamp: transfer.timestamp, ..balance });
                    }
                    *at += 1;
                }
                let done = *at == chain.len();
                Ok(done.then(|| Reply::Balances(std::mem::take(balances))))
            }
            (LongRead::Transfers { first, end, .. }, Progress::Settling { next, settled }) => {
                *next = settle(*next, *end, settled, log)?;
                if next.is_none() {
                    let settled = std::mem::take(settled);
                    let found = VecDeque::new();
                    *progress = Progress::Searching { next: *first, settled, found };
                }
                Ok(None)
            }
            (
                LongRead::Transfers { filter, end, .. },
                Progress::Searching { next, settled, found },
            ) => {
                *next = search(filter, *next, *end, settled, found, log)?;
                Ok(next.is_none().then(|| {
                    let mut found = Vec::from(std::mem::take(found));
                    if filter.flags & QueryFilterFlags::REVERSED != 0 {
                        found.reverse();
                    }
                    Reply::Transfers(found)
                }))
            }
            (read, progress) => unreachable!("{read:?} never comes to {progress:?}"),
        }
    }
}

/// What one slice looks at, of all from `at` on.
fn slice_of<T>(all: &[T], at: usize) -> &[T] {
    assert!(at < all.len() || all.is_empty(), "a read ends with its last record");
    &all[at..all.len().min(at + QUERY_RECORDS_PER_SLICE)]
}

fn resolve(id: &Resolved, log: &mut impl CommittedLog) -> Result<ResolveResult, RecordError> {
    let (outcome, timestamp) = match *id {
        Resolved::Is(outcome, timestamp) => (outcome, timestamp),
        Resolved::CreatedBy(position) => {
            (ResolveOutcome::Created, log.entry(position)?.transfer.timestamp)
        }
    };
    Ok(ResolveResult { timestamp, outcome: outcome as u32, reserved: 0 })
}

/// Goes along the chain of an account. At its end, gives the matching transfers in the order that the
/// filter wants.
fn walk(
    filter: &AccountFilter,
    next: &mut Position,
    found: &mut VecDeque<(Position, Transfer)>,
    log: &mut impl CommittedLog,
) -> Result<Option<Vec<(Position, Transfer)>>, RecordError> {
    let (min, max) = filter.bounds();
    let limit = limit_of(filter.limit);
    let reversed = filter.flags & AccountFilterFlags::REVERSED != 0;
    // Backwards is the only way; forwards keeps the last `limit` of them.
    for _ in 0..QUERY_RECORDS_PER_SLICE {
        if next.is_none() {
            break;
        }
        let entry = log.entry(*next)?;
        let transfer = entry.transfer;
        let timestamp = Timestamp(transfer.timestamp);
        if timestamp < min || (reversed && found.len() == limit) {
            *next = Position::NONE;
            break;
        }
        if timestamp <= max && matches_account_filter(filter, &transfer) {
            found.push_back((*next, transfer));
            if !reversed && found.len() > limit {
                found.pop_front();
            }
        }
        assert!(
            transfer.debit_account_id == filter.account_id
                || transfer.credit_account_id == filter.account_id,
            "the chain of an account holds its own transfers"
        );
        let links = entry.links();
        let here = *next;
        *next = if transfer.debit_account_id == filter.account_id {
            links.debit_previous
        } else {
            links.credit_previous
        };
        assert!(*next < here, "the chain of an account leads back");
        assert!(found.len() <= limit, "no more is kept than one answer holds");
    }
    if !next.is_none() {
        return Ok(None);
    }
    let mut found = Vec::from(std::mem::take(found));
    if !reversed {
        found.reverse();
    }
    Ok(Some(found))
}

/// Learns what became of holds in the frames of one slice. Gives the next frame.
fn settle(
    first: Option<Position>,
    end: Position,
    settled: &mut BTreeMap<u128, PendingStatus>,
    log: &mut impl CommittedLog,
) -> Result<Option<Position>, RecordError> {
    let Some(first) = first else { return Ok(None) };
    assert!(first < end, "a search goes on within its bounds");
    let mut budget = Budget::new();
    log.scan(first, end, &mut |scanned| {
        match scanned {
            Scanned::Created(transfers) => {
                for transfer in transfers {
                    let status = if transfer.has(TransferFlags::POST_PENDING_TRANSFER) {
                        PendingStatus::Posted
                    } else if transfer.has(TransferFlags::VOID_PENDING_TRANSFER) {
                        PendingStatus::Voided
                    } else {
                        continue;
                    };
                    let before = settled.insert(transfer.pending_id, status);
                    assert_eq!(before, None, "a hold is settled once");
                }
            }
            Scanned::Released(ids) => {
                for &id in ids {
                    let before = settled.insert(id, PendingStatus::Expired);
                    assert_eq!(before, None, "a hold that is settled doesn't expire");
                }
            }
        }
        budget.spend(&scanned)
    })
}

/// Looks for transfers in the frames of one slice. Gives the next frame, none if that was all.
fn search(
    filter: &QueryTransfersFilter,
    first: Option<Position>,
    end: Position,
    settled: &BTreeMap<u128, PendingStatus>,
    found: &mut VecDeque<Transfer>,
    log: &mut impl CommittedLog,
) -> Result<Option<Position>, RecordError> {
    let Some(first) = first else { return Ok(None) };
    let (min, max) = filter.bounds();
    let limit = limit_of(filter.limit);
    let reversed = filter.flags & QueryFilterFlags::REVERSED != 0;
    let mut budget = Budget::new();
    let mut over = false;
    let next = log.scan(first, end, &mut |scanned| {
        if let Scanned::Created(transfers) = scanned {
            for transfer in transfers {
                let timestamp = Timestamp(transfer.timestamp);
                if timestamp > max || (!reversed && found.len() == limit) {
                    over = true;
                    return ControlFlow::Break(());
                }
                let newest = found.back().map_or(0, |found| found.timestamp);
                assert!(transfer.timestamp > newest, "transfers stand in their order");
                if timestamp >= min && matches_query(filter, transfer, settled) {
                    found.push_back(*transfer);
                    if found.len() > limit {
                        found.pop_front();
                    }
                }
            }
        }
        budget.spend(&scanned)
    })?;
    assert!(next.is_none_or(|next| next > first), "each slice gets further");
    assert!(found.len() <= limit, "no more is kept than one answer holds");
    Ok(next.filter(|_| !over))
}

/// What a slice over frames may still look at.
struct Budget(usize);

impl Budget {
    const fn new() -> Self {
        Self(QUERY_TRANSFERS_PER_SLICE)
    }

    /// A frame costs what is in it, and as much as some transfers more to be read at all.
    fn spend(&mut self, scanned: &Scanned<'_>) -> ControlFlow<()> {
        const FRAME: usize = 32;
        let inside = match scanned {
            Scanned::Created(transfers) => transfers.len(),
            Scanned::Released(ids) => ids.len(),
        };
        self.0 = self.0.saturating_sub(FRAME + inside);
        if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
