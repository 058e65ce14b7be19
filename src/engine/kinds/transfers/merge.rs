//! Taking over what the owners answered about a batch of transfers.

use crate::engine::kinds::verbs::{Cold, last_index};
use crate::engine::known::Known;
use crate::engine::past::{Load, Past};
use crate::engine::stage::TransferStage;
use crate::engine::work::{KnownHold, NO_ROW, Work};
use crate::ledger::decide::{HoldReference, HoldRow, HoldState, IdState, Operand, RowReference};
use crate::log::Position;

/// Set in the tag of an account probe that belongs to a hold and not to an event.
pub(super) const OF_HOLD: u32 = 1 << 31;

/// Takes over what the owners know of ids and holds. Gives the events that need old records.
pub(super) fn merge_answers(
    stage: &mut TransferStage,
    works: &[Option<Box<Work>>],
    past: &Past,
    events: usize,
) -> Vec<Cold> {
    stage.operands.clear();
    stage.operands.resize(events, Operand::default());
    stage.stored.clear();
    stage.holds.clear();
    let mut cold = Vec::new();
    for work in works.iter().flatten() {
        assert_eq!(work.ids.len(), work.id_answers.len(), "every id is answered");
        assert_eq!(work.holds.len(), work.hold_places.len(), "every hold is answered");
        for (probe, answer) in work.ids.iter().zip(&work.id_answers) {
            let operand = &mut stage.operands[probe.tag as usize];
            operand.first = answer.first;
            operand.id = match answer.known.map(Known::unpack) {
                None => IdState::Fresh,
                Some(Known::Burned) => IdState::Burned,
                Some(Known::Fenced) => IdState::Fenced,
                Some(Known::Created { position, .. }) => {
                    match past.transfer(Position(position)) {
                        Ok(record) => stage.stored.push(record),
                        Err(load) => {
                            cold.push(Cold { event: probe.tag as usize, load });
                            continue;
                        }
                    }
                    IdState::Stored(last_index(stage.stored.len()))
                }
            };
        }
        merge_holds(stage, work, past, &mut cold);
    }
    cold
}

fn merge_holds(stage: &mut TransferStage, work: &Work, past: &Past, cold: &mut Vec<Cold>) {
    let mut references = Vec::with_capacity(work.hold_answers.len());
    let mut cold_holds: Vec<(usize, Load)> = Vec::new();
    for (place, answer) in work.hold_answers.iter().enumerate() {
        let known = match answer.known {
            KnownHold::Open(record) => Some((record, HoldState::Open)),
            KnownHold::Not(known) => match known.map(Known::unpack) {
                Some(Known::Created { position, hold }) => {
                    match past.transfer(Position(position)) {
                        Ok(record) => Some((record, hold)),
                        Err(load) => {
                            cold_holds.push((place, load));
                            None
                        }
                    }
                }
                _ => None,
            },
        };
        references.push(match known {
            Some((record, state)) => {
                let none = RowReference::NONE;
                stage.holds.push(HoldRow { record, state, debit: none, credit: none });
                HoldReference::Stored(last_index(stage.holds.len()))
            }
            None => answer.in_batch.map_or(HoldReference::None, HoldReference::InBatch),
        });
    }
    for (probe, &place) in work.holds.iter().zip(&work.hold_places) {
        let place = place as usize;
        stage.operands[probe.tag as usize].hold = references[place];
        if let Ok(at) = cold_holds.binary_search_by_key(&place, |&(place, _)| place) {
            cold.push(Cold { event: probe.tag as usize, load: cold_holds[at].1 });
        }
    }
}

/// Points events and holds at their rows, and takes the rows over.
pub(super) fn merge_accounts(stage: &mut TransferStage, works: &mut [Option<Box<Work>>]) {
    for (owner, work) in works.iter_mut().enumerate() {
        let Some(work) = work else { continue };
        assert_eq!(work.accounts.len(), work.account_places.len(), "every account is answered");
        for (probe, &place) in work.accounts.iter().zip(&work.account_places) {
            let row =
                if place == NO_ROW { RowReference::NONE } else { RowReference::new(owner, place) };
            let index = ((probe.tag & !OF_HOLD) >> 1) as usize;
            let (debit, credit) = if probe.tag & OF_HOLD == 0 {
                let operand = &mut stage.operands[index];
                (&mut operand.debit, &mut operand.credit)
            } else {
                let hold = &mut stage.holds[index];
                (&mut hold.debit, &mut hold.credit)
            };
            *if probe.tag & 1 == 0 { debit } else { credit } = row;
        }
        stage.rows.swap(owner, &mut work.rows);
    }
}
