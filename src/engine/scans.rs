//! Walks over the accounts of a partition, in slices.
//!
//! Accounts are only ever added behind the others, and nothing that a filter asks for ever changes. So a
//! scan notes the slots of what it found, slice by slice while batches go on, and takes the balances
//! only at its end, when no owner has anything left to look at: then the whole answer is true at that
//! one op.

use std::collections::VecDeque;

use crate::ledger::{Account, QueryAccountsFilter, QueryFilterFlags};
use crate::limits::{RECORDS_PER_REPLY_MAX, SCAN_NS_MAX, SCAN_ROWS_PER_SLICE};

/// How many records a filter's limit allows in one reply.
#[must_use]
pub(super) fn limit_of(limit: u32) -> usize {
    (limit as usize).min(RECORDS_PER_REPLY_MAX)
}

/// How far one owner has come.
///
/// Invariant: the slots from `low` to before `high` have been looked at, and `found` has those of them
/// that match, in ascending order, at most `limit`: the last ones if the scan is reversed, else the first.
#[derive(Debug, Clone)]
pub struct ScanCursor {
    filter: QueryAccountsFilter,
    reversed: bool,
    limit: usize,
    /// Nothing before the first slice.
    looked_at: Option<(u32, u32)>,
    found: VecDeque<u32>,
    /// Rows that the table had at the slice before.
    rows: u32,
}

/// Rows as a scan sees them.
pub(super) trait Rows {
    /// How many there are.
    fn rows(&self) -> u32;
    /// The first slot of a row that is not older.
    fn first_since(&self, timestamp: u64) -> u32;
    /// Whether a row is wanted.
    fn matches(&self, slot: u32, filter: &QueryAccountsFilter) -> bool;
    /// The whole row.
    fn account(&self, slot: u32) -> Account;
}

impl ScanCursor {
    /// Before the first slice.
    #[must_use]
    pub fn new(filter: QueryAccountsFilter) -> Self {
        Self {
            filter,
            reversed: filter.flags & QueryFilterFlags::REVERSED != 0,
            limit: limit_of(filter.limit),
            looked_at: None,
            found: VecDeque::new(),
            rows: 0,
        }
    }

    /// Looks at the rows of one slice. Whether there is nothing left to look at now.
    ///
    /// A slice has rows to spare for those that were added since the one before: a scan ends, however many
    /// accounts are being created.
    pub(super) fn advance(&mut self, table: &impl Rows) -> bool {
        let rows = table.rows();
        assert!(rows >= self.rows, "accounts are only ever added");
        let added = if self.looked_at.is_some() { rows - self.rows } else { 0 };
        self.rows = rows;
        let mut budget = SCAN_ROWS_PER_SLICE + 2 * added;
        assert!(budget > added, "a slice gets further than the table grows");
        let (min, max) = self.filter.bounds();
        let (first, end) = (table.first_since(min.0), table.first_since(max.0 + 1));
        assert!(first <= end && end <= rows, "slots stand in the order of their timestamps");
        if self.reversed {
            let (mut low, mut high) = self.looked_at.unwrap_or((end, end));
            while high < end && budget > 0 {
                if table.matches(high, &self.filter) {
                    self.found.push_back(high);
                    if self.found.len() > self.limit {
                        self.found.pop_front();
                    }
                }
                high += 1;
                budget -= 1;
            }
            while low > first && self.found.len() < self.limit && budget > 0 {
                low -= 1;
                budget -= 1;
                if table.matches(low, &self.filter) {
                    self.found.push_front(low);
                }
            }
            self.looked_at = Some((low, high));
            high == end && (low == first || self.found.len() == self.limit)
        } else {
            let (low, mut high) = self.looked_at.unwrap_or((first, first));
            while high < end && self.found.len() < self.limit && budget > 0 {
                if table.matches(high, &self.filter) {
                    self.found.push_back(high);
                }
                high += 1;
                budget -= 1;
            }
            self.looked_at = Some((low, high));
            high == end || self.found.len() == self.limit
        }
    }

