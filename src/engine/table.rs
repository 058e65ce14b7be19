//! The account rows of one partition.

use super::hash::IdHasher;
use super::index::{Growth, IdIndex};
use crate::io::prefetch_read;
use crate::ledger::decide::DenseRow;
use crate::ledger::{Account, digest};

/// Rows are allocated in chunks that never move, so that growing never copies them.
const CHUNK_ROWS: usize = 1 << 14;

/// How far ahead rows are asked for when many are stored.
const PREFETCH_ROWS: usize = 16;

/// The part of an account that transfers touch: two cache lines.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    id: u128,
    debits_pending: u128,
    debits_posted: u128,
    credits_pending: u128,
    credits_posted: u128,
    last_position: u64,
    timestamp: u64,
    user_data_64: u64,
    user_data_32: u32,
    ledger: u32,
    code: u16,
    flags: u16,
    /// Place of the row among the dense rows of the current batch, counted from 1; 0 between.
    mark: u32,
}

const _: () = assert!(size_of::<Row>() == 128);

#[derive(Debug)]
struct Chunk {
    rows: Box<[Row]>,
    user_data_128: Box<[u128]>,
}

impl Chunk {
    fn new() -> Self {
        Self {
            rows: vec![Row::default(); CHUNK_ROWS].into_boxed_slice(),
            user_data_128: vec![0; CHUNK_ROWS].into_boxed_slice(),
        }
    }
}

/// The accounts of a partition, in the order of their creation.
#[derive(Debug)]
pub(super) struct AccountTable {
    index: IdIndex,
    chunks: Vec<Chunk>,
    rows: usize,
    digest: u64,
}

impl AccountTable {
    pub(super) fn new(hasher: IdHasher) -> Self {
        Self { index: IdIndex::new(hasher), chunks: Vec::new(), rows: 0, digest: 0 }
    }

    /// Lets a large index grow on another thread from now on.
    pub(super) fn grow_by(&mut self, growth: Growth) {
        self.index.grow_by(growth);
    }

    /// Takes back what has grown since.
    pub(super) fn take_grown(&mut self) {
        self.index.take_grown();
    }

    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// The digest of all accounts.
    pub(super) const fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn prefetch_tags(&self, hash: u64) {
        self.index.prefetch_tags(hash);
    }

    pub(super) fn prefetch_entry(&self, hash: u64) {
        self.index.prefetch_entry(hash);
    }

    /// The slot of an account.
    pub(super) fn find(&self, hash: u64, id: u128) -> Option<u32> {
        self.index.get(hash, id).and_then(|slot| u32::try_from(slot).ok())
    }

    pub(super) fn prefetch_row(&self, slot: u32) {
        let row = self.row(slot);
        prefetch_read(&row.id);
        prefetch_read(&row.credits_posted);
    }

    /// Copies the row into the dense rows of the batch, unless it is there. Gives its place.
    pub(super) fn load(
        &mut self,
        slot: u32,
        rows: &mut Vec<DenseRow>,
        slots: &mut Vec<u32>,
    ) -> u32 {
        let row = self.row_mut(slot);
        if row.mark == 0 {
            rows.push(row.dense());
            slots.push(slot);
            row.mark = place(rows.len());
        }
        row.mark - 1
    }

    /// Copies the dense rows back and ends their places in the batch.
    pub(super) fn store_all(&mut self, slots: &[u32], rows: &[DenseRow]) {
        for (at, (&slot, row)) in slots.iter().zip(rows).enumerate() {
            if let Some(&ahead) = slots.get(at + PREFETCH_ROWS) {
                self.prefetch_row(ahead);
            }
            self.store(slot, row);
        }
    }

    /// Copies a dense row back and ends its place in the batch.
    fn store(&mut self, slot: u32, dense: &DenseRow) {
        let row = self.row_mut(slot);
        let before = digest::account_state(row.id, &row.dense());
        row.set(dense);
        row.mark = 0;
        let after = digest::account_state(row.id, dense);
        self.digest = self.digest.wrapping_sub(before).wrapping_add(after);
    }

