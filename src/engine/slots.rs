//! A hash index from ids to the slots of their rows.
//!
//! It doesn't keep the ids, which stand in the rows: an entry has 8 bytes, the slot and 32 bits of
//! the hash, and who looks an id up has to compare it in the row, which is needed anyway.
//!
//! No insertion ever moves more than a few entries: a shard that grows fills its new table piece by piece,
//! and each shard grows at a fill of its own, so that a batch meets only few that do.

use super::hash::mixed;
use crate::io::prefetch_read;

const SHARD_BITS: u32 = 10;
const SHARDS: usize = 1 << SHARD_BITS;
const PLACES_MIN: usize = 16;

/// The fill, in 1,024ths of its places, at which the first shard grows, and the last: low enough that
/// chains stay within a cache line or two.
const FILLS: [usize; 2] = [512, 672];

/// Places of the old table that are moved with each insertion. The new table has room for half as many
/// insertions as the old one has places, so that it is never full before all are moved.
const MOVES: usize = 8;

const _: () = assert!(MOVES > 2 * 1_024 / FILLS[0]);

/// The slot plus 1 in the lower half, so that 0 is an empty place, and the mark of the hash above.
type Entry = u64;

/// In a table that is being moved: an entry that was removed. It keeps the chains whole.
const REMOVED: Entry = u32::MAX as u64;
const REMOVED_SLOT: u32 = slot_of(REMOVED);

/// A map from ids to slots.
#[derive(Debug)]
pub(super) struct Slots {
    shards: Vec<Shard>,
}

/// One table of the map.
///
/// Invariant: every entry is in `entries`, or in `old` at or behind the place `moved`. Those before are in
/// both, so that the chains of `old` stay whole; an entry is removed from both.
#[derive(Debug, Default)]
struct Shard {
    /// A power of two of them, or none.
    entries: Vec<Entry>,
    old: Vec<Entry>,
    moved: usize,
    /// Entries in all.
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
        if let Some(entry) = shard.entries.get(home(&shard.entries, mark)) {
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
        let found = find_in(&shard.entries, mark, &is_it);
        if found.is_some() || shard.old.is_empty() {
            return found;
        }
        find_in_old(&shard.old, mark, &is_it)
    }

    /// Adds the slot of an id that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        assert!(slot < u32::MAX - 1, "capacity is limited to fewer rows");
        let (number, mark) = place_of(hash);
        let shard = &mut self.shards[number];
        shard.move_some();
        if shard.used >= shard.entries.len() * fill_max(number) / 1_024 {
            shard.grow();
        }
        put(&mut shard.entries, u64::from(mark) << 32 | (u64::from(slot) + 1));
        shard.used += 1;
        assert!(
            shard.used < shard.entries.len(),
            "there is always an empty place at which a search ends"
        );
    }

    /// Removes the slot of an id with that hash for which `is_it` holds.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (number, mark) = place_of(hash);
        let Shard { entries, old, used, .. } = &mut self.shards[number];
        let mut removed = None;
        if let Some(at) = place_in(entries, mark, &is_it) {
            removed = Some(slot_of(entries[at]));
            close_gap(entries, at);
        }
        if let Some(at) = place_in(old, mark, &|slot| slot != REMOVED_SLOT && is_it(slot)) {
            removed = Some(slot_of(old[at]));
            old[at] = REMOVED;
        }
        assert!(*used > 0 || removed.is_none(), "what is removed was there");
        *used -= usize::from(removed.is_some());
        removed
    }

    #[inline]
    fn shard(&self, hash: u64) -> (&Shard, u32) {
        let (number, mark) = place_of(hash);
        (&self.shards[number], mark)
    }
}

impl Shard {
    /// Moves some places of the old table, if there is one.
    #[inline]
    fn move_some(&mut self) {
        if !self.old.is_empty() {
            self.move_places();
        }
    }

