//! Transfers: route, merge, decide, write down, hand out.

mod amend;
mod merge;
mod write;

use self::merge::OF_HOLD;
use super::batch::Batch;
use super::verbs::{Cold, Kind, Logged, Next, last_index};
use crate::engine::order::Waiting;
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::io::phases::{Phase, lap};
use crate::ledger::decide::{BatchClock, HoldRow, HoldState, TransferInput};
use crate::ledger::{Transfer, TransferFlags};
use crate::log::{Frame, FrameKind, FrameView};
use crate::wire::{Reply, Request};

const SETTLES: u16 = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;

/// A batch of `create_transfers`.
#[derive(Debug)]
pub(in crate::engine) struct Transfers {
    batch: Batch<Transfer>,
    /// Whether the accounts of the holds have been asked for.
    second_round: bool,
}

impl Transfers {
    pub(super) const fn new(batch: Batch<Transfer>) -> Self {
        Self { batch, second_round: false }
    }

    fn decide<O: Owners>(&self, parts: &mut Parts<O>) {
        let taken = timestamps_taken(parts.crew.answers.drain(..));
        assert!(
            taken.is_empty() || taken.len() == self.batch.events.len(),
            "either every event is asked about or none"
        );
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
        assert_eq!(homes.len(), self.batch.events.len(), "every event has its owner");
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
            let events = self.batch.events.len();
            let cold = merge::merge_answers(&mut stage.transfers, &crew.works, past, events);
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
        merge::merge_accounts(&mut parts.stage.transfers, &mut parts.crew.works);
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
        assert!(refusals.peek().is_none(), "refusals stand in the order of the events");
        assert!(amendments.peek().is_none(), "amendments belong to created events, in their order");
        Self::new(Batch::read_back(frame, events))
    }

    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        self.batch.take_out(cold, Request::CreateTransfers)
    }

    fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
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
            assert!(taken.is_empty() || taken.len() == mine.len(), "all owners are asked the same");
            taken.resize(mine.len(), false);
            taken.iter_mut().zip(mine).for_each(|(all, mine)| *all |= mine);
        }
    }
    taken
}
