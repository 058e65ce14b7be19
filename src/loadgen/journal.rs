//! What was answered: one byte for each request, and a line for each event that wasn't created.

use std::collections::BTreeMap;

use super::workload::RequestNumber;
use crate::io::{to_u64, to_usize};
use crate::ledger::{CreateResult, CreateTransferStatus};

/// Bytes of one result on the wire.
pub(crate) const RESULT_BYTES: usize = size_of::<CreateResult>();
/// Where the status stands in a result.
const STATUS_OFFSET: usize = std::mem::offset_of!(CreateResult, status);
const CREATED: u32 = CreateTransferStatus::Created.code();

/// The answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    None,
    AllCreated,
    /// Some events have a line in the journal.
    SomeFailed,
    /// Refused as a whole; nothing happened.
    Refused,
}

/// An event that was answered with another status than `created`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailedEvent {
    pub(crate) request: RequestNumber,
    pub(crate) index: u64,
}

/// The answers of a run.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    answers: Vec<Answer>,
    /// For each request: the number of the request whose holds it settles, plus 1.
    settles: Vec<u64>,
    failed: Vec<FailedEvent>,
    /// Events of the request that was built last; all others are full.
    events_of_last: u64,
    /// Events answered with each status.
    statuses: BTreeMap<u32, u64>,
    /// Requests refused as a whole, by the name of the error.
    refused: BTreeMap<String, u64>,
    requests_answered: u64,
    events_answered: u64,
    events_created: u64,
}

/// The status of one result on the wire.
fn status_of(result: &[u8]) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&result[STATUS_OFFSET..STATUS_OFFSET + 4]);
    u32::from_le_bytes(bytes)
}

impl Journal {
    /// A journal of a run whose requests settle others' holds or don't.
    pub(crate) fn new(settling: bool, requests: Option<u64>) -> Self {
        let room = to_usize(requests.unwrap_or(0));
        let settles = Vec::with_capacity(if settling { room } else { 0 });
        Self { answers: Vec::with_capacity(room), settles, ..Self::default() }
    }

    /// Notes that a request was built: the next number.
    pub(crate) fn begin(&mut self, events: u64, holds: Option<RequestNumber>) {
        self.answers.push(Answer::None);
        self.events_of_last = events;
        if let Some(holds) = holds {
            self.settles.resize(self.answers.len(), 0);
            self.settles[self.answers.len() - 1] = holds.0 + 1;
        }
    }

    /// Notes the results of a request.
    pub(crate) fn answer(&mut self, request: RequestNumber, results: &[u8]) {
        let chunks = || results.chunks_exact(RESULT_BYTES);
        let all_created = chunks().fold(CREATED, |all, result| all & status_of(result)) == CREATED;
        let count = to_u64(results.len() / RESULT_BYTES);
        self.requests_answered += 1;
        self.events_answered += count;
        if all_created {
            self.events_created += count;
            self.answers[to_usize(request.0)] = Answer::AllCreated;
            return;
        }
        self.answers[to_usize(request.0)] = Answer::SomeFailed;
        for (index, result) in (0..).zip(chunks()) {
            let status = status_of(result);
            if status == CREATED {
                self.events_created += 1;
            } else {
                self.failed.push(FailedEvent { request, index });
                *self.statuses.entry(status).or_default() += 1;
            }
        }
    }

    /// Notes that a request was refused as a whole.
    pub(crate) fn refuse(&mut self, request: RequestNumber, error: &str) {
        self.requests_answered += 1;
        self.answers[to_usize(request.0)] = Answer::Refused;
        match self.refused.get_mut(error) {
            Some(count) => *count += 1,
            None => _ = self.refused.insert(error.to_owned(), 1),
        }
    }

    /// Ends the writing; the failed events come in order from now on.
    pub(crate) fn close(&mut self) {
        self.failed.sort_unstable();
    }

    /// The request whose holds this one settles.
    pub(crate) fn holds_of(&self, request: RequestNumber) -> Option<RequestNumber> {
        let settles = self.settles.get(to_usize(request.0)).copied().unwrap_or(0);
        settles.checked_sub(1).map(RequestNumber)
    }

    /// Events of the request that was built last.
    pub(crate) const fn events_of_last(&self) -> u64 {
        self.events_of_last
    }

    /// Every request with its answer, in order.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (RequestNumber, Answer)> + '_ {
        (0..).map(RequestNumber).zip(self.answers.iter().copied())
    }

    /// The events that were not created, in order.
    pub(crate) fn failed(&self) -> &[FailedEvent] {
        &self.failed
    }

    pub(crate) const fn requests_answered(&self) -> u64 {
        self.requests_answered
    }

    pub(crate) const fn events_answered(&self) -> u64 {
        self.events_answered
    }

    pub(crate) fn requests_built(&self) -> u64 {
        to_u64(self.answers.len())
    }

    /// How many events were answered with each status, by name.
    pub(crate) fn statuses(&self) -> BTreeMap<String, u64> {
        let name = |code: u32| match CreateTransferStatus::from_code(code) {
            Some(status) => status.name().to_owned(),
            None => format!("status_{code}"),
        };
        let failed = self.statuses.iter().map(|(&code, &count)| (name(code), count));
        let created = (self.events_created > 0).then(|| (name(CREATED), self.events_created));
        failed.chain(created).collect()
    }

    /// How many requests were refused as a whole, by the name of the error.
    pub(crate) const fn refused(&self) -> &BTreeMap<String, u64> {
        &self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(statuses: &[u32]) -> Vec<u8> {
        let results = statuses.iter().map(|&status| CreateResult { status, ..Default::default() });
        bytemuck::cast_slice(&results.collect::<Vec<_>>()).to_vec()
    }

    #[test]
    fn answers_are_kept_and_counted() {
        let mut journal = Journal::new(true, None);
        for _ in 0..3 {
            journal.begin(2, None);
        }
        journal.begin(1, Some(RequestNumber(1)));
        journal.answer(RequestNumber(2), &results(&[CREATED, 54, 54]));
        journal.answer(RequestNumber(0), &results(&[CREATED, CREATED]));
        journal.answer(RequestNumber(3), &results(&[46]));
        journal.refuse(RequestNumber(1), "overloaded");
        journal.close();
        let answers: Vec<Answer> = journal.answers().map(|(_, answer)| answer).collect();
        let expected =
            [Answer::AllCreated, Answer::Refused, Answer::SomeFailed, Answer::SomeFailed];
        assert_eq!(answers, expected);
        let failed: Vec<_> = journal.failed().iter().map(|f| (f.request.0, f.index)).collect();
        assert_eq!(failed, [(2, 1), (2, 2), (3, 0)]);
        assert_eq!(journal.holds_of(RequestNumber(3)), Some(RequestNumber(1)));
        assert_eq!(journal.holds_of(RequestNumber(2)), None);
        assert_eq!((journal.requests_answered(), journal.events_answered()), (4, 6));
        let statuses = [("created", 3), ("exists", 1), ("exceeds_credits", 2)];
        assert_eq!(journal.statuses(), statuses.map(|(n, c)| (n.to_owned(), c)).into());
    }
}
