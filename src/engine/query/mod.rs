//! Reads that walk the committed log: run by query threads, away from the cores.
//!
//! Everything that a [`LongRead`] needs of the state was taken when it was ordered; the log up to
//! that op does the rest, and it never changes. A read is carried out in slices ([`Reading`]), so that
//! a thread serves many in turns ([`Queries`]), and leaves off when nobody waits for the answer.

mod matching;
mod queries;
mod reading;

use std::ops::ControlFlow;

pub use self::queries::{Answered, Queries};
pub use self::reading::Reading;
use crate::ledger::{
    AccountBalance, AccountFilter, QueryTransfersFilter, ResolveOutcome, ResolveResult, Transfer,
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

    /// Shows the frames from `first` to `end`, one after the other, until `visit` breaks off. Gives the
    /// frame after the last one shown, if there is one before `end`.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn scan(
        &mut self,
        first: Position,
        end: Position,
        visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Position>, RecordError>;
}

/// What a scan sees of a frame.
#[derive(Debug, Clone, Copy)]
pub enum Scanned<'a> {
    /// The transfers that a frame created.
    Created(&'a [Transfer]),
    /// The holds that a frame released.
    Released(&'a [u128]),
}

/// Carries out a read from its beginning to its end.
///
/// # Errors
/// When the log can't be read.
pub fn run(read: &LongRead, log: &mut impl CommittedLog) -> Result<Reply, RecordError> {
    let mut reading = Reading::new(read.clone());
    loop {
        if let Some(reply) = reading.step(log)? {
            return Ok(reply);
        }
    }
}
