//! What one connection has asked for and not yet been told: its credit, and the room that the
//! answers will need at most.
//!
//! A client may ask for much with little: a filter of 128 bytes can be answered with 1 MiB. So room
//! is set aside when a request is taken and not when its answer is made.
//!
//! Invariant: `promised_bytes` is the sum over the entries that wait, `used` their number, and no
//! ticket is given back twice.

use crate::ledger::{CommandResult, CreateResult, ResolveResult};
use crate::limits::ANSWER_BYTES_OWN;
use crate::wire::{BODY_BYTES_MAX, HEADER_BYTES, Header, Kind, Request};

/// Size of every record of a reply to a read.
const RECORD_BYTES: usize = 128;

/// Room for the text of a status report.
const STATUS_BYTES: usize = ANSWER_BYTES_OWN - HEADER_BYTES;

/// The largest frame that refuses a request.
pub(super) const REFUSAL_BYTES: usize = HEADER_BYTES + 512;

/// The requests of a connection that wait for their answers.
#[derive(Debug)]
pub(super) struct Credit {
    entries: Vec<Entry>,
    free: Vec<u32>,
    used: usize,
    promised_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    correlation: u64,
    promised_bytes: usize,
    taken_ns: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has this ticket.
    Free,
    /// A request that can change the ledger: its answer comes, whatever happens.
    Write,
    /// A read: its answer comes unless it is given up.
    Read,
    /// A read that the node was told to forget. Its answer may come or not.
    GivenUp,
}

/// A request that is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The client's number for it.
    pub(super) correlation: u64,
    /// Bytes that its answer has at most.
    pub(super) promised_bytes: usize,
    /// Whether it can change the ledger.
    pub(super) is_write: bool,
}

/// A request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    /// The client's number for it.
    pub(super) correlation: u64,
    /// When it was taken.
    pub(super) taken_ns: u64,
}

impl Credit {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), used: 0, promised_bytes: 0 }
    }

    /// How many requests wait.
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Bytes that their answers have at most.
    pub(super) const fn promised_bytes(&self) -> usize {
        self.promised_bytes
    }

    /// Takes in a request, under a number of our own: the client may use one twice.
    pub(super) fn take(&mut self, asked: Asked, now_ns: u64) -> u64 {
        let Asked { correlation, promised_bytes, is_write } = asked;
        self.used += 1;
        self.promised_bytes += promised_bytes;
        let state = if is_write { State::Write } else { State::Read };
        let entry = Entry { correlation, promised_bytes, taken_ns: now_ns, state };
        if let Some(index) = self.free.pop() {
            self.entries[index as usize] = entry;
            return u64::from(index);
        }
        self.entries.push(entry);
        self.entries.len() as u64 - 1
    }

    /// Ends a request. None if it was given up.
    ///
    /// # Panics
    /// When no request has that ticket: the node would answer something twice.
    pub(super) fn give_back(&mut self, ticket: u64) -> Option<Answered> {
        let index = u32::try_from(ticket).unwrap_or(u32::MAX);
        let entry = self.entries.get_mut(index as usize);
        let entry = entry.filter(|entry| entry.state != State::Free);
        let entry = entry.expect("an answer that nobody waits for");
        let waited = entry.state != State::GivenUp;
        entry.state = State::Free;
        let Entry { correlation, promised_bytes, taken_ns, .. } = *entry;
        self.free.push(index);
        if !waited {
            return None;
        }
        self.let_go(promised_bytes);
        Some(Answered { correlation, taken_ns })
    }

    /// From now on no read waits: the node was told to forget them, and may answer some all the
    /// same.
    pub(super) fn give_up_reads(&mut self) {
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            if entry.state == State::Read {
                entry.state = State::GivenUp;
                let promised_bytes = entry.promised_bytes;
                self.let_go(promised_bytes);
            }
        }
    }

    fn let_go(&mut self, promised_bytes: usize) {
        assert!(self.used > 0, "a request waits only once");
        assert!(promised_bytes <= self.promised_bytes, "more room is given back than was promised");
        self.used -= 1;
        self.promised_bytes -= promised_bytes;
    }

    /// The client's number for a request that waits.
    pub(super) fn correlation(&self, ticket: u64) -> Option<u64> {
        let entry = self.entries.get(usize::try_from(ticket).ok()?)?;
        matches!(entry.state, State::Write | State::Read).then_some(entry.correlation)
    }
}

