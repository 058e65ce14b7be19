//! The account rows of one partition.

use std::collections::BTreeMap;

use super::slots::Slots;
use crate::io::prefetch_read;
use crate::ledger::decide::DenseRow;
use crate::ledger::{Account, AccountFlags, QueryAccountsFilter, digest};

/// Rows are allocated in chunks that never move, so that growing never copies them.
const CHUNK_ROWS: usize = 1 << 14;

/// How far ahead rows are asked for when many are stored.
const PREFETCH_ROWS: usize = 16;

/// The part of an account that transfers touch: one cache line.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    id: u128,
    counters: Counters,
    /// Position of the newest transfer record in units of 16 bytes, the lower part.
    last_low: u32,
    ledger: u32,
    /// Place of the row among the dense rows of the current batch, counted from 1; 0 between.
    mark: u32,
    last_high: u16,
    /// Those of the account, and [`WIDE`].
    flags: u16,
}

const _: () = assert!(size_of::<Row>() == 64);

/// In minor units, as long as all of them fit; else they stand in a map beside.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    debits_pending: u64,
    debits_posted: u64,
    credits_pending: u64,
    credits_posted: u64,
}

/// The counters of the row don't fit into it. No account has this flag.
const WIDE: u16 = 1 << 15;

const _: () = assert!(AccountFlags::ALL & WIDE == 0);

/// Records of the log are aligned to this.
const POSITION_UNIT: u64 = 16;

/// The part of an account that no transfer changes.
#[derive(Debug, Clone, Copy, Default)]
struct ColdRow {
    user_data_128: u128,
    user_data_64: u64,
    timestamp: u64,
    user_data_32: u32,
    code: u16,
}

#[derive(Debug)]
struct Chunk {
    rows: Box<[Row]>,
    cold: Box<[ColdRow]>,
}

impl Chunk {
    fn new() -> Self {
        Self {
            rows: vec![Row::default(); CHUNK_ROWS].into_boxed_slice(),
            cold: vec![ColdRow::default(); CHUNK_ROWS].into_boxed_slice(),
        }
    }
}

/// The accounts of a partition, in the order of their creation.
#[derive(Debug)]
pub(super) struct AccountTable {
    slots: Slots,
    chunks: Vec<Chunk>,
    /// Of the rows whose counters don't fit into them.
    wide: BTreeMap<u32, [u128; 4]>,
    rows: usize,
    digest: u64,
}

