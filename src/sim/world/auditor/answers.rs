//! The right answers to reads, and what a client was told against what is so.

use crate::ledger::model::Model;
use crate::ledger::{FilterError, ResolveOutcome, Timestamp};
use crate::wire::{Reply, Request, RequestError};

/// The answer to a write of no events.
pub(super) const fn nothing(request: &Request) -> Reply {
    match request {
        Request::ResolveTransfers { .. } => Reply::ResolveResults(Vec::new()),
        _ => Reply::CreateResults(Vec::new()),
    }
}

/// The answer to a read in this state, where the state alone decides it.
pub(super) fn read(model: &mut Model, request: &Request) -> Option<Reply> {
    Some(match request {
        Request::LookupAccounts(ids) => Reply::Accounts(model.lookup_accounts(ids)),
        Request::LookupTransfers(ids) => Reply::Transfers(model.lookup_transfers(ids)),
        Request::ResolveTransfers { ids, .. } => {
            Reply::ResolveResults(model.resolve_transfers(ids, false, Timestamp(0)))
        }
        Request::GetAccountTransfers(filter) => {
            listed(model.get_account_transfers(filter), Reply::Transfers)
        }
        Request::GetAccountBalances(filter) => {
            listed(model.get_account_balances(filter), Reply::Balances)
        }
        Request::QueryAccounts(filter) => listed(model.query_accounts(filter), Reply::Accounts),
        Request::QueryTransfers(filter) => listed(model.query_transfers(filter), Reply::Transfers),
        Request::Status
        | Request::Ping
        | Request::CreateAccounts(_)
        | Request::CreateTransfers(_)
        | Request::Command { .. } => return None,
    })
}

fn listed<T>(found: Result<Vec<T>, FilterError>, wrap: fn(Vec<T>) -> Reply) -> Reply {
    match found {
        Ok(records) => wrap(records),
        Err(error) => Reply::Error(RequestError::from(error)),
    }
}

/// Whether a settled outcome of an id is what the ledger shows in the end.
pub(in crate::sim::world) fn still_true(
    model: &Model,
    id: u128,
    outcome: u32,
    timestamp: u64,
) -> bool {
    let stored = model.lookup_transfers(&[id]).pop();
    match ResolveOutcome::from_code(outcome) {
        Some(ResolveOutcome::Created) => stored.is_some_and(|found| found.timestamp == timestamp),
        Some(ResolveOutcome::Failed | ResolveOutcome::Fenced) => stored.is_none(),
        // A resolve that fences leaves nothing unknown.
        Some(ResolveOutcome::Unknown) | None => false,
    }
}
