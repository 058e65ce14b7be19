//! Transfers: route, merge, decide, write down, hand out.

mod amend;
mod write;

use super::batch::Batch;
use super::{Cold, Kind, Logged, Next, last_index};
use crate::engine::known::Known;
use crate::engine::order::Waiting;
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::past::{Load, Past};
use crate::engine::work::{KnownHold, NO_ROW, Work};
use crate::io::phases::{Phase, lap};
use crate::ledger::decide::{
    BatchClock, HoldReference, HoldRow, HoldState, IdState, Operand, RowReference, Rows,
    TransferDecider, TransferInput,
};
use crate::ledger::{CreateResult, Transfer, TransferFlags};
use crate::log::{Frame, FrameKind, FrameView, Position};
use crate::wire::{Reply, Request};

const SETTLES: u16 = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;

/// Set in the tag of an account probe that belongs to a hold and not to an event.
const OF_HOLD: u32 = 1 << 31;

/// A batch of `create_transfers`.
#[derive(Debug)]
pub(in crate::engine) struct Transfers {
    batch: Batch<Transfer>,
    /// Whether the accounts of the holds have been asked for.
    second_round: bool,
}

/// The arrays of a batch of transfers, kept from batch to batch.
#[derive(Debug)]
pub(super) struct TransferStage {
    decider: TransferDecider,
    /// By owner; theirs between two batches, ours while one is decided.
    rows: Rows,
    /// One for each event.
    operands: Vec<Operand>,
    /// Records whose ids events have.
    stored: Vec<Transfer>,
    /// Holds from before the batch that events settle.
    holds: Vec<HoldRow>,
    /// Hash and owner of each event's id.
    homes: Vec<(u64, usize)>,
    /// One for each event, once decided.
    results: Vec<CreateResult>,
}

impl TransferStage {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            decider: TransferDecider::default(),
            rows: Rows::new(partitions),
            operands: Vec::new(),
            stored: Vec::new(),
            holds: Vec::new(),
            homes: Vec::new(),
            results: Vec::new(),
        }
    }
}

impl Transfers {
    pub(super) const fn new(batch: Batch<Transfer>) -> Self {
        Self { batch, second_round: false }
    }

    fn decide<O: Owners>(&self, parts: &mut Parts<O>) {
        let taken = timestamps_taken(parts.crew.answers.drain(..));
        let newest = parts.sequence.newest_transfer;
        let mut clock = BatchClock { base: self.batch.base.0, newest };
        let stage = &mut parts.stage.transfers;
        stage.results.clear();
        stage.decider.start(self.batch.events.len());
        let mut input = TransferInput {
            events: &self.batch.events,
            operands: &stage.operands,
            rows: &mut stage.rows,
            stored: &stage.stored,
            holds: &mut stage.holds,
            timestamps_taken: &taken,
            clock: &mut clock,
        };
        for (_, range) in self.batch.ranges() {
            stage.decider.decide_request(&mut input, range, &mut stage.results);
        }
        assert_eq!(stage.results.len(), self.batch.events.len(), "every event has its result");
        assert!(clock.newest >= newest, "transfers are created in the order of their timestamps");
        parts.sequence.newest_transfer = clock.newest;
    }
}

impl Kind for Transfers {
    /// Routes the ids that the batch names to their owners.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        let Parts { crew, stage, .. } = parts;
        let homes = &mut stage.transfers.homes;
        homes.clear();
        self.second_round = false;
        let mut imported = false;
        for (tag, event) in (0_u32..).zip(&self.batch.events) {
            imported |= event.has(TransferFlags::IMPORTED);
            let (owner, probe) = crew.probe(event.id, tag);
            homes.push((probe.hash, owner));
            crew.work(owner).ids.push(probe);
            if event.has_any(SETTLES) {
                let (owner, probe) = crew.probe(event.pending_id, tag);
                crew.work(owner).holds.push(probe);
            } else {
                for (side, id) in
                    [event.debit_account_id, event.credit_account_id].into_iter().enumerate()
                {
                    let (owner, probe) = crew.probe(id, tag << 1 | u32::from(side == 1));
                    crew.work(owner).accounts.push(probe);
                }
            }
        }
        for owner in 0..crew.count() {
            crew.work(owner).timestamps = imported;
        }
        lap(Phase::Route);
        crew.send_loads();
        // Any of the requests that share the batch may bring its own timestamps.
        if imported {
            for owner in 0..crew.count() {
                let timestamps = self.batch.events.iter().map(|event| event.timestamp).collect();
                crew.ask(owner, Read::Timestamps(timestamps));
            }
        }
    }

    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        if !self.second_round {
            parts.sequence.next_expiry = parts.crew.next_expiry();
            let Parts { crew, stage, past, .. } = parts;
            let cold = stage.transfers.merge_answers(&crew.works, past, self.batch.events.len());
            lap(Phase::Resolve);
            if !cold.is_empty() {
                return Next::Cold(cold);
            }
            self.second_round = true;
            if ask_for_accounts_of_holds(parts) {
                parts.crew.send_loads();
                return Next::Asked;
            }
        }
        parts.stage.transfers.merge_accounts(&mut parts.crew.works);
        lap(Phase::Load);
        self.decide(parts);
        lap(Phase::Decide);
        Next::Decided
    }

    fn answer<O: Owners>(self, parts: &mut Parts<O>) {
        let mut results = std::mem::take(&mut parts.stage.transfers.results);
        self.batch.answer(parts, &mut results, Reply::CreateResults);
        parts.stage.transfers.results = results;
        lap(Phase::Reply);
    }
}