    /// Adds an account, whose id is not there yet.
    pub(super) fn insert(&mut self, hash: u64, account: &Account) {
        let slot = self.rows;
        if slot / CHUNK_ROWS == self.chunks.len() {
            self.chunks.push(Chunk::new());
        }
        let chunk = &mut self.chunks[slot / CHUNK_ROWS];
        let row = Row::new(account);
        chunk.rows[slot % CHUNK_ROWS] = row;
        chunk.user_data_128[slot % CHUNK_ROWS] = account.user_data_128;
        self.rows += 1;
        self.index.set(hash, account.id, slot as u64);
        self.digest = self
            .digest
            .wrapping_add(digest::account_identity(account))
            .wrapping_add(digest::account_state(account.id, &row.dense()));
    }

    /// The whole account.
    pub(super) fn account(&self, slot: u32) -> Account {
        let user_data = &self.chunks[slot as usize / CHUNK_ROWS].user_data_128;
        self.row(slot).account(user_data[slot as usize % CHUNK_ROWS])
    }

    /// The part of an account that a decision sees.
    pub(super) fn dense(&self, slot: u32) -> DenseRow {
        self.row(slot).dense()
    }

    /// Position of the newest transfer record of an account, 0 for none.
    pub(super) fn last_position(&self, slot: u32) -> u64 {
        self.row(slot).last_position
    }

    /// The first slot of an account that is not older than `timestamp`.
    pub(super) fn first_since(&self, timestamp: u64) -> u32 {
        let (mut low, mut high) = (0, place(self.rows));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle).timestamp < timestamp {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// When the account of that slot was created.
    pub(super) fn timestamp(&self, slot: u32) -> u64 {
        self.row(slot).timestamp
    }

    fn row(&self, slot: u32) -> &Row {
        &self.chunks[slot as usize / CHUNK_ROWS].rows[slot as usize % CHUNK_ROWS]
    }

    fn row_mut(&mut self, slot: u32) -> &mut Row {
        &mut self.chunks[slot as usize / CHUNK_ROWS].rows[slot as usize % CHUNK_ROWS]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "capacity is limited to 2^32 accounts")]
const fn place(rows: usize) -> u32 {
    rows as u32
}

impl Row {
    fn new(account: &Account) -> Self {
        Self {
            id: account.id,
            debits_pending: account.debits_pending,
            debits_posted: account.debits_posted,
            credits_pending: account.credits_pending,
            credits_posted: account.credits_posted,
            last_position: 0,
            timestamp: account.timestamp,
            user_data_64: account.user_data_64,
            user_data_32: account.user_data_32,
            ledger: account.ledger,
            code: account.code,
            flags: account.flags,
            mark: 0,
        }
    }

    const fn dense(&self) -> DenseRow {
        DenseRow {
            debits_pending: self.debits_pending,
            debits_posted: self.debits_posted,
            credits_pending: self.credits_pending,
            credits_posted: self.credits_posted,
            timestamp: self.timestamp,
            last_position: self.last_position,
            ledger: self.ledger,
            flags: self.flags,
        }
    }

    const fn set(&mut self, dense: &DenseRow) {
        self.debits_pending = dense.debits_pending;
        self.debits_posted = dense.debits_posted;
        self.credits_pending = dense.credits_pending;
        self.credits_posted = dense.credits_posted;
        self.last_position = dense.last_position;
        self.flags = dense.flags;
    }

    const fn account(&self, user_data_128: u128) -> Account {
        Account {
            id: self.id,
            debits_pending: self.debits_pending,
            debits_posted: self.debits_posted,
            credits_pending: self.credits_pending,
            credits_posted: self.credits_posted,
            user_data_128,
            user_data_64: self.user_data_64,
            user_data_32: self.user_data_32,
            reserved: 0,
            ledger: self.ledger,
            code: self.code,
            flags: self.flags,
            timestamp: self.timestamp,
        }
    }
}