    fn move_places(&mut self) {
        let end = self.old.len().min(self.moved + MOVES);
        for &entry in &self.old[self.moved..end] {
            if entry != 0 && entry != REMOVED {
                put(&mut self.entries, entry);
            }
        }
        self.moved = end;
        if end == self.old.len() {
            self.old = Vec::new();
            self.moved = 0;
        }
    }

    #[cold]
    fn grow(&mut self) {
        assert!(self.old.is_empty(), "a table is moved before its successor is full");
        let places = (self.entries.len() * 2).max(PLACES_MIN);
        self.old = std::mem::replace(&mut self.entries, vec![0; places]);
        assert!(self.used * 2 <= places, "what is to be moved leaves half of the table free");
    }
}

#[inline]
fn home(entries: &[Entry], mark: u32) -> usize {
    mark as usize & entries.len().wrapping_sub(1)
}

#[inline]
fn next(entries: &[Entry], at: usize) -> usize {
    (at + 1) & (entries.len() - 1)
}

/// The slot of an entry, in a table without removed ones.
#[inline]
fn find_in(entries: &[Entry], mark: u32, is_it: &impl Fn(u32) -> bool) -> Option<u32> {
    if entries.is_empty() {
        return None;
    }
    let mut at = home(entries, mark);
    loop {
        let entry = entries[at];
        if entry == 0 {
            return None;
        }
        if mark_of(entry) == mark && is_it(slot_of(entry)) {
            return Some(slot_of(entry));
        }
        at = next(entries, at);
    }
}

/// The slot of an entry, in a table that is being moved.
#[cold]
#[inline(never)]
fn find_in_old(old: &[Entry], mark: u32, is_it: &impl Fn(u32) -> bool) -> Option<u32> {
    find_in(old, mark, &|slot| slot != REMOVED_SLOT && is_it(slot))
}

/// The place of an entry.
fn place_in(entries: &[Entry], mark: u32, is_it: &impl Fn(u32) -> bool) -> Option<usize> {
    if entries.is_empty() {
        return None;
    }
    let mut at = home(entries, mark);
    while entries[at] != 0 {
        if mark_of(entries[at]) == mark && is_it(slot_of(entries[at])) {
            return Some(at);
        }
        at = next(entries, at);
    }
    None
}

#[inline]
fn put(entries: &mut [Entry], entry: Entry) {
    let mut at = home(entries, mark_of(entry));
    while entries[at] != 0 {
        at = next(entries, at);
    }
    entries[at] = entry;
}

/// Empties a place, and moves those behind it up that would not be found any more.
fn close_gap(entries: &mut [Entry], gap: usize) {
    let (mut gap, mut at) = (gap, gap);
    loop {
        at = next(entries, at);
        let entry = entries[at];
        if entry == 0 {
            entries[gap] = 0;
            return;
        }
        // How far its home lies before it, and how far the gap does, around the end.
        let mask = entries.len() - 1;
        let from_home = at.wrapping_sub(home(entries, mark_of(entry))) & mask;
        let from_gap = at.wrapping_sub(gap) & mask;
        if from_home >= from_gap {
            entries[gap] = entry;
            gap = at;
        }
    }
}