/// The largest frame that can answer a request with a large body, which its header alone tells: no
/// filter is that large.
pub(super) fn reply_bytes_of_large(header: &Header) -> usize {
    let body = match header.check_request() {
        Ok(Kind::CreateAccounts | Kind::CreateTransfers) => header.body_len() / 8,
        Ok(Kind::ResolveTransfers) => header.body_len(),
        Ok(Kind::LookupAccounts | Kind::LookupTransfers) => header.body_len() * 8,
        _ => 0,
    };
    REFUSAL_BYTES.max(HEADER_BYTES + body.min(BODY_BYTES_MAX as usize))
}

/// The largest frame that can answer a request.
pub(super) fn reply_bytes_max(request: &Request) -> usize {
    let records = |count: usize| (count * RECORD_BYTES).min(BODY_BYTES_MAX as usize);
    let limit = |limit: u32| records(limit.min(BODY_BYTES_MAX) as usize);
    let body = match request {
        Request::CreateAccounts(events) => events.len() * size_of::<CreateResult>(),
        Request::CreateTransfers(events) => events.len() * size_of::<CreateResult>(),
        Request::ResolveTransfers { ids, .. } => ids.len() * size_of::<ResolveResult>(),
        Request::LookupAccounts(ids) | Request::LookupTransfers(ids) => records(ids.len()),
        Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
            limit(filter.limit)
        }
        Request::QueryAccounts(filter) => limit(filter.limit),
        Request::QueryTransfers(filter) => limit(filter.limit),
        Request::Command { .. } => size_of::<CommandResult>(),
        Request::Status => STATUS_BYTES,
        Request::Ping => 0,
    };
    HEADER_BYTES + body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::AccountFilter;
    use bytemuck::Zeroable;

    fn asked(correlation: u64, promised_bytes: usize, is_write: bool) -> Asked {
        Asked { correlation, promised_bytes, is_write }
    }

    #[test]
    fn room_is_set_aside_until_the_answer_and_numbers_lead_back() {
        let mut credit = Credit::new();
        let first = credit.take(asked(70, 100, false), 5);
        let second = credit.take(asked(70, 11, true), 6);
        assert_ne!(first, second);
        assert_eq!((credit.used(), credit.promised_bytes()), (2, 111));
        assert_eq!(credit.correlation(first), Some(70));
        assert_eq!(credit.give_back(first), Some(Answered { correlation: 70, taken_ns: 5 }));
        assert_eq!(credit.correlation(first), None);
        assert_eq!((credit.used(), credit.promised_bytes()), (1, 11));
        let third = credit.take(asked(9, 1, true), 7);
        assert_eq!(third, first, "tickets are used again");
        assert_eq!(credit.give_back(third).unwrap().correlation, 9);
        assert_eq!(credit.give_back(second).unwrap().correlation, 70);
        assert_eq!((credit.used(), credit.promised_bytes()), (0, 0));
    }

    #[test]
    fn reads_can_be_given_up_and_writes_can_t() {
        let mut credit = Credit::new();
        let read = credit.take(asked(1, 100, false), 0);
        let write = credit.take(asked(2, 10, true), 0);
        credit.give_up_reads();
        credit.give_up_reads();
        assert_eq!((credit.used(), credit.promised_bytes()), (1, 10));
        assert_eq!(credit.correlation(read), None);
        assert_eq!(credit.give_back(read), None, "it was under way already");
        assert!(credit.give_back(write).is_some());
        assert_eq!((credit.used(), credit.promised_bytes()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "an answer that nobody waits for")]
    fn nothing_is_answered_twice() {
        let mut credit = Credit::new();
        let ticket = credit.take(asked(1, 100, true), 0);
        credit.give_back(ticket);
        credit.give_back(ticket);
    }

    #[test]
    fn a_small_request_for_much_counts_as_much() {
        let filter = AccountFilter { limit: u32::MAX, ..AccountFilter::zeroed() };
        let largest = HEADER_BYTES + BODY_BYTES_MAX as usize;
        assert_eq!(reply_bytes_max(&Request::GetAccountTransfers(filter)), largest);
        assert_eq!(reply_bytes_max(&Request::LookupAccounts(vec![1; 3])), HEADER_BYTES + 3 * 128);
        assert_eq!(reply_bytes_max(&Request::Ping), HEADER_BYTES);
    }
}
