//! The dense rows of one batch: what the decision needs of each account, one array an owner.

use crate::ledger::{Account, AccountFlags};

/// The part of an account that a decision reads and changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DenseRow {
    /// In minor units.
    pub debits_pending: u128,
    /// In minor units.
    pub debits_posted: u128,
    /// In minor units.
    pub credits_pending: u128,
    /// In minor units.
    pub credits_posted: u128,
    /// When the account was created; 0 where no imported transfer asks for it.
    pub timestamp: u64,
    /// Log position of the newest transfer record of the account, 0 for none.
    pub last_position: u64,
    /// The account's ledger.
    pub ledger: u32,
    /// The account's flags.
    pub flags: u16,
}

impl DenseRow {
    /// Whether no transfer may touch the account, except the voiding of a hold.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.flags & AccountFlags::CLOSED != 0
    }

    /// Whether debiting `amount` more would break the account's limit.
    #[must_use]
    pub const fn debits_exceed_credits(&self, amount: u128) -> bool {
        self.flags & AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS != 0
            && self.debits_pending + self.debits_posted + amount > self.credits_posted
    }

    /// Whether crediting `amount` more would break the account's limit.
    #[must_use]
    pub const fn credits_exceed_debits(&self, amount: u128) -> bool {
        self.flags & AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS != 0
            && self.credits_pending + self.credits_posted + amount > self.debits_posted
    }
}

impl From<&Account> for DenseRow {
    fn from(account: &Account) -> Self {
        Self {
            debits_pending: account.debits_pending,
            debits_posted: account.debits_posted,
            credits_pending: account.credits_pending,
            credits_posted: account.credits_posted,
            timestamp: account.timestamp,
            last_position: 0,
            ledger: account.ledger,
            flags: account.flags,
        }
    }
}

/// Names a dense row: the owner in the upper 6 bits, the index in its array below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowReference(u32);

const INDEX_BITS: u32 = 26;

impl RowReference {
    /// There is no such account.
    pub const NONE: Self = Self(u32::MAX);

    /// Row `index` of the array of `owner`.
    #[must_use]
    pub fn new(owner: usize, index: u32) -> Self {
        assert!(owner < crate::limits::PARTITIONS_MAX && index < (1 << INDEX_BITS) - 1);
        #[expect(clippy::cast_possible_truncation, reason = "below 64, as just asserted")]
        Self(((owner as u32) << INDEX_BITS) | index)
    }

    /// Whether the row exists.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 != u32::MAX
    }

    const fn owner(self) -> usize {
        (self.0 >> INDEX_BITS) as usize
    }

    const fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }
}

/// The dense rows of a batch, an array for each owner.
#[derive(Debug, Default)]
pub struct Rows {
    owners: Vec<Vec<DenseRow>>,
}

impl Rows {
    /// An empty set of rows for that many owners.
    #[must_use]
    pub fn new(owners: usize) -> Self {
        Self { owners: (0..owners).map(|_| Vec::new()).collect() }
    }

    /// Takes the array of one owner, giving back the one that stood there.
    pub fn swap(&mut self, owner: usize, rows: &mut Vec<DenseRow>) {
        std::mem::swap(&mut self.owners[owner], rows);
    }

    /// The row, which must exist.
    #[must_use]
    #[inline]
    pub fn get(&self, row: RowReference) -> &DenseRow {
        &self.owners[row.owner()][row.index()]
    }

    /// The row, which must exist.
    #[inline]
    pub fn get_mut(&mut self, row: RowReference) -> &mut DenseRow {
        &mut self.owners[row.owner()][row.index()]
    }
}
