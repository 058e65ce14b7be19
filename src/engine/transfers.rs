//! Leading a batch of transfers through the owners: route, merge, decide, write down, hand out.

use super::batch::{TransferBatch, ranges};
use super::core::{Activity, Engine, Records};
use super::known::Known;
use super::owners::{Answer, Owners, Read};
use super::work::{KnownHold, NO_ROW};
use crate::io::phases::{Phase, lap};
use crate::ledger::decide::{
    BatchClock, HoldReference, HoldRow, HoldState, IdState, Operand, RowReference, Rows,
    TransferDecider, TransferInput,
};
use crate::ledger::{
    CreateResult, CreateTransferStatus as Status, Timestamp, Transfer, TransferFlags, digest,
};
use crate::log::{
    Amendment, Frame, FrameBuilder, FrameCounts, FrameKind, HistoryRow, Links, Position,
    RecordError, Refusal, entry_position,
};
use crate::wire::Reply;

const SETTLES: u16 = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;

/// Set in the tag of an account probe that belongs to a hold and not to an event.
const OF_HOLD: u32 = 1 << 31;

/// The arrays of a batch of transfers, kept from batch to batch.
#[derive(Debug)]
pub(super) struct TransferStage {
    decider: TransferDecider,
    rows: Rows,
    operands: Vec<Operand>,
    stored: Vec<Transfer>,
    holds: Vec<HoldRow>,
    /// Hash and owner of each event's id.
    places: Vec<(u64, usize)>,
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
            places: Vec::new(),
            results: Vec::new(),
        }
    }
}

/// The fields of a post or void that were 0 on arrival and that the hold filled in.
const INHERITED_DEBIT: u32 = 1 << 0;
const INHERITED_CREDIT: u32 = 1 << 1;
const INHERITED_LEDGER: u32 = 1 << 2;
const INHERITED_CODE: u32 = 1 << 3;
const INHERITED_USER_DATA_128: u32 = 1 << 4;
const INHERITED_USER_DATA_64: u32 = 1 << 5;
const INHERITED_USER_DATA_32: u32 = 1 << 6;

impl<O: Owners, R: Records> Engine<O, R> {
    /// Routes the ids that the batch names to their owners.
    pub(super) fn begin_transfers(&mut self, batch: TransferBatch) {
        self.stage.places.clear();
        let mut imported = false;
        for (tag, event) in (0_u32..).zip(&batch.events) {
            imported |= event.has(TransferFlags::IMPORTED);
            let (owner, probe) = self.probe(event.id, tag);
            self.stage.places.push((probe.hash, owner));
            self.work(owner).ids.push(probe);
            if event.has_any(SETTLES) {
                let (owner, probe) = self.probe(event.pending_id, tag);
                self.work(owner).holds.push(probe);
            } else {
                for (side, id) in
                    [event.debit_account_id, event.credit_account_id].into_iter().enumerate()
                {
                    let (owner, probe) = self.probe(id, tag << 1 | u32::from(side == 1));
                    self.work(owner).accounts.push(probe);
                }
            }
        }
        for owner in 0..self.works.len() {
            self.work(owner).timestamps = imported;
        }
        lap(Phase::Route);
        self.send_loads();
        // Any of the requests that share the batch may bring its own timestamps.
        if imported {
            for owner in 0..self.works.len() {
                let timestamps = batch.events.iter().map(|event| event.timestamp).collect();
                self.ask(owner, Read::Timestamps(timestamps));
            }
        }
        self.start(Activity::Transfers(batch));
    }

    /// Goes on with a batch for which all awaited answers are there.
    pub(super) fn advance_transfers(
        &mut self,
        mut batch: TransferBatch,
    ) -> Result<Option<Frame>, RecordError> {
        if !batch.second_round {
            batch.second_round = true;
            self.merge_answers(batch.events.len())?;
            lap(Phase::Resolve);
            if self.ask_for_accounts_of_holds() {
                self.send_loads();
                self.start(Activity::Transfers(batch));
                return Ok(None);
            }
        }
        self.merge_accounts();
        lap(Phase::Load);
        self.decide_transfers(&batch);
        lap(Phase::Decide);
        let frame = self.write_transfers(&batch);
        self.answer_transfers(&batch);
        lap(Phase::Reply);
        Ok(Some(frame))
    }