/// The fill at which a shard grows.
const fn fill_max(shard: usize) -> usize {
    FILLS[0] + (FILLS[1] - FILLS[0]) * shard / SHARDS
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
        let mut growing = 0;
        for (slot, &id) in (0_u32..).zip(&ids) {
            let hash = hasher.hash(id);
            assert_eq!(slots.find(hash, is(id)), None);
            slots.insert(hash, slot);
            growing += usize::from(!slots.shard(hash).0.old.is_empty());
            if slot % 1_000 == 0 {
                let earlier = slot / 2;
                let id = ids[earlier as usize];
                assert_eq!(slots.find(hasher.hash(id), is(id)), Some(earlier));
            }
        }
        assert!(growing > 1_000, "{growing} insertions met a shard that was growing");
        for (slot, &id) in (0_u32..).zip(&ids) {
            assert_eq!(slots.find(hasher.hash(id), is(id)), Some(slot));
            assert!(slots.candidate(hasher.hash(id)).is_some());
        }
        for id in 18..1_000 {
            assert_eq!(slots.find(hasher.hash(id), is(id)), None);
        }
    }

    #[test]
    fn what_is_removed_is_gone_for_good_also_while_growing() {
        let hasher = IdHasher::new(11);
        let mut slots = Slots::new();
        let ids: Vec<u128> = (0..100_000).collect();
        let hash = |slot: u32| hasher.hash(ids[slot as usize]);
        let mut removed = 0;
        for slot in 0..100_000 {
            slots.insert(hash(slot), slot);
            // Of each three one goes at once and one later.
            for gone in [(slot % 3 == 1).then_some(slot), slot.checked_sub(999)] {
                let Some(gone) = gone.filter(|gone| gone % 3 != 0) else { continue };
                let found = slots.remove(hash(gone), |other| other == gone);
                removed += u32::from(found.is_some());
                assert_eq!(slots.find(hash(gone), |other| other == gone), None);
                assert_eq!(slots.remove(hash(gone), |other| other == gone), None);
            }
        }
        let live: Vec<u32> = (0..100_000)
            .filter(|&slot| slots.find(hash(slot), |other| other == slot).is_some())
            .collect();
        let expected: Vec<u32> = (0..100_000)
            .filter(|slot| slot % 3 == 0 || (*slot > 99_000 && slot % 3 == 2))
            .collect();
        assert_eq!(live, expected);
        let used: usize = slots.shards.iter().map(|shard| shard.used).sum();
        assert_eq!((used, removed), (live.len(), 100_000 - u32::try_from(live.len()).unwrap()));
    }

    #[test]
    fn no_insertion_moves_more_than_a_few_entries() {
        let hasher = IdHasher::new(7);
        let mut slots = Slots::new();
        let (mut growths, mut largest) = (0, 0);
        for slot in 0..300_000_u32 {
            let hash = hasher.hash(u128::from(slot));
            let before = (slots.shard(hash).0.old.len(), slots.shard(hash).0.moved);
            slots.insert(hash, slot);
            let shard = slots.shard(hash).0;
            let moved = match (before, shard.old.len()) {
                // It began to move: nothing yet but the one that was inserted.
                ((0, 0), places) => {
                    growths += u32::from(places > 0);
                    largest = largest.max(places);
                    shard.moved
                }
                // It is over.
                ((places, moved), 0) => places - moved,
                ((_, moved), _) => shard.moved - moved,
            };
            assert!(moved <= MOVES, "insertion {slot} moved {moved} places");
        }
        assert!(growths > 5_000 && largest >= 256, "{growths} growths, {largest} places");
    }

    #[test]
    fn shards_do_not_all_grow_at_the_same_time() {
        let hasher = IdHasher::new(5);
        let mut slots = Slots::new();
        let mut growths = [0_usize; 100];
        // Shards of 64 places are filled, from where the first grow to where the last do.
        for slot in 0..50_000_u32 {
            let hash = hasher.hash(u128::from(slot));
            let before = slots.shard(hash).0.entries.len();
            slots.insert(hash, slot);
            let grown = before != slots.shard(hash).0.entries.len();
            growths[slot as usize / 1_000] += usize::from(grown);
        }
        let most = growths[25..].iter().max().copied().unwrap_or(0);
        assert!(most > 0 && most < SHARDS / 5, "{most} of {SHARDS} shards in 1,000 insertions");
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
        assert_eq!(slots.remove(42, |other| other == 50), Some(50));
        assert_eq!(slots.find(42, |other| other == 50), None);
        assert_eq!(slots.find(42, |other| other == 99), Some(99));
    }
}
