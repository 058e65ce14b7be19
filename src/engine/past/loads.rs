//! Old records that requests wait for.
//!
//! A batch is decided without waiting. So a request that names a record which is no longer in memory
//! is taken out of the batch that is being made, and parked here; the record is asked for, each one
//! once; and when all that a request needs is here, it is ordered again.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::order::Arrival;
use crate::ledger::Transfer;
use crate::limits::{LOADS_PER_TURN_MAX, RECORDS_LOADED_MAX};
use crate::log::Position;

/// Something to be read from the committed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The transfer whose record stands there.
    Transfer(Position),
    /// Whether any frame of a stretch of the log created a transfer at exactly that timestamp.
    CreatedAt {
        /// The first frame.
        first: Position,
        /// The end of the stretch.
        until: Position,
        /// The timestamp.
        timestamp: u64,
    },
}

impl Load {
    /// Where reading begins. Who reads many does so in this order.
    #[must_use]
    pub const fn position(self) -> Position {
        match self {
            Self::Transfer(position) | Self::CreatedAt { first: position, .. } => position,
        }
    }

    /// What the answer belongs to. The stretch in which to look may be told differently the next time;
    /// the answer stays the same.
    pub(in crate::engine) const fn key(self) -> Key {
        match self {
            Self::Transfer(position) => Key::Transfer(position),
            Self::CreatedAt { timestamp, .. } => Key::CreatedAt(timestamp),
        }
    }
}

/// See [`Load::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Key {
    Transfer(Position),
    CreatedAt(u64),
}

/// What was found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// That transfer.
    Transfer(Transfer),
    /// Whether there is one.
    CreatedAt(bool),
}

/// A load with its answer.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// What was asked for.
    pub load: Load,
    /// What was found.
    pub found: Found,
}

/// A record that somebody needs.
#[derive(Debug, Default)]
struct Record {
    found: Option<Found>,
    /// Requests that hold on to it.
    users: usize,
    /// Those of them that wait for it.
    waiting: Vec<Arrival>,
}

/// A request that waits for records, or that has them and waits for its turn.
#[derive(Debug, Default)]
struct Parked {
    needs: Vec<Key>,
    /// Those that aren't here yet.
    missing: usize,
}

/// Invariants: a record is here exactly as long as a request in `parked` needs it, and it is asked for
/// once. A request is in `queue` or in `parked`, never in both with the same needs.
#[derive(Debug, Default)]
pub(in crate::engine) struct Loads {
    records: BTreeMap<Key, Record>,
    parked: BTreeMap<Arrival, Parked>,
    /// Requests for whose records there is no room yet.
    queue: VecDeque<(Arrival, Vec<Load>)>,
    to_ask: VecDeque<Load>,
    /// Asked for and not answered.
    asked: usize,
    ready: Vec<Arrival>,
    /// Loaded for a log that is decided again; gone with the frame.
    replayed: BTreeMap<Key, Found>,
}

impl Loads {
    /// A record that was loaded.
    #[inline]
    pub(in crate::engine) fn find(&self, key: Key) -> Option<Found> {
        let found = self.records.get(&key).and_then(|record| record.found);
        found.or_else(|| self.replayed.get(&key).copied())
    }

    /// Keeps what a frame that is decided again needs, until [`Loads::forget_replayed`].
    pub(in crate::engine) fn keep_for_replay(&mut self, loaded: Loaded) {
        self.replayed.insert(loaded.load.key(), loaded.found);
    }

    pub(in crate::engine) fn forget_replayed(&mut self) {
        self.replayed.clear();
    }

    /// A request waits for these, none of which is here.
    pub(in crate::engine) fn park(&mut self, arrival: Arrival, loads: Vec<Load>) {
        assert!(!loads.is_empty(), "who waits, waits for something");
        if self.parked.contains_key(&arrival) {
            // It holds on to records already. To wait in the queue as well could hold up everybody.
            self.admit(arrival, loads);
        } else {
            self.queue.push_back((arrival, loads));
            self.admit_all();
        }
    }

    /// A request was ordered or refused, and needs its records no more.
    #[inline]
    pub(in crate::engine) fn release(&mut self, arrival: Arrival) {
        if !self.parked.is_empty() {
            self.let_go(arrival);
        }
    }

    fn let_go(&mut self, arrival: Arrival) {
        let Some(parked) = self.parked.remove(&arrival) else { return };
        assert_eq!(parked.missing, 0, "a request goes on when all that it waits for is here");
        for key in parked.needs {
            let Some(record) = self.records.get_mut(&key) else {
                unreachable!("a record stays as long as somebody needs it")
            };
            assert!(record.users > 0, "who lets go held on");
            assert!(record.found.is_some(), "what was needed was loaded");
            record.users -= 1;
            if record.users == 0 {
                self.records.remove(&key);
            }
        }
        self.admit_all();
    }

    /// What to read next, for somebody who will answer all of it; none if there is nothing.
    pub(in crate::engine) fn poll(&mut self) -> Option<Vec<Load>> {
        let count = self.to_ask.len().min(LOADS_PER_TURN_MAX);
        let mut loads: Vec<Load> = self.to_ask.drain(..count).collect();
        loads.sort_by_key(|load| load.position());
        self.asked += loads.len();
        (!loads.is_empty()).then_some(loads)
    }

