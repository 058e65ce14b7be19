//! Resolve and fence.

use super::*;
use crate::ledger::CreateTransferStatus::*;
use crate::ledger::ResolveOutcome::{self, Failed, Fenced, Unknown};

fn outcomes(model: &mut Model, ids: &[u128], fence: bool) -> Vec<ResolveOutcome> {
    let results = model.resolve_transfers(ids, fence, Timestamp(CLOCK * 3));
    results.iter().map(|result| ResolveOutcome::from_code(result.outcome).unwrap()).collect()
}

#[test]
fn asking_changes_nothing() {
    let mut model = model_with_ids(&[1, 2]);
    model.transfers_at_once(&[
        transfer(10, 1, 2, 1),
        transfer(11, 1, 77, 1),
        transfer(12, 0, 2, 1),
    ]);
    let last = model.last_timestamp();
    assert_eq!(
        outcomes(&mut model, &[10, 11, 12, 13, 13], false),
        [CREATED, Failed, Unknown, Unknown, Unknown]
    );
    assert_eq!(model.last_timestamp(), last);
    assert_eq!(model.send(transfer(13, 1, 2, 1)), Created);
}

const CREATED: ResolveOutcome = ResolveOutcome::Created;

#[test]
fn a_fence_holds_for_ever_and_only_for_ids_never_seen() {
    let mut model = model_with_ids(&[1, 2]);
    model.transfers_at_once(&[transfer(10, 1, 2, 1), transfer(11, 1, 77, 1)]);
    assert_eq!(outcomes(&mut model, &[10, 11, 12, 12], true), [CREATED, Failed, Fenced, Fenced]);
    assert_eq!(model.last_timestamp(), Timestamp(CLOCK * 3));
    assert_eq!(outcomes(&mut model, &[12], false), [Fenced]);
    let batch = [transfer(10, 1, 2, 1), transfer(11, 1, 2, 1), transfer(12, 1, 2, 1)];
    assert_eq!(model.transfers_at_once(&batch), [Exists, IdAlreadyFailed, IdFenced]);
    assert_eq!(model.send(Transfer { code: 0, ..transfer(12, 1, 77, 1) }), IdFenced);
    assert_eq!(outcomes(&mut model, &[12], true), [Fenced], "id_fenced burns nothing");
}

#[test]
fn a_created_transfer_answers_with_its_timestamp() {
    let mut model = model_with_ids(&[1, 2]);
    let created = model.create_transfers(&[transfer(10, 1, 2, 1)], Timestamp(CLOCK))[0].timestamp;
    let results = model.resolve_transfers(&[10, 11], true, Timestamp(CLOCK));
    assert_eq!((results[0].timestamp, results[1].timestamp), (created, 0));
}

#[test]
fn a_chain_that_failed_leaves_its_ids_unknown() {
    let mut model = model_with_ids(&[1, 2]);
    model.transfers_at_once(&[linked(transfer(10, 1, 2, 1)), transfer(11, 1, 77, 1)]);
    assert_eq!(outcomes(&mut model, &[10, 11], false), [Unknown, Failed]);
}
