//! A hash index from account ids to the slots of their rows.
//!
//! It doesn't keep the ids, which stand in the rows: an entry has 8 bytes, the slot and 32 bits of
//! the hash, and who looks an account up has to compare the id in the row, which it needs anyway.

use super::hash::mixed;
use crate::io::prefetch_read;

const SHARD_BITS: u32 = 10;
const SHARDS: usize = 1 << SHARD_BITS;
const PLACES_MIN: usize = 16;

/// The slot plus 1 in the lower half, so that 0 is an empty place, and the mark of the hash above.
type Entry = u64;

/// A map from ids to slots. Entries are never removed.
#[derive(Debug)]
pub(super) struct Slots {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    /// A power of two of them, or none.
    entries: Vec<Entry>,
    used: usize,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Asks the memory for the entry of that hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        let (shard, mark) = self.shard(hash);
        if let Some(entry) = shard.entries.get(shard.home(mark)) {
            prefetch_read(entry);
        }
    }

    /// The first slot that may be the one of an id with that hash.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// The first slot for an id with that hash for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (shard, mark) = self.shard(hash);
        if shard.entries.is_empty() {
            return None;
        }
        let mut at = shard.home(mark);
        loop {
            let entry = shard.entries[at];
            if entry == 0 {
                return None;
            }
            if mark_of(entry) == mark && is_it(slot_of(entry)) {
                return Some(slot_of(entry));
            }
            at = shard.next(at);
        }
    }

    /// Adds the slot of an id that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        assert!(slot < u32::MAX, "capacity is limited to fewer accounts");
        let (number, mark) = place_of(hash);
        let shard = &mut self.shards[number];
        // Filled to five eighths at most, so that chains stay within a cache line or two.
        if shard.used >= shard.entries.len() / 8 * 5 {
            shard.double();
        }
        shard.put(u64::from(mark) << 32 | (u64::from(slot) + 1));
        shard.used += 1;
    }

    #[inline]
    fn shard(&self, hash: u64) -> (&Shard, u32) {
        let (number, mark) = place_of(hash);
        (&self.shards[number], mark)
    }
}

impl Shard {
    #[inline]
    fn home(&self, mark: u32) -> usize {
        mark as usize & self.entries.len().wrapping_sub(1)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }

    fn put(&mut self, entry: Entry) {
        let mut at = self.home(mark_of(entry));
        while self.entries[at] != 0 {
            at = self.next(at);
        }
        self.entries[at] = entry;
    }

    fn double(&mut self) {
        let places = (self.entries.len() * 2).max(PLACES_MIN);
        for entry in std::mem::replace(&mut self.entries, vec![0; places]) {
            if entry != 0 {
                self.put(entry);
            }
        }
    }
}

/// The shard of a hash, and the bits that tell it from others in there.
#[expect(clippy::cast_possible_truncation, reason = "takes some bits of a hash")]
const fn place_of(hash: u64) -> (usize, u32) {
    let mixed = mixed(hash);
    ((mixed >> (64 - SHARD_BITS)) as usize, (mixed >> (32 - SHARD_BITS)) as u32)
}

const fn mark_of(entry: Entry) -> u32 {
    (entry >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "takes the lower half")]
const fn slot_of(entry: Entry) -> u32 {
    (entry as u32) - 1
}

#[cfg(test)]
mod tests {
    use super::super::hash::IdHasher;
    use super::*;

    #[test]
    fn finds_every_slot_while_growing_and_none_that_is_not_there() {
        let hasher = IdHasher::new(3);
        let mut slots = Slots::new();
        let ids: Vec<u128> = (0..200_000).map(|number: u128| number << 64 | 17).collect();
        let is = |id: u128| {
            let ids = &ids;
            move |slot: u32| ids[slot as usize] == id
        };
        for (slot, &id) in (0_u32..).zip(&ids) {
            let hash = hasher.hash(id);
            assert_eq!(slots.find(hash, is(id)), None);
            slots.insert(hash, slot);
        }
        for (slot, &id) in (0_u32..).zip(&ids) {
            assert_eq!(slots.find(hasher.hash(id), is(id)), Some(slot));
            assert!(slots.candidate(hasher.hash(id)).is_some());
        }
        for id in 18..1_000 {
            assert_eq!(slots.find(hasher.hash(id), is(id)), None);
        }
    }

    #[test]
    fn ids_of_equal_hash_are_told_apart_by_their_rows() {
        let mut slots = Slots::new();
        for slot in 0..100 {
            slots.insert(42, slot);
        }
        for slot in 0..100 {
            assert_eq!(slots.find(42, |other| other == slot), Some(slot));
        }
        assert!(slots.candidate(42).is_some());
        assert_eq!(slots.find(42, |other| other == 100), None);
    }
}