impl AccountTable {
    pub(super) fn new() -> Self {
        Self { slots: Slots::new(), chunks: Vec::new(), wide: BTreeMap::new(), rows: 0, digest: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// The digest of all accounts.
    pub(super) const fn digest(&self) -> u64 {
        self.digest
    }

    /// Asks the memory for the place where the slot of an account is found.
    #[inline]
    pub(super) fn prefetch_slot(&self, hash: u64) {
        self.slots.prefetch(hash);
    }

    /// Asks the memory for the row in which an account with that hash is likely to be found.
    #[inline]
    pub(super) fn prefetch_candidate(&self, hash: u64) {
        if let Some(slot) = self.slots.candidate(hash) {
            prefetch_read(self.row(slot));
        }
    }

    /// The slot of an account.
    #[inline]
    pub(super) fn find(&self, hash: u64, id: u128) -> Option<u32> {
        self.slots.find(hash, |slot| self.row(slot).id == id)
    }

    /// Copies the row into the dense rows of the batch, unless it is there. Gives its place.
    #[inline]
    pub(super) fn load(
        &mut self,
        slot: u32,
        timestamps: bool,
        rows: &mut Vec<DenseRow>,
        slots: &mut Vec<u32>,
    ) -> u32 {
        let mark = self.row(slot).mark;
        if mark != 0 {
            return mark - 1;
        }
        let mut dense = self.dense(slot);
        if timestamps {
            dense.timestamp = self.timestamp(slot);
        }
        rows.push(dense);
        slots.push(slot);
        let mark = place(rows.len());
        self.row_mut(slot).mark = mark;
        mark - 1
    }

    /// Copies the dense rows back and ends their places in the batch.
    pub(super) fn store_all(&mut self, slots: &[u32], rows: &[DenseRow]) {
        assert_eq!(slots.len(), rows.len(), "every row goes back to its slot");
        for (at, (&slot, row)) in slots.iter().zip(rows).enumerate() {
            assert!(self.row(slot).mark as usize == at + 1, "a row comes back as it was loaded");
            if let Some(&ahead) = slots.get(at + PREFETCH_ROWS) {
                prefetch_read(self.row(ahead));
            }
            self.store(slot, row);
        }
    }

    /// Copies a dense row back and ends its place in the batch.
    #[inline]
    fn store(&mut self, slot: u32, dense: &DenseRow) {
        let id = self.row(slot).id;
        let before = digest::account_state(id, &self.dense(slot));
        self.set_row(slot, dense);
        self.row_mut(slot).mark = 0;
        let after = digest::account_state(id, dense);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
    }

    fn set_row(&mut self, slot: u32, dense: &DenseRow) {
        let was_wide = self.row(slot).flags & WIDE != 0;
        assert!(dense.flags & WIDE == 0, "no account has the flag of the row");
        let counters = Counters::new(dense);
        let row = self.row_mut(slot);
        row.set_last_position(dense.last_position);
        row.ledger = dense.ledger;
        row.flags = dense.flags;
        if let Some(counters) = counters {
            row.counters = counters;
            if was_wide {
                self.wide.remove(&slot);
            }
        } else {
            row.flags |= WIDE;
            self.wide.insert(slot, wide_counters(dense));
        }
    }

    /// Adds an account, whose id is not there yet.
    pub(super) fn insert(&mut self, hash: u64, account: &Account) {
        let slot = place(self.rows);
        assert!(account.timestamp != 0 && account.id != 0, "what is added was decided");
        assert!(slot < u32::MAX - 1, "capacity is limited to fewer accounts");
        assert!(
            slot == 0 || self.timestamp(slot - 1) < account.timestamp,
            "accounts stand in the order of their timestamps"
        );
        if self.rows / CHUNK_ROWS == self.chunks.len() {
            self.chunks.push(Chunk::new());
        }
        let dense = DenseRow::from(account);
        self.row_mut(slot).id = account.id;
        self.set_row(slot, &dense);
        let chunk = &mut self.chunks[self.rows / CHUNK_ROWS];
        chunk.cold[self.rows % CHUNK_ROWS] = ColdRow {
            user_data_128: account.user_data_128,
            user_data_64: account.user_data_64,
            timestamp: account.timestamp,
            user_data_32: account.user_data_32,
            code: account.code,
        };
        self.rows += 1;
        self.slots.insert(hash, slot);
        self.digest = self
            .digest
            .wrapping_add(digest::account_identity(account))
            .wrapping_add(digest::account_state(account.id, &dense));
    }

    /// The whole account.
    pub(super) fn account(&self, slot: u32) -> Account {
        assert!((slot as usize) < self.rows, "a slot that was found has its row");
        let dense = self.dense(slot);
        let cold = self.cold(slot);
        Account {
            id: self.row(slot).id,
            debits_pending: dense.debits_pending,
            debits_posted: dense.debits_posted,
            credits_pending: dense.credits_pending,
            credits_posted: dense.credits_posted,
            user_data_128: cold.user_data_128,
            user_data_64: cold.user_data_64,
            user_data_32: cold.user_data_32,
            reserved: 0,
            ledger: dense.ledger,
            code: cold.code,
            flags: dense.flags,
            timestamp: cold.timestamp,
        }
    }

    /// The part of an account that a decision sees, but for its timestamp.
    #[inline]
    pub(super) fn dense(&self, slot: u32) -> DenseRow {
        let row = self.row(slot);
        let mut dense = row.dense();
        if row.flags & WIDE != 0 {
            let [debits_pending, debits_posted, credits_pending, credits_posted] = self.wide[&slot];
            dense.debits_pending = debits_pending;
            dense.debits_posted = debits_posted;
            dense.credits_pending = credits_pending;
            dense.credits_posted = credits_posted;
        }
        dense
    }

    /// Position of the newest transfer record of an account, 0 for none.
    pub(super) fn last_position(&self, slot: u32) -> u64 {
        self.row(slot).last_position()
    }

    /// The first slot of an account that is not older than `timestamp`.
    pub(super) fn first_since(&self, timestamp: u64) -> u32 {
        let (mut low, mut high) = (0, place(self.rows));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.timestamp(middle) < timestamp {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        assert!(low <= self.rows(), "the search stays within the table");
        low
    }

    /// How many rows there are: the first slot that is free.
    pub(super) const fn rows(&self) -> u32 {
        place(self.rows)
    }

    /// Whether an account has all that a filter names. None of that ever changes.
    #[inline]
    pub(super) fn matches(&self, slot: u32, filter: &QueryAccountsFilter) -> bool {
        let cold = self.cold(slot);
        (filter.user_data_128 == 0 || filter.user_data_128 == cold.user_data_128)
            && (filter.user_data_64 == 0 || filter.user_data_64 == cold.user_data_64)
            && (filter.user_data_32 == 0 || filter.user_data_32 == cold.user_data_32)
            && (filter.code == 0 || filter.code == cold.code)
            && (filter.ledger == 0 || filter.ledger == self.row(slot).ledger)
    }

    /// When the account of that slot was created.
    pub(super) fn timestamp(&self, slot: u32) -> u64 {
        self.cold(slot).timestamp
    }

    #[inline]
    fn row(&self, slot: u32) -> &Row {
        &self.chunks[slot as usize / CHUNK_ROWS].rows[slot as usize % CHUNK_ROWS]
    }

    #[inline]
    fn row_mut(&mut self, slot: u32) -> &mut Row {
        &mut self.chunks[slot as usize / CHUNK_ROWS].rows[slot as usize % CHUNK_ROWS]
    }

    fn cold(&self, slot: u32) -> &ColdRow {
        &self.chunks[slot as usize / CHUNK_ROWS].cold[slot as usize % CHUNK_ROWS]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "capacity is limited to 2^32 accounts")]
const fn place(rows: usize) -> u32 {
    rows as u32
}

const fn wide_counters(dense: &DenseRow) -> [u128; 4] {
    [dense.debits_pending, dense.debits_posted, dense.credits_pending, dense.credits_posted]
}

impl Counters {
    /// The counters of a row, if they fit.
    #[inline]
    fn new(dense: &DenseRow) -> Option<Self> {
        Some(Self {
            debits_pending: u64::try_from(dense.debits_pending).ok()?,
            debits_posted: u64::try_from(dense.debits_posted).ok()?,
            credits_pending: u64::try_from(dense.credits_pending).ok()?,
            credits_posted: u64::try_from(dense.credits_posted).ok()?,
        })
    }
}

impl Row {
    const fn last_position(&self) -> u64 {
        ((self.last_high as u64) << 32 | self.last_low as u64) * POSITION_UNIT
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "cuts the number into its parts")]
    fn set_last_position(&mut self, position: u64) {
        let units = position / POSITION_UNIT;
        assert!(units >> 48 == 0 && position.is_multiple_of(POSITION_UNIT), "{position}");
        self.last_low = units as u32;
        self.last_high = (units >> 32) as u16;
    }

    #[inline]
    fn dense(&self) -> DenseRow {
        DenseRow {
            debits_pending: u128::from(self.counters.debits_pending),
            debits_posted: u128::from(self.counters.debits_posted),
            credits_pending: u128::from(self.counters.credits_pending),
            credits_posted: u128::from(self.counters.credits_posted),
            timestamp: 0,
            last_position: self.last_position(),
            ledger: self.ledger,
            flags: self.flags & !WIDE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: u128) -> Account {
        Account {
            id,
            user_data_128: 7,
            user_data_64: 8,
            user_data_32: 9,
            ledger: 3,
            code: 4,
            flags: AccountFlags::HISTORY,
            timestamp: 1_000 + u64::try_from(id).unwrap(),
            ..Account::default()
        }
    }

    /// Stores the row of an account through a batch, as transfers do.
    fn store(table: &mut AccountTable, slot: u32, row: DenseRow) {
        let (mut rows, mut slots) = (Vec::new(), Vec::new());
        assert_eq!(table.load(slot, true, &mut rows, &mut slots), 0);
        assert_eq!(rows[0].timestamp, table.timestamp(slot));
        assert_eq!(table.load(slot, true, &mut rows, &mut slots), 0, "it is there already");
        rows[0] = row;
        table.store_all(&slots, &rows);
    }

    #[test]
    fn counters_of_any_size_come_back_as_they_were_stored() {
        let mut table = AccountTable::new();
        for id in 1..=3 {
            table.insert(5, &account(id));
        }
        assert_eq!(table.account(1), account(2));
        let empty = table.digest();
        let big = u128::from(u64::MAX);
        for counter in [0, 1, big, big + 1, u128::MAX, 7, big + 9, 0] {
            let row = DenseRow {
                debits_pending: counter,
                debits_posted: counter / 3,
                credits_pending: 0,
                credits_posted: counter / 2,
                last_position: (1 << 52) - 16,
                ledger: 3,
                flags: AccountFlags::HISTORY | AccountFlags::CLOSED,
                timestamp: 0,
            };
            store(&mut table, 1, row);
            assert_eq!((table.dense(1), table.last_position(1)), (row, row.last_position));
            assert_eq!(table.wide.len(), usize::from(counter > big));
            let whole = table.account(1);
            assert_eq!((whole.debits_pending, whole.timestamp), (counter, 1_002));
            assert_eq!((table.account(0), table.account(2)), (account(1), account(3)));
        }
        store(&mut table, 1, DenseRow { timestamp: 0, ..DenseRow::from(&account(2)) });
        assert_eq!(table.digest(), empty);
        let found = [1, 2, 3, 4].map(|id| table.find(5, id));
        assert_eq!(found, [Some(0), Some(1), Some(2), None]);
    }
}
