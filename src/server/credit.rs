//! What one connection has asked for and not yet been told: its credit, and the room that the
//! answers will need at most.
//!
//! A client may ask for much with little: a filter of 128 bytes can be answered with 1 MiB. So room
//! is set aside when a request is taken and not when its answer is made.

use crate::ledger::{CreateResult, ResolveResult};
use crate::wire::{BODY_BYTES_MAX, HEADER_BYTES, Request};

/// Size of every record of a reply to a read.
const RECORD_BYTES: usize = 128;

/// Room for the text of a status report.
const STATUS_BYTES: usize = 64 * 1024;

/// The requests of a connection that wait for their answers.
#[derive(Debug)]
pub(super) struct Credit {
    entries: Vec<Entry>,
    free: Vec<u32>,
    promised_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    correlation: u64,
    promised_bytes: usize,
}

impl Credit {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), promised_bytes: 0 }
    }

    /// How many requests wait.
    pub(super) const fn used(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Bytes that their answers have at most.
    pub(super) const fn promised_bytes(&self) -> usize {
        self.promised_bytes
    }

    /// Takes in a request, under a number of our own: the client may use one twice.
    pub(super) fn take(&mut self, correlation: u64, promised_bytes: usize) -> u64 {
        self.promised_bytes += promised_bytes;
        let entry = Entry { correlation, promised_bytes };
        if let Some(index) = self.free.pop() {
            self.entries[index as usize] = entry;
            return u64::from(index);
        }
        self.entries.push(entry);
        self.entries.len() as u64 - 1
    }

    /// Ends a request. Gives the client's number for it.
    pub(super) fn give_back(&mut self, ticket: u64) -> u64 {
        let index = u32::try_from(ticket).unwrap_or(u32::MAX);
        let entry = self.entries[index as usize];
        self.free.push(index);
        self.promised_bytes -= entry.promised_bytes;
        entry.correlation
    }
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

    #[test]
    fn room_is_set_aside_until_the_answer_and_numbers_lead_back() {
        let mut credit = Credit::new();
        let first = credit.take(70, 100);
        let second = credit.take(70, 11);
        assert_ne!(first, second);
        assert_eq!((credit.used(), credit.promised_bytes()), (2, 111));
        assert_eq!(credit.give_back(first), 70);
        assert_eq!((credit.used(), credit.promised_bytes()), (1, 11));
        let third = credit.take(9, 1);
        assert_eq!(third, first, "places are used again");
        assert_eq!((credit.give_back(third), credit.give_back(second)), (9, 70));
        assert_eq!((credit.used(), credit.promised_bytes()), (0, 0));
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
