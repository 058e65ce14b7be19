//! The reference model: the ledger's rules in their slowest and most obvious form.
//!
//! It owns nothing but maps of whole records, answers one request at a time, and promises to follow
//! the order of the rules exactly as they are specified. Tests and the simulator hold every answer
//! of the engine against it.
//!
//! It shares the record types, the statuses and the bounds with the engine and nothing else, and it
//! never looks at a clock: the reading comes in with each request.
//!
//! - `accounts`, `transfers`, `holds`: may this event happen, and what does it change?
//! - `batch`: slots, `imported` agreement and chains, the same for both kinds of event.
//! - `commands`: acts of operators.
//! - `reads`, `audit`: questions that change nothing.

mod accounts;
mod audit;
mod batch;
mod book;
mod commands;
mod holds;
mod reads;
mod transfers;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use audit::LedgerTotals;

use super::{
    Account, AccountBalance, Capacity, CreateResult, ResolveOutcome, ResolveResult, Timestamp,
    Transfer,
};
use book::Book;
use holds::Hold;

/// The whole state of a ledger. See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Model {
    last_timestamp: u64,
    accounts: Book<u128, Account>,
    accounts_by_timestamp: Book<u64, u128>,
    transfers: Book<u128, Transfer>,
    transfers_by_timestamp: Book<u64, u128>,
    holds: Book<u128, Hold>,
    /// Keyed by account and by the timestamp of the transfer after which the balance stood so.
    balances: Book<(u128, u64), AccountBalance>,
    /// Outside the books on purpose: a burn survives the roll-back of its chain.
    burned: BTreeSet<u128>,
    fenced: BTreeSet<u128>,
    /// How much there may be.
    capacity: Capacity,
}

impl Model {
    /// A ledger in which nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest timestamp that was ordered; every later slot lies above it.
    #[must_use]
    pub const fn last_timestamp(&self) -> Timestamp {
        Timestamp(self.last_timestamp)
    }

    /// One `create_accounts` request that was ordered when the primary's clock read `clock`.
    pub fn create_accounts(&mut self, events: &[Account], clock: Timestamp) -> Vec<CreateResult> {
        batch::run(self, events, clock.0)
    }

    /// One `create_transfers` request that was ordered when the primary's clock read `clock`.
    pub fn create_transfers(&mut self, events: &[Transfer], clock: Timestamp) -> Vec<CreateResult> {
        batch::run(self, events, clock.0)
    }

    /// One `resolve_transfers` request. Without `fence` it changes nothing.
    pub fn resolve_transfers(
        &mut self,
        ids: &[u128],
        fence: bool,
        clock: Timestamp,
    ) -> Vec<ResolveResult> {
        if fence {
            self.last_timestamp = self.base(clock.0);
            for id in ids {
                if self.outcome_of(*id).0 == ResolveOutcome::Unknown {
                    self.fenced.insert(*id);
                }
            }
        }
        let result = |id: &u128| {
            let (outcome, timestamp) = self.outcome_of(*id);
            ResolveResult { timestamp, outcome: outcome as u32, reserved: 0 }
        };
        ids.iter().map(result).collect()
    }

    fn outcome_of(&self, id: u128) -> (ResolveOutcome, u64) {
        if let Some(transfer) = self.transfers.get(&id) {
            (ResolveOutcome::Created, transfer.timestamp)
        } else if self.burned.contains(&id) {
            (ResolveOutcome::Failed, 0)
        } else if self.fenced.contains(&id) {
            (ResolveOutcome::Fenced, 0)
        } else {
            (ResolveOutcome::Unknown, 0)
        }
    }

    /// The timestamp after which the slots of an operation ordered at `clock` begin.
    fn base(&self, clock: u64) -> u64 {
        self.last_timestamp.max(clock)
    }

    fn begin_chain(&mut self) {
        self.accounts.begin();
        self.accounts_by_timestamp.begin();
        self.transfers.begin();
        self.transfers_by_timestamp.begin();
        self.holds.begin();
        self.balances.begin();
    }

    fn keep_chain(&mut self) {
        self.accounts.keep();
        self.accounts_by_timestamp.keep();
        self.transfers.keep();
        self.transfers_by_timestamp.keep();
        self.holds.keep();
        self.balances.keep();
    }

    fn undo_chain(&mut self) {
        self.accounts.undo();
        self.accounts_by_timestamp.undo();
        self.transfers.undo();
        self.transfers_by_timestamp.undo();
        self.holds.undo();
        self.balances.undo();
    }
}
