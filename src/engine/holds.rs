//! The open holds of one partition and the order of their expiry.

use std::collections::BTreeMap;

use super::hash::IdHasher;
use super::slots::Slots;
use crate::io::prefetch_read;
use crate::ledger::{Timestamp, Transfer};

/// When a hold ends, and its own timestamp to tell it from others that end then.
pub(super) type ExpiryKey = (u64, u64);

/// Records are allocated in chunks that never move.
const CHUNK_RECORDS: usize = 1 << 12;

/// The open holds whose ids a partition owns.
///
/// Invariant: an open hold has exactly one slot, which is in `slots` and not among the free ones; one
/// with a timeout is in `expiry` as well.
#[derive(Debug)]
pub(super) struct Holds {
    hasher: IdHasher,
    /// By the hash of the id: the slot of the record.
    slots: Slots,
    records: HoldRecords,
    expiry: BTreeMap<ExpiryKey, u128>,
}

impl Holds {
    pub(super) fn new(hasher: IdHasher) -> Self {
        Self {
            hasher,
            slots: Slots::new(),
            records: HoldRecords::default(),
            expiry: BTreeMap::new(),
        }
    }

    /// The slot of an open hold.
    #[inline]
    pub(super) fn find(&self, hash: u64, id: u128) -> Option<u32> {
        self.slots.find(hash, |slot| self.records.get(slot).id == id)
    }

    /// Asks the memory for the record in which a hold with that hash is likely to be found. Whether
    /// there may be one.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) -> bool {
        let Some(slot) = self.slots.candidate(hash) else { return false };
        let record = self.records.get(slot);
        prefetch_read(&record.id);
        prefetch_read(&record.timestamp);
        true
    }

    /// The record of a slot that was found.
    #[inline]
    pub(super) fn record(&self, slot: u32) -> &Transfer {
        self.records.get(slot)
    }

    pub(super) fn open(&mut self, hash: u64, hold: &Transfer) {
        if let Some(key) = expiry_key(hold) {
            let before = self.expiry.insert(key, hold.id);
            assert_eq!(before, None, "timestamps are unique, so no two holds share an end");
        }
        let slot = self.records.insert(hold);
        self.slots.insert(hash, slot);
    }

    pub(super) fn close(&mut self, hash: u64, id: u128) {
        let records = &self.records;
        let Some(slot) = self.slots.remove(hash, |slot| records.get(slot).id == id) else {
            unreachable!("only an open hold is closed")
        };
        if let Some(key) = expiry_key(self.records.get(slot)) {
            let was = self.expiry.remove(&key);
            assert_eq!(was, Some(id), "an open hold that ends is known by its end");
        }
        self.records.free.push(slot);
        assert!(self.records.free.len() <= self.records.used as usize, "a slot is given back once");
    }

    /// When the next hold ends.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.first_key_value().map(|(&(at, _), _)| Timestamp(at))
    }

    /// The holds that have ended by `now`, first ones first, at most `limit`.
    pub(super) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Transfer> {
        let ended = self.expiry.range(..=(now.0, u64::MAX)).take(limit);
        let record = |&id: &u128| {
            let Some(slot) = self.find(self.hasher.hash(id), id) else {
                unreachable!("what has an end is an open hold")
            };
            *self.records.get(slot)
        };
        ended.map(|(_, id)| record(id)).collect()
    }
}

/// Records of holds, in slots that are used again.
#[derive(Debug, Default)]
struct HoldRecords {
    chunks: Vec<Box<[Transfer]>>,
    used: u32,
    free: Vec<u32>,
}

impl HoldRecords {
    #[inline]
    fn get(&self, slot: u32) -> &Transfer {
        &self.chunks[slot as usize / CHUNK_RECORDS][slot as usize % CHUNK_RECORDS]
    }

    fn insert(&mut self, record: &Transfer) -> u32 {
        let slot = self.free.pop().unwrap_or(self.used);
        let at = slot as usize;
        if slot == self.used {
            self.used += 1;
            if at / CHUNK_RECORDS == self.chunks.len() {
                self.chunks.push(vec![Transfer::default(); CHUNK_RECORDS].into_boxed_slice());
            }
        }
        self.chunks[at / CHUNK_RECORDS][at % CHUNK_RECORDS] = *record;
        slot
    }
}

/// None for a hold that never expires.
pub(super) fn expiry_key(hold: &Transfer) -> Option<ExpiryKey> {
    let timeout = u64::from(hold.timeout);
    (timeout != 0).then(|| (hold.timestamp + timeout * 1_000_000_000, hold.timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(id: u128, timeout: u32) -> Transfer {
        let timestamp = u64::try_from(id).unwrap();
        Transfer { id, timeout, timestamp, ..Transfer::default() }
    }

    #[test]
    fn holds_come_and_go_and_their_slots_are_used_again() {
        let hasher = IdHasher::new(3);
        let mut holds = Holds::new(hasher);
        let found = |holds: &Holds, id: u128| {
            holds.find(hasher.hash(id), id).map(|slot| holds.record(slot).id)
        };
        for round in 0..20_u128 {
            for id in 1..=10_000 {
                holds.open(hasher.hash(id + round), &hold(id + round, 0));
            }
            for id in 1..=10_000 {
                assert_eq!(found(&holds, id + round), Some(id + round));
            }
            assert_eq!(found(&holds, round), None);
            for id in 1..=10_000 {
                holds.close(hasher.hash(id + round), id + round);
                assert_eq!(found(&holds, id + round), None);
            }
        }
        assert_eq!(holds.records.used, 10_000);
    }

    #[test]
    fn holds_expire_in_the_order_of_their_ends() {
        let hasher = IdHasher::new(3);
        let mut holds = Holds::new(hasher);
        for (id, timeout) in [(1, 9), (2, 0), (3, 4), (4, 4), (5, 6)] {
            holds.open(hasher.hash(id), &hold(id, timeout));
        }
        holds.close(hasher.hash(3), 3);
        let second = 1_000_000_000;
        assert_eq!(holds.next_expiry(), Some(Timestamp(4 * second + 4)));
        let ended = |now, limit| -> Vec<u128> {
            holds.expired(Timestamp(now), limit).iter().map(|hold| hold.id).collect()
        };
        assert_eq!(ended(4 * second + 3, 9), []);
        assert_eq!(ended(10 * second, 9), [4, 5, 1]);
        assert_eq!(ended(10 * second, 2), [4, 5]);
    }
}
