//! What an event refers to, already looked up.

use super::RowReference;
use crate::ledger::Transfer;

/// What the tables knew of a transfer id before the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdState {
    /// Never seen, or only in failures that leave the id free.
    #[default]
    Fresh,
    /// Created: index into the batch's stored transfers.
    Stored(u32),
    /// Burned by a failure that depended on the state.
    Burned,
    /// Fenced by a resolve.
    Fenced,
}

/// Which hold a post or void names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HoldReference {
    /// No created transfer has that id, neither before nor in this batch.
    #[default]
    None,
    /// Created before the batch: index into the batch's hold rows.
    Stored(u32),
    /// Perhaps created in this batch: the first event with that id.
    InBatch(u32),
}

/// The state of a transfer that a post or void names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldState {
    /// An ordinary transfer.
    NotPending,
    /// Not settled yet.
    Open,
    /// Settled by a post.
    Posted,
    /// Settled by a void.
    Voided,
    /// Released by an expiry.
    Expired,
}

/// A transfer from before the batch that a post or void names.
#[derive(Debug, Clone, Copy)]
pub struct HoldRow {
    /// The record as stored.
    pub record: Transfer,
    /// Whether it can still be settled.
    pub state: HoldState,
    /// Its debit account.
    pub debit: RowReference,
    /// Its credit account.
    pub credit: RowReference,
}

/// All that one event refers to.
#[derive(Debug, Clone, Copy)]
pub struct Operand {
    /// What was known of its id before the batch.
    pub id: IdState,
    /// The first event of the batch with the same id, itself if there is no earlier one.
    pub first: u32,
    /// The debit account that the event names.
    pub debit: RowReference,
    /// The credit account that the event names.
    pub credit: RowReference,
    /// The hold that a post or void names.
    pub hold: HoldReference,
}

impl Default for Operand {
    fn default() -> Self {
        Self {
            id: IdState::Fresh,
            first: 0,
            debit: RowReference::NONE,
            credit: RowReference::NONE,
            hold: HoldReference::None,
        }
    }
}