    fn merge_answers(&mut self, events: usize) -> Result<(), RecordError> {
        let mut stage = std::mem::replace(&mut self.stage, TransferStage::new(0));
        stage.operands.clear();
        stage.operands.resize(events, Operand::default());
        stage.stored.clear();
        stage.holds.clear();
        let works = std::mem::take(&mut self.works);
        for work in works.iter().flatten() {
            for (probe, answer) in work.ids.iter().zip(&work.id_answers) {
                let operand = &mut stage.operands[probe.tag as usize];
                operand.first = answer.first;
                operand.id = match answer.known.map(Known::unpack) {
                    None => IdState::Fresh,
                    Some(Known::Burned) => IdState::Burned,
                    Some(Known::Fenced) => IdState::Fenced,
                    Some(Known::Created { position, .. }) => {
                        stage.stored.push(self.fetch(position)?);
                        IdState::Stored(last_index(stage.stored.len()))
                    }
                };
            }
            let mut references = Vec::with_capacity(work.hold_answers.len());
            for answer in &work.hold_answers {
                let known = match answer.known {
                    KnownHold::Open(record) => Some((record, HoldState::Open)),
                    KnownHold::Not(known) => match known.map(Known::unpack) {
                        Some(Known::Created { position, hold }) => {
                            Some((self.fetch(position)?, hold))
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
                stage.operands[probe.tag as usize].hold = references[place as usize];
            }
        }
        self.works = works;
        self.stage = stage;
        self.note_expiries();
        Ok(())
    }

    /// Whether the accounts of any hold have to be loaded in a second round.
    fn ask_for_accounts_of_holds(&mut self) -> bool {
        let mut asked = false;
        for index in 0..self.stage.holds.len() {
            let HoldRow { record, state, .. } = self.stage.holds[index];
            if state != HoldState::Open {
                continue;
            }
            let tag = OF_HOLD | last_index(index + 1) << 1;
            for (side, id) in
                [record.debit_account_id, record.credit_account_id].into_iter().enumerate()
            {
                let (owner, probe) = self.probe(id, tag | u32::from(side == 1));
                self.work(owner).accounts.push(probe);
            }
            asked = true;
        }
        asked
    }

    /// Points events and holds at their rows, and takes the rows over.
    fn merge_accounts(&mut self) {
        let stage = &mut self.stage;
        for (owner, work) in self.works.iter_mut().enumerate() {
            let Some(work) = work else { continue };
            for (probe, &place) in work.accounts.iter().zip(&work.account_places) {
                let row = if place == NO_ROW {
                    RowReference::NONE
                } else {
                    RowReference::new(owner, place)
                };
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

    fn decide_transfers(&mut self, batch: &TransferBatch) {
        let taken = self.timestamps_taken();
        let mut clock = BatchClock { base: batch.base.0, newest: self.newest_transfer };
        let stage = &mut self.stage;
        stage.results.clear();
        stage.decider.start(batch.events.len());
        let mut input = TransferInput {
            events: &batch.events,
            operands: &stage.operands,
            rows: &mut stage.rows,
            stored: &stage.stored,
            holds: &mut stage.holds,
            timestamps_taken: &taken,
            clock: &mut clock,
        };
        for (_, range) in ranges(&batch.members) {
            stage.decider.decide_request(&mut input, range, &mut stage.results);
        }
        self.newest_transfer = clock.newest;
    }

    /// For each event of an imported batch whether an account has its timestamp.
    pub(super) fn timestamps_taken(&mut self) -> Vec<bool> {
        let mut taken: Vec<bool> = Vec::new();
        for (_, answer) in self.answers.drain(..) {
            if let Answer::Timestamps(mine) = answer {
                taken.resize(mine.len(), false);
                taken.iter_mut().zip(mine).for_each(|(all, mine)| *all |= mine);
            }
        }
        taken
    }

    /// Builds the frame, and with it what the owners have to take over.
    fn write_transfers(&mut self, batch: &TransferBatch) -> Frame {
        let counts = self.transfer_counts(batch);
        let bytes = FrameBuilder::frame_bytes_for(FrameKind::CreateTransfers, counts);
        let position = self.options.layout.place(self.end.position, bytes);
        let state_digest = self.digest_before();
        self.start_frame(FrameKind::CreateTransfers, batch.base);
        let created = self.write_entries(batch, position);
        for member in &batch.members {
            self.builder().push_request(last_index(member.events + 1));
        }
        self.write_history();
        let outcome_digest = digest::outcomes(&self.stage.results);
        let last = Timestamp(batch.base.0 + batch.events.len() as u64);
        let frame = self.finish_frame(last, outcome_digest, state_digest);
        assert_eq!(frame.position(), position, "the size of the frame was foreseen");
        if created > 0 {
            self.transfer_frames.push((self.newest_transfer, position));
        }
        self.counts.transfers += created;
        self.counts.refused += batch.events.len() as u64 - created;
        lap(Phase::Build);
        self.hand_out();
        frame
    }

    fn transfer_counts(&self, batch: &TransferBatch) -> FrameCounts {
        let refusals = self
            .stage
            .results
            .iter()
            .filter(|result| result.status != Status::Created.code())
            .count();
        FrameCounts {
            entries: last_index(batch.events.len() + 1),
            requests: last_index(batch.members.len() + 1),
            amendments: last_index(self.stage.decider.amended().len() + 1),
            refusals: last_index(refusals + 1),
            history: last_index(self.stage.decider.balances().len() + 1),
        }
    }

    /// Writes the entries, and notes for the owners which ids and holds they set. Gives the number
    /// of transfers that were created.
    fn write_entries(&mut self, batch: &TransferBatch, position: Position) -> u64 {
        let mut stage = std::mem::replace(&mut self.stage, TransferStage::new(0));
        let mut amended = stage.decider.amended().iter().peekable();
        let mut settled = stage.decider.settled().iter().peekable();
        let mut created = 0;
        for (at, (event, result)) in batch.events.iter().zip(&stage.results).enumerate() {
            let index = last_index(at + 1);
            let (hash, owner) = stage.places[at];
            #[expect(clippy::cast_possible_truncation, reason = "at most 8,190 events")]
            let entry = at as u16;
            if result.status != Status::Created.code() {
                self.builder().push_transfer(event, entry, Links::default());
                self.builder().push_refusal(Refusal { index, status: result.status });
                let status = Status::from_code(result.status);
                if status.is_some_and(Status::burns_id) {
                    self.work(owner).sets.push((event.id, hash, Known::Burned.pack()));
                }
                continue;
            }
            created += 1;
            let record = match amended.next_if(|amended| amended.index == index) {
                Some(amended) => {
                    self.builder().push_amendment(amendment(index, event, &amended.record));
                    amended.record
                }
                None => Transfer { timestamp: result.timestamp, ..*event },
            };
            let mut rows = (stage.operands[at].debit, stage.operands[at].credit);
            if let Some(settled) = settled.next_if(|settled| settled.index == index) {
                rows = (settled.debit, settled.credit);
                self.close_hold(stage.operands[at].hold, &record, settled.state);
            }
            let here = entry_position(position, FrameKind::CreateTransfers, entry);
            let links = link(&mut stage.rows, rows, here);
            self.builder().push_transfer(&record, entry, links);
            let hold = self.open_hold(&stage.decider, at, stage.places[at], &record);
            let known = Known::Created { position: here.0, hold };
            self.work(owner).sets.push((event.id, hash, known.pack()));
        }
        self.stage = stage;
        created
    }

    /// A hold from before the batch is settled.
    fn close_hold(&mut self, hold: HoldReference, settlement: &Transfer, state: HoldState) {
        if let HoldReference::Stored(_) = hold {
            let (hash, owner) = self.locate(settlement.pending_id);
            self.work(owner).closed.push((settlement.pending_id, hash, state));
            self.counts.holds -= 1;
        }
    }

    /// A hold is created; it may be settled in the same batch. Gives its state after the batch.
    fn open_hold(
        &mut self,
        decider: &TransferDecider,
        at: usize,
        (hash, owner): (u64, usize),
        record: &Transfer,
    ) -> HoldState {
        if !record.has(TransferFlags::PENDING) {
            return HoldState::NotPending;
        }
        let state = decider.batch_hold(at);
        if state == HoldState::Open {
            self.work(owner).opened.push((*record, hash));
            self.counts.holds += 1;
            if let Some((at, _)) = super::holds::expiry_key(record) {
                let at = Timestamp(at);
                self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
            }
        }
        state
    }

    fn write_history(&mut self) {
        let stage = std::mem::replace(&mut self.stage, TransferStage::new(0));
        for balance in stage.decider.balances() {
            let row = &balance.row;
            self.builder().push_history(HistoryRow {
                index: balance.index,
                side: u32::from(balance.credited),
                reserved: 0,
                debits_pending: row.debits_pending,
                debits_posted: row.debits_posted,
                credits_pending: row.credits_pending,
                credits_posted: row.credits_posted,
            });
        }
        self.stage = stage;
    }

    /// Gives the rows back to their owners and lets them apply.
    fn hand_out(&mut self) {
        for (owner, work) in self.works.iter_mut().enumerate() {
            if let Some(work) = work {
                self.stage.rows.swap(owner, &mut work.rows);
            }
        }
        self.send_applies();
    }

    fn answer_transfers(&mut self, batch: &TransferBatch) {
        let results = std::mem::take(&mut self.stage.results);
        if let [member] = batch.members[..] {
            if let Some(source) = member.source {
                self.reply(source, Reply::CreateResults(results));
            }
            return;
        }
        for (source, range) in ranges(&batch.members) {
            if let Some(source) = source {
                self.reply(source, Reply::CreateResults(results[range].to_vec()));
            }
        }
        self.stage.results = results;
    }
}

/// Chains the record to the ones before it of its accounts.
fn link(rows: &mut Rows, (debit, credit): (RowReference, RowReference), here: Position) -> Links {
    let debit = std::mem::replace(&mut rows.get_mut(debit).last_position, here.0);
    let credit = std::mem::replace(&mut rows.get_mut(credit).last_position, here.0);
    Links { debit_previous: Position(debit), credit_previous: Position(credit) }
}

/// How the event looked on arrival, as against the record that is stored.
fn amendment(index: u32, event: &Transfer, record: &Transfer) -> Amendment {
    let fields = [
        (event.debit_account_id == 0 && record.debit_account_id != 0, INHERITED_DEBIT),
        (event.credit_account_id == 0 && record.credit_account_id != 0, INHERITED_CREDIT),
        (event.ledger == 0 && record.ledger != 0, INHERITED_LEDGER),
        (event.code == 0 && record.code != 0, INHERITED_CODE),
        (event.user_data_128 == 0 && record.user_data_128 != 0, INHERITED_USER_DATA_128),
        (event.user_data_64 == 0 && record.user_data_64 != 0, INHERITED_USER_DATA_64),
        (event.user_data_32 == 0 && record.user_data_32 != 0, INHERITED_USER_DATA_32),
    ];
    let inherited = fields.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit);
    Amendment::new(index, inherited, event.amount)
}

/// The event as it arrived, from the record and its amendment.
pub(super) fn restore(record: &Transfer, amendment: Option<&Amendment>) -> Transfer {
    let mut event = *record;
    if !event.has(TransferFlags::IMPORTED) {
        event.timestamp = 0;
    }
    let Some(amendment) = amendment else { return event };
    event.amount = amendment.amount;
    let was_zero = |bit: u32| amendment.inherited & bit != 0;
    if was_zero(INHERITED_DEBIT) {
        event.debit_account_id = 0;
    }
    if was_zero(INHERITED_CREDIT) {
        event.credit_account_id = 0;
    }
    if was_zero(INHERITED_LEDGER) {
        event.ledger = 0;
    }
    if was_zero(INHERITED_CODE) {
        event.code = 0;
    }
    if was_zero(INHERITED_USER_DATA_128) {
        event.user_data_128 = 0;
    }
    if was_zero(INHERITED_USER_DATA_64) {
        event.user_data_64 = 0;
    }
    if was_zero(INHERITED_USER_DATA_32) {
        event.user_data_32 = 0;
    }
    event
}

/// The index of the last of `length` things, which are at most as many as a batch can have.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the events of a batch")]
const fn last_index(length: usize) -> u32 {
    (length - 1) as u32
}