    /// Whether a slice has been done.
    pub(super) const fn is_under_way(&self) -> bool {
        self.looked_at.is_some()
    }

    /// The accounts that were found, as they are now. Nothing may be left to look at.
    pub(super) fn collect(&self, table: &impl Rows) -> Vec<Account> {
        assert!(self.looked_at.is_some(), "a scan has looked at something before it ends");
        assert!(self.found.len() <= self.limit, "no more is found than was wanted");
        assert!(self.found.iter().is_sorted(), "slots are found in their order");
        assert_eq!(table.rows(), self.rows, "no batch came between the last slice and the answer");
        self.found.iter().map(|&slot| table.account(slot)).collect()
    }
}

/// A scan that waits for its turn, with a cursor for each owner.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) filter: QueryAccountsFilter,
    /// Empty before the first slice.
    pub(super) cursors: Vec<ScanCursor>,
    /// When it is given up.
    pub(super) deadline_ns: u64,
}

impl Scan {
    pub(super) const fn new(filter: QueryAccountsFilter, now_ns: u64) -> Self {
        Self { filter, cursors: Vec::new(), deadline_ns: now_ns.saturating_add(SCAN_NS_MAX) }
    }

    /// The found accounts of all owners as one answer.
    pub(super) fn merge(&self, mut found: Vec<Account>) -> Vec<Account> {
        found.sort_by_key(|account| account.timestamp);
        if self.filter.flags & QueryFilterFlags::REVERSED != 0 {
            found.reverse();
        }
        found.truncate(limit_of(self.filter.limit));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Timestamp;

    /// Rows whose timestamps are their slots; every seventh is wanted.
    struct Table(u32);

    impl Rows for Table {
        fn rows(&self) -> u32 {
            self.0
        }

        fn first_since(&self, timestamp: u64) -> u32 {
            u32::try_from(timestamp).unwrap_or(u32::MAX).min(self.0)
        }

        fn matches(&self, slot: u32, _: &QueryAccountsFilter) -> bool {
            slot % 7 == 3
        }

        fn account(&self, slot: u32) -> Account {
            Account { id: slot.into(), ..Account::default() }
        }
    }

    /// What is found while so many rows are added between two slices, and after how many slices.
    fn scanned(filter: QueryAccountsFilter, added: u32) -> (Vec<u128>, u32, Table) {
        let mut table = Table(100_000);
        let mut cursor = ScanCursor::new(filter);
        let mut slices = 1;
        while !cursor.advance(&table) {
            table.0 += added;
            slices += 1;
        }
        let found = cursor.collect(&table).iter().map(|account| account.id).collect();
        (found, slices, table)
    }

    #[test]
    fn a_scan_finds_what_one_look_at_its_end_would_find_however_many_rows_are_added() {
        for added in [0, 1, 1_000, 8_190] {
            for reversed in [false, true] {
                for (limit, min, max) in [(10, 0, 0), (8_000, 0, 0), (8_190, 50_000, 99_000)] {
                    let flags = if reversed { QueryFilterFlags::REVERSED } else { 0 };
                    let filter = QueryAccountsFilter {
                        limit,
                        flags,
                        timestamp_min: min,
                        timestamp_max: max,
                        ..QueryAccountsFilter::default()
                    };
                    let (found, slices, table) = scanned(filter, added);
                    let (from, to) = filter.bounds();
                    let wanted = |slot: &u32| {
                        let at = Timestamp(u64::from(*slot));
                        table.matches(*slot, &filter) && at >= from && at <= to
                    };
                    let mut all: Vec<u128> = (0..table.0).filter(wanted).map(u128::from).collect();
                    if reversed {
                        all = all.split_off(all.len().saturating_sub(limit as usize));
                    } else {
                        all.truncate(limit as usize);
                    }
                    assert_eq!(found, all, "{added} added, limit {limit}, reversed {reversed}");
                    assert!(slices > 2 || limit == 10, "{slices} slices");
                }
            }
        }
    }
}
