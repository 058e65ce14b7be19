//! Recognizes what no status shows, from the answers and from the model after them.

use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::model::Model;
use crate::ledger::{CreateResult, PendingStatus, Transfer, TransferFlags as Flags};
use crate::sim::coverage::{Coverage, Situation};

const CLOSES: u16 = Flags::CLOSING_DEBIT | Flags::CLOSING_CREDIT;

/// Counts the situations that one request has met.
pub(super) fn note_transfers(
    coverage: &mut Coverage,
    model: &Model,
    events: &[Transfer],
    results: &[CreateResult],
) {
    let statuses: Vec<Option<Status>> =
        results.iter().map(|result| Status::from_code(result.status)).collect();
    for (index, event) in events.iter().enumerate() {
        let Some(status) = statuses[index] else { continue };
        let next = statuses.get(index + 1).copied().flatten();
        let is_last_of_chain = index > 0 && events[index - 1].has(Flags::LINKED);
        let in_chain = event.has(Flags::LINKED) || is_last_of_chain;
        match status {
            Created if event.has(Flags::LINKED) => coverage.count(Situation::ChainCreatedWhole),
            Exists if event.has(Flags::LINKED) && next == Some(Exists) => {
                coverage.count(Situation::ChainResentWhole);
            }
            LinkedEventFailed if event.has(Flags::IMPORTED) => {
                coverage.count(Situation::ImportedChainRolledBack);
            }
            PendingTransferExpired
                if model.pending_status(event.pending_id) == Some(PendingStatus::Pending) =>
            {
                coverage.count(Situation::HoldDueButNotReleased);
            }
            _ if status.burns_id() && in_chain => {
                coverage.count(Situation::IdBurnedInRolledBackChain);
            }
            _ => {}
        }
        if status == Created {
            note_created(coverage, model, event, &events[..index]);
        }
    }
}

fn note_created(coverage: &mut Coverage, model: &Model, event: &Transfer, before: &[Transfer]) {
    for stored in model.lookup_transfers(&[event.id]) {
        let balances = event.has_any(Flags::BALANCING_DEBIT | Flags::BALANCING_CREDIT);
        if balances && stored.amount < event.amount {
            coverage.count(Situation::AmountCutByBalancing);
        }
        let Some(hold) = model.lookup_transfers(&[event.pending_id]).pop() else { continue };
        if stored.amount < hold.amount {
            coverage.count(Situation::HoldPostedInPart);
        }
        if before.iter().any(|earlier| earlier.id == hold.id) {
            coverage.count(Situation::HoldSettledInItsOwnRequest);
        }
        if event.has(Flags::IMPORTED) {
            coverage.count(Situation::HoldSettledByImport);
        }
        if hold.timeout != 0 {
            coverage.count(Situation::HoldWithTimeoutSettled);
        }
        if event.has(Flags::VOID_PENDING_TRANSFER) && hold.has_any(CLOSES) {
            coverage.count(Situation::AccountReopenedByVoid);
        }
    }
}

/// Counts what a release has met.
pub(super) fn note_releases(coverage: &mut Coverage, model: &Model, ids: &[u128]) {
    for hold in model.lookup_transfers(ids) {
        coverage.count(Situation::HoldExpired);
        if hold.has_any(CLOSES) {
            coverage.count(Situation::AccountReopenedByExpiry);
        }
    }
}
