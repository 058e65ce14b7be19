//! What travels between the coordinator and the owner of a partition: one box a batch and owner.

use crate::ledger::decide::{DenseRow, HoldState};
use crate::ledger::{Account, Timestamp, Transfer};

/// An id to look up, with its hash.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// The id.
    pub id: u128,
    /// Its hash.
    pub hash: u64,
    /// What asks: an index that only the coordinator understands.
    pub tag: u32,
}

/// The answer for the id of an event.
#[derive(Debug, Clone, Copy)]
pub struct IdAnswer {
    /// The packed [`super::known::Known`], if the id was known before the batch.
    pub known: Option<u64>,
    /// The first event of the batch with that id.
    pub first: u32,
}

/// What the owner of an id knows of it as a hold.
#[derive(Debug, Clone, Copy)]
pub enum KnownHold {
    /// It is the id of this open hold.
    Open(Transfer),
    /// It is not: the packed [`super::known::Known`], if the id was known before the batch.
    Not(Option<u64>),
}

/// The answer for the id of a hold; posts and voids of the same hold share one.
#[derive(Debug, Clone, Copy)]
pub struct HoldAnswer {
    /// What was known before the batch.
    pub known: KnownHold,
    /// The first event of the batch with that id, if there is one.
    pub in_batch: Option<u32>,
}

/// No such account, among the answers for accounts.
pub(super) const NO_ROW: u32 = u32::MAX;

/// Questions to and answers from one owner about one batch, and then what it shall apply.
#[derive(Debug, Default)]
pub struct Work {
    /// Ids of events that the partition owns, in the order of the batch; `tag` is the event.
    pub ids: Vec<Probe>,
    /// Ids of holds; `tag` is the event.
    pub holds: Vec<Probe>,
    /// Ids of accounts; `tag` is the coordinator's.
    pub accounts: Vec<Probe>,
    /// Whether this is the second round, in which only accounts are asked for.
    pub loaded: bool,
    /// Whether rows need the timestamps of their accounts.
    pub timestamps: bool,
    /// How many of `accounts` have been answered: later ones belong to the second round.
    pub accounts_answered: usize,

    /// For each of `ids`.
    pub id_answers: Vec<IdAnswer>,
    /// For each of `holds`: its place in `hold_answers`.
    pub hold_places: Vec<u32>,
    /// One for each hold.
    pub hold_answers: Vec<HoldAnswer>,
    /// For each of `accounts`: its place in `rows`, or `NO_ROW`.
    pub account_places: Vec<u32>,
    /// The accounts of the batch.
    pub rows: Vec<DenseRow>,
    /// Their slots, for the owner.
    pub slots: Vec<u32>,

    /// Ids to set: the packed [`super::known::Known`] of each.
    pub sets: Vec<(u128, u64, u64)>,
    /// Holds that were created, with the hash of their ids.
    pub opened: Vec<(Transfer, u64)>,
    /// Holds that were settled, with their hash.
    pub closed: Vec<(u128, u64, HoldState)>,
    /// Accounts that were created, with their hash.
    pub created_accounts: Vec<(Account, u64)>,

    /// The digest of the partition before the batch.
    pub digest: u64,
    /// When the partition's next hold ends.
    pub next_expiry: Option<Timestamp>,
}

impl Work {
    /// Empties everything and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.holds.clear();
        self.accounts.clear();
        self.loaded = false;
        self.timestamps = false;
        self.accounts_answered = 0;
        self.id_answers.clear();
        self.hold_places.clear();
        self.hold_answers.clear();
        self.account_places.clear();
        self.rows.clear();
        self.slots.clear();
        self.sets.clear();
        self.opened.clear();
        self.closed.clear();
        self.created_accounts.clear();
        self.digest = 0;
        self.next_expiry = None;
    }
}
