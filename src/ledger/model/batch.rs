//! What create requests of both kinds have in common: slots, the head of the rules, and chains.

use std::ops::Range;

use super::Model;
use crate::ledger::CreateResult;
use crate::limits::TIMESTAMP_MAX;

/// The statuses that both kinds of event know under their own numbers.
pub(super) struct Common<S> {
    pub(super) created: S,
    pub(super) exists: S,
    pub(super) linked_event_failed: S,
    pub(super) linked_event_chain_open: S,
    pub(super) imported_event_expected: S,
    pub(super) imported_event_not_expected: S,
    pub(super) imported_event_timestamp_out_of_range: S,
    pub(super) imported_event_timestamp_must_not_advance: S,
    pub(super) timestamp_must_be_zero: S,
}

/// An account or a transfer that asks to be created.
pub(super) trait Event: Copy {
    type Status: Copy + PartialEq;
    const COMMON: Common<Self::Status>;

    fn is_linked(&self) -> bool;
    fn is_imported(&self) -> bool;
    fn timestamp(&self) -> u64;
    fn with_timestamp(self, timestamp: u64) -> Self;
    fn number(status: Self::Status) -> u32;

    /// The rules after the common head, in order. `self` already carries the timestamp that it will
    /// have. Gives the record as it is to be stored, or the first rule that refuses it.
    fn judge(&self, model: &Model) -> Result<Self, Self::Status>;

    /// Enters a record that was judged, with all its effects.
    fn enter(self, model: &mut Model);

    /// Remembers a refusal that makes the id unusable for ever.
    fn burn(&self, status: Self::Status, model: &mut Model);

    /// The timestamp of the record that has this event's id.
    fn original_timestamp(&self, model: &Model) -> u64;
}

/// One request: its events and the times that were ordered for it.
struct Request<'a, E> {
    events: &'a [E],
    base: u64,
}

pub(super) fn run<E: Event>(model: &mut Model, events: &[E], clock: u64) -> Vec<CreateResult> {
    let request = Request { events, base: model.base(clock) };
    let mut results = Vec::new();
    for run in runs(events) {
        let answers = if run.len() == 1 && !events[run.start].is_linked() {
            vec![request.create_single(model, run.start)]
        } else {
            request.create_chain(model, run)
        };
        results.extend(answers);
    }
    model.last_timestamp = request.slot(events.len()) - 1;
    results
}

/// Cuts a request behind every event that isn't linked. What is left at the end is an open chain.
fn runs<E: Event>(events: &[E]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    for (index, event) in events.iter().enumerate() {
        if !event.is_linked() || index + 1 == events.len() {
            runs.push(start..index + 1);
            start = index + 1;
        }
    }
    runs
}

impl<E: Event> Request<'_, E> {
    fn slot(&self, index: usize) -> u64 {
        self.base + 1 + u64::try_from(index).expect("an index fits 64 bits")
    }

    /// The timestamp of the request's last slot.
    fn own_timestamp(&self) -> u64 {
        self.slot(self.events.len()) - 1
    }

    /// Judges the event by the state as it stands, apart from any chain.
    fn judge(&self, model: &Model, index: usize) -> Result<E, E::Status> {
        let event = &self.events[index];
        match (self.events[0].is_imported(), event.is_imported()) {
            (true, false) => return Err(E::COMMON.imported_event_expected),
            (false, true) => return Err(E::COMMON.imported_event_not_expected),
            _ => {}
        }
        if event.is_imported() {
            if event.timestamp() == 0 || event.timestamp() > TIMESTAMP_MAX {
                return Err(E::COMMON.imported_event_timestamp_out_of_range);
            }
            if event.timestamp() >= self.own_timestamp() {
                return Err(E::COMMON.imported_event_timestamp_must_not_advance);
            }
            event.judge(model)
        } else {
            if event.timestamp() != 0 {
                return Err(E::COMMON.timestamp_must_be_zero);
            }
            event.with_timestamp(self.slot(index)).judge(model)
        }
    }

    /// Judges the event and, if nothing speaks against it, enters it.
    fn create(&self, model: &mut Model, index: usize) -> (E::Status, u64) {
        match self.judge(model, index) {
            Ok(record) => {
                record.enter(model);
                (E::COMMON.created, record.timestamp())
            }
            Err(status) => {
                let event = &self.events[index];
                event.burn(status, model);
                let exists = status == E::COMMON.exists;
                let slot = self.slot(index);
                (status, if exists { event.original_timestamp(model) } else { slot })
            }
        }
    }

    fn create_single(&self, model: &mut Model, index: usize) -> CreateResult {
        let (status, timestamp) = self.create(model, index);
        CreateResult { timestamp, status: E::number(status), reserved: 0 }
    }

    fn create_chain(&self, model: &mut Model, chain: Range<usize>) -> Vec<CreateResult> {
        let is_open = self.events[chain.end - 1].is_linked();
        if !is_open && self.is_resent(model, chain.clone()) {
            return chain.map(|index| self.create_single(model, index)).collect();
        }

        model.begin_chain();
        let mut answers = Vec::new();
        let mut broken = false;
        for index in chain.clone() {
            let (status, timestamp) = if is_open && index + 1 == chain.end {
                (E::COMMON.linked_event_chain_open, self.slot(index))
            } else if broken {
                (E::COMMON.linked_event_failed, self.slot(index))
            } else {
                self.create(model, index)
            };
            broken |= status != E::COMMON.created;
            answers.push((status, timestamp));
        }
        if broken {
            model.undo_chain();
            for (answer, index) in answers.iter_mut().zip(chain) {
                if answer.0 == E::COMMON.created {
                    *answer = (E::COMMON.linked_event_failed, self.slot(index));
                }
            }
        } else {
            model.keep_chain();
        }
        let result = |(status, timestamp)| CreateResult {
            timestamp,
            status: E::number(status),
            reserved: 0,
        };
        answers.into_iter().map(result).collect()
    }

    /// Whether the chain was created before, every member of it.
    fn is_resent(&self, model: &Model, mut chain: Range<usize>) -> bool {
        chain.all(|index| self.judge(model, index).err() == Some(E::COMMON.exists))
    }
}