impl Logged for Transfers {
    const FRAME: FrameKind = FrameKind::CreateTransfers;

    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame {
        write::write(&self.batch, parts)
    }

    /// Gives the rows back to their owners and lets them apply.
    fn apply<O: Owners>(&mut self, parts: &mut Parts<O>) {
        for (owner, work) in parts.crew.works.iter_mut().enumerate() {
            if let Some(work) = work {
                parts.stage.transfers.rows.swap(owner, &mut work.rows);
                assert_eq!(work.rows.len(), work.slots.len(), "every row goes back to its slot");
            }
        }
        parts.crew.send_applies();
    }

    fn read_back(frame: &FrameView<'_>) -> Self {
        let mut refusals = frame.refusals().iter().peekable();
        let mut amendments = frame.amendments().iter().peekable();
        let events = (0_u32..)
            .zip(frame.transfers())
            .map(|(index, entry)| {
                if refusals.next_if(|refusal| refusal.index == index).is_some() {
                    return entry.transfer;
                }
                let amendment = amendments.next_if(|amendment| amendment.index == index);
                amend::restore(&entry.transfer, amendment)
            })
            .collect();
        Self::new(Batch::read_back(frame, events))
    }

    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        self.batch.take_out(cold, Request::CreateTransfers)
    }

    fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }
}

impl TransferStage {
    /// Takes over what the owners know of ids and holds. Gives the events that need old records.
    fn merge_answers(
        &mut self,
        works: &[Option<Box<Work>>],
        past: &Past,
        events: usize,
    ) -> Vec<Cold> {
        self.operands.clear();
        self.operands.resize(events, Operand::default());
        self.stored.clear();
        self.holds.clear();
        let mut cold = Vec::new();
        for work in works.iter().flatten() {
            assert_eq!(work.ids.len(), work.id_answers.len(), "every id is answered");
            assert_eq!(work.holds.len(), work.hold_places.len(), "every hold is answered");
            for (probe, answer) in work.ids.iter().zip(&work.id_answers) {
                let operand = &mut self.operands[probe.tag as usize];
                operand.first = answer.first;
                operand.id = match answer.known.map(Known::unpack) {
                    None => IdState::Fresh,
                    Some(Known::Burned) => IdState::Burned,
                    Some(Known::Fenced) => IdState::Fenced,
                    Some(Known::Created { position, .. }) => {
                        match past.transfer(Position(position)) {
                            Ok(record) => self.stored.push(record),
                            Err(load) => {
                                cold.push(Cold { event: probe.tag as usize, load });
                                continue;
                            }
                        }
                        IdState::Stored(last_index(self.stored.len()))
                    }
                };
            }
            self.merge_holds(work, past, &mut cold);
        }
        cold
    }

    fn merge_holds(&mut self, work: &Work, past: &Past, cold: &mut Vec<Cold>) {
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
                    self.holds.push(HoldRow { record, state, debit: none, credit: none });
                    HoldReference::Stored(last_index(self.holds.len()))
                }
                None => answer.in_batch.map_or(HoldReference::None, HoldReference::InBatch),
            });
        }
        for (probe, &place) in work.holds.iter().zip(&work.hold_places) {
            let place = place as usize;
            self.operands[probe.tag as usize].hold = references[place];
            if let Ok(at) = cold_holds.binary_search_by_key(&place, |&(place, _)| place) {
                cold.push(Cold { event: probe.tag as usize, load: cold_holds[at].1 });
            }
        }
    }

    /// Points events and holds at their rows, and takes the rows over.
    fn merge_accounts(&mut self, works: &mut [Option<Box<Work>>]) {
        for (owner, work) in works.iter_mut().enumerate() {
            let Some(work) = work else { continue };
            assert_eq!(work.accounts.len(), work.account_places.len(), "every account is answered");
            for (probe, &place) in work.accounts.iter().zip(&work.account_places) {
                let row = if place == NO_ROW {
                    RowReference::NONE
                } else {
                    RowReference::new(owner, place)
                };
                let index = ((probe.tag & !OF_HOLD) >> 1) as usize;
                let (debit, credit) = if probe.tag & OF_HOLD == 0 {
                    let operand = &mut self.operands[index];
                    (&mut operand.debit, &mut operand.credit)
                } else {
                    let hold = &mut self.holds[index];
                    (&mut hold.debit, &mut hold.credit)
                };
                *if probe.tag & 1 == 0 { debit } else { credit } = row;
            }
            self.rows.swap(owner, &mut work.rows);
        }
    }
}

/// Whether the accounts of any hold have to be loaded in a second round.
fn ask_for_accounts_of_holds<O: Owners>(parts: &mut Parts<O>) -> bool {
    let Parts { crew, stage, .. } = parts;
    let mut asked = false;
    for (index, HoldRow { record, state, .. }) in stage.transfers.holds.iter().enumerate() {
        if *state != HoldState::Open {
            continue;
        }
        let tag = OF_HOLD | last_index(index + 1) << 1;
        for (side, id) in
            [record.debit_account_id, record.credit_account_id].into_iter().enumerate()
        {
            let (owner, probe) = crew.probe(id, tag | u32::from(side == 1));
            crew.work(owner).accounts.push(probe);
        }
        asked = true;
    }
    asked
}

/// For each event of an imported batch whether an account has its timestamp.
fn timestamps_taken(answers: impl Iterator<Item = (usize, Answer)>) -> Vec<bool> {
    let mut taken: Vec<bool> = Vec::new();
    for (_, answer) in answers {
        if let Answer::Timestamps(mine) = answer {
            taken.resize(mine.len(), false);
            taken.iter_mut().zip(mine).for_each(|(all, mine)| *all |= mine);
        }
    }
    taken
}