    /// Takes in what was read.
    pub(in crate::engine) fn handle_loaded(&mut self, loaded: &[Loaded]) {
        for Loaded { load, found } in loaded {
            assert!(self.asked > 0, "every answer belongs to a question");
            self.asked -= 1;
            let Some(record) = self.records.get_mut(&load.key()) else {
                unreachable!("a record stays as long as somebody waits for it")
            };
            assert!(record.found.is_none(), "every record is read once");
            record.found = Some(*found);
            for arrival in std::mem::take(&mut record.waiting) {
                let Some(parked) = self.parked.get_mut(&arrival) else {
                    unreachable!("who waits is parked")
                };
                assert!(parked.missing > 0, "a request is told once of each record");
                parked.missing -= 1;
                if parked.missing == 0 {
                    self.ready.push(arrival);
                }
            }
        }
    }

    /// Requests whose records are all here now.
    pub(in crate::engine) fn take_ready(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.ready)
    }

    /// Whether nobody waits for anything.
    pub(in crate::engine) fn is_idle(&self) -> bool {
        self.parked.is_empty() && self.queue.is_empty() && self.asked == 0
    }

    /// Records that are here or on their way.
    #[cfg(test)]
    pub(in crate::engine) fn records(&self) -> usize {
        self.records.len()
    }

    /// Lets those in the queue go on for whose records there is room; one in any case.
    fn admit_all(&mut self) {
        while let Some((_, loads)) = self.queue.front() {
            let fits = self.records.len() + loads.len() <= RECORDS_LOADED_MAX;
            if !fits && !self.parked.is_empty() {
                return;
            }
            if let Some((arrival, loads)) = self.queue.pop_front() {
                self.admit(arrival, loads);
            }
        }
    }

    fn admit(&mut self, arrival: Arrival, loads: Vec<Load>) {
        let parked = self.parked.entry(arrival).or_default();
        for load in loads {
            let record = self.records.entry(load.key()).or_default();
            if record.waiting.last() == Some(&arrival) {
                // It names the record twice.
                continue;
            }
            if record.users == 0 {
                self.to_ask.push_back(load);
            }
            record.users += 1;
            parked.needs.push(load.key());
            if record.found.is_none() {
                record.waiting.push(arrival);
                parked.missing += 1;
            }
        }
        if parked.missing == 0 {
            self.ready.push(arrival);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(position: u64) -> Load {
        Load::Transfer(Position(position))
    }

    fn answer(loads: &mut Loads, asked: &[Load]) {
        let found = |&load: &Load| Loaded {
            load,
            found: Found::Transfer(Transfer {
                id: load.position().0.into(),
                ..Transfer::default()
            }),
        };
        loads.handle_loaded(&asked.iter().map(found).collect::<Vec<_>>());
    }

    #[test]
    fn each_record_is_read_once_and_stays_as_long_as_somebody_needs_it() {
        let mut loads = Loads::default();
        loads.park(Arrival(1), vec![load(32), load(16), load(32)]);
        loads.park(Arrival(2), vec![load(16), load(48)]);
        let asked = loads.poll().unwrap();
        assert_eq!(asked, [load(16), load(32), load(48)], "each once, in the order of the log");
        assert!(loads.poll().is_none());
        answer(&mut loads, &asked[..2]);
        assert_eq!(loads.take_ready(), [Arrival(1)]);
        assert!(loads.find(load(16).key()).is_some() && loads.find(load(48).key()).is_none());
        loads.release(Arrival(1));
        assert!(loads.find(load(16).key()).is_some(), "the second needs it, too");
        assert!(loads.find(load(32).key()).is_none());
        answer(&mut loads, &asked[2..]);
        assert_eq!(loads.take_ready(), [Arrival(2)]);
        assert!(!loads.is_idle());
        // It was ordered again and needs one more.
        loads.park(Arrival(2), vec![load(64)]);
        let asked = loads.poll().unwrap();
        assert_eq!(asked, [load(64)]);
        answer(&mut loads, &asked);
        assert_eq!(loads.take_ready(), [Arrival(2)]);
        loads.release(Arrival(2));
        assert!(loads.is_idle() && loads.records() == 0);
    }

    #[test]
    fn records_in_memory_are_bounded_and_everybody_gets_theirs_in_turn() {
        let mut loads = Loads::default();
        let each = RECORDS_LOADED_MAX as u64 / 3;
        for number in 0..10 {
            let mine = (0..each).map(|at| load((number * each + at + 1) * 16)).collect();
            loads.park(Arrival(number), mine);
        }
        let mut done = Vec::new();
        while !loads.is_idle() {
            assert!(loads.records() <= RECORDS_LOADED_MAX, "{}", loads.records());
            while let Some(asked) = loads.poll() {
                assert!(asked.len() <= LOADS_PER_TURN_MAX);
                answer(&mut loads, &asked);
            }
            for arrival in loads.take_ready() {
                loads.release(arrival);
                done.push(arrival);
            }
        }
        assert_eq!(done, (0..10).map(Arrival).collect::<Vec<_>>());
    }
}
