//! Gathering the events of many callers into few requests.
//!
//! Pure: no clock, no thread, no socket. It promises that the events of one caller stay together
//! and in order, that a chain which its caller left open can't reach into another caller's events,
//! that imported and other events never share a request, and that callers are served in order.

use std::collections::VecDeque;
use std::ops::Range;

use crate::ledger::{Account, AccountFlags, Transfer, TransferFlags};

/// A record that can be created in batches.
pub trait BatchEvent: Copy {
    /// Whether the next event belongs to the same chain.
    fn is_linked(&self) -> bool;
    /// Whether the caller gives the timestamp.
    fn is_imported(&self) -> bool;
}

impl BatchEvent for Account {
    fn is_linked(&self) -> bool {
        self.has(AccountFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.has(AccountFlags::IMPORTED)
    }
}

impl BatchEvent for Transfer {
    fn is_linked(&self) -> bool {
        self.has(TransferFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.has(TransferFlags::IMPORTED)
    }
}

/// The events of one caller.
#[derive(Debug)]
struct Entry<E, T> {
    token: T,
    events: Vec<E>,
    since_ns: u64,
    /// Ends inside a chain: whatever followed in the request would join that chain.
    open: bool,
    imported: bool,
}

/// Events of several callers, to be sent as one request.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<E, T> {
    /// The events of the request.
    pub events: Vec<E>,
    /// Who gave which of them.
    pub parts: Vec<(T, Range<usize>)>,
}

/// Gathers events; `T` is what the driver knows a caller by.
#[derive(Debug)]
pub struct Batcher<E, T> {
    entries: VecDeque<Entry<E, T>>,
    events: usize,
    events_max: usize,
    linger_ns: u64,
}

impl<E: BatchEvent, T> Batcher<E, T> {
    /// Requests of at most `events_max` events that wait at most `linger_ns` for more.
    #[must_use]
    pub const fn new(events_max: usize, linger_ns: u64) -> Self {
        Self { entries: VecDeque::new(), events: 0, events_max, linger_ns }
    }

    /// Takes the events of one caller, at least one and at most `events_max`.
    pub fn push(&mut self, token: T, events: Vec<E>, now_ns: u64) {
        debug_assert!((1..=self.events_max).contains(&events.len()));
        self.events += events.len();
        let open = events.last().is_some_and(BatchEvent::is_linked);
        let imported = events.first().is_some_and(BatchEvent::is_imported);
        self.entries.push_back(Entry { token, events, since_ns: now_ns, open, imported });
    }

    /// The next request, when it is full, old, or nothing is `in_flight` that more events could
    /// gather behind.
    pub fn next(&mut self, in_flight: usize, now_ns: u64) -> Option<Batch<E, T>> {
        let first = self.entries.front()?;
        let old = now_ns >= first.since_ns.saturating_add(self.linger_ns);
        if in_flight > 0 && !old && self.events < self.events_max {
            return None;
        }
        let imported = first.imported;
        let mut batch = Batch { events: Vec::new(), parts: Vec::new() };
        while let Some(entry) = self.entries.front() {
            let count = batch.events.len();
            let fits = count + entry.events.len() <= self.events_max;
            if count > 0 && (!fits || entry.open || entry.imported != imported) {
                break;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.events -= entry.events.len();
            if count == 0 {
                batch.events = entry.events;
            } else {
                batch.events.extend_from_slice(&entry.events);
            }
            batch.parts.push((entry.token, count..batch.events.len()));
            if entry.open {
                break;
            }
        }
        Some(batch)
    }

    /// When the oldest events have waited long enough.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.since_ns.saturating_add(self.linger_ns))
    }

    /// Takes out every caller that waits; nothing of theirs was sent.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.events = 0;
        self.entries.drain(..).map(|entry| entry.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(ids: Range<u128>, flags: u16) -> Vec<Transfer> {
        ids.map(|id| Transfer { id, flags, ..Default::default() }).collect()
    }

    fn ids(batch: &Batch<Transfer, char>) -> Vec<u128> {
        batch.events.iter().map(|event| event.id).collect()
    }

    #[test]
    fn a_lone_caller_is_sent_at_once_and_others_gather_behind_it() {
        let mut batcher = Batcher::new(10, 100);
        batcher.push('a', events(1..2, 0), 0);
        assert_eq!(batcher.next(0, 0).unwrap().parts, [('a', 0..1)]);
        batcher.push('b', events(2..3, 0), 5);
        batcher.push('c', events(3..5, 0), 6);
        assert_eq!(batcher.next(1, 10), None);
        assert_eq!(batcher.poll_timeout(), Some(105));
        let batch = batcher.next(0, 10).unwrap();
        assert_eq!(batch.parts, [('b', 0..1), ('c', 1..3)]);
        assert_eq!(ids(&batch), [2, 3, 4]);
        assert_eq!(batcher.next(0, 10), None);
    }

    #[test]
    fn age_and_fullness_send_although_something_is_in_flight() {
        let mut batcher = Batcher::new(4, 100);
        batcher.push('a', events(1..2, 0), 0);
        assert_eq!(batcher.next(1, 99), None);
        assert_eq!(batcher.next(1, 100).unwrap().parts, [('a', 0..1)]);
        batcher.push('b', events(1..4, 0), 200);
        batcher.push('c', events(4..6, 0), 200);
        let batch = batcher.next(1, 200).unwrap();
        assert_eq!(batch.parts, [('b', 0..3)], "the next caller would not fit whole");
        assert_eq!(batcher.next(1, 200), None);
    }

    #[test]
    fn an_open_chain_goes_alone() {
        let mut batcher = Batcher::new(10, 0);
        let linked = TransferFlags::LINKED;
        batcher.push('a', events(1..2, 0), 0);
        batcher.push('b', events(2..4, linked), 0);
        batcher.push('c', events(4..5, 0), 0);
        let closed = [events(5..6, linked), events(6..7, 0)].concat();
        batcher.push('d', closed, 0);
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('a', 0..1)]);
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('b', 0..2)]);
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('c', 0..1), ('d', 1..3)]);
    }

    #[test]
    fn imported_and_other_events_do_not_mix() {
        let mut batcher = Batcher::new(10, 0);
        let imported = TransferFlags::IMPORTED;
        for (token, flags) in [('a', 0), ('b', imported), ('c', imported), ('d', 0)] {
            batcher.push(token, events(1..2, flags), 0);
        }
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('a', 0..1)]);
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('b', 0..1), ('c', 1..2)]);
        assert_eq!(batcher.next(1, 0).unwrap().parts, [('d', 0..1)]);
    }

    #[test]
    fn waiting_callers_can_be_taken_out() {
        let mut batcher = Batcher::new(10, 0);
        batcher.push('a', events(1..2, 0), 0);
        batcher.push('b', events(2..3, 0), 0);
        assert_eq!(batcher.drain().collect::<String>(), "ab");
        assert_eq!(batcher.next(0, 0), None);
    }
}
