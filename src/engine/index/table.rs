//! One hash table of an index: ids to values, by linear probing.
//!
//! It keeps a 16-bit tag for each place apart from the entries: an id that is not there, the usual
//! case for a new transfer, costs one cache line.

use crate::engine::hash::IdHasher;
use crate::io::prefetch_read;

const PLACES_MIN: usize = 16;

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    id_low: u64,
    id_high: u64,
    value: u64,
}

const _: () = assert!(size_of::<Entry>() == 24);

impl Entry {
    #[expect(clippy::cast_possible_truncation, reason = "cuts the id into its halves")]
    const fn new(id: u128, value: u64) -> Self {
        Self { id_low: id as u64, id_high: (id >> 64) as u64, value }
    }

    const fn id(&self) -> u128 {
        (self.id_high as u128) << 64 | self.id_low as u128
    }
}

/// A table. Entries are never removed, only their values change.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// 0 is an empty place. Places are a power of two.
    tags: Vec<u16>,
    entries: Vec<Entry>,
    used: usize,
}

impl Table {
    /// How many places it has.
    pub(super) const fn places(&self) -> usize {
        self.tags.len()
    }

    /// How many of them are taken.
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Asks the memory for the tags of that hash.
    #[inline]
    pub(super) fn prefetch_tags(&self, hash: u64) {
        if let Some(tag) = self.tags.get(self.home(hash)) {
            prefetch_read(tag);
        }
    }

    /// Asks the memory for the entry at the first place whose tag fits, or at the free place.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        if self.tags.is_empty() {
            return;
        }
        let tag = tag_of(hash);
        let mut at = self.home(hash);
        while self.tags[at] != 0 && self.tags[at] != tag {
            at = self.next(at);
        }
        prefetch_read(&self.entries[at]);
    }

    /// The value of an id.
    #[inline]
    pub(super) fn get(&self, hash: u64, id: u128) -> Option<u64> {
        if self.tags.is_empty() {
            return None;
        }
        let tag = tag_of(hash);
        let mut at = self.home(hash);
        loop {
            let found = self.tags[at];
            if found == 0 {
                return None;
            }
            if found == tag && self.entries[at].id() == id {
                return Some(self.entries[at].value);
            }
            at = self.next(at);
        }
    }

    /// Sets the value of an id, at its place or at the first free one, of which there must be one.
    /// Gives the value that it had.
    #[inline]
    pub(super) fn set(&mut self, hash: u64, id: u128, value: u64) -> Option<u64> {
        let tag = tag_of(hash);
        let mut at = self.home(hash);
        loop {
            let found = self.tags[at];
            if found == 0 {
                self.tags[at] = tag;
                self.entries[at] = Entry::new(id, value);
                self.used += 1;
                return None;
            }
            if found == tag && self.entries[at].id() == id {
                return Some(std::mem::replace(&mut self.entries[at].value, value));
            }
            at = self.next(at);
        }
    }

    /// The same entries in twice the places.
    pub(super) fn doubled(&self, hasher: IdHasher) -> Self {
        let places = (self.places() * 2).max(PLACES_MIN);
        let mut table =
            Self { tags: vec![0; places], entries: vec![Entry::default(); places], used: 0 };
        for (id, value) in self.iter() {
            table.set(hasher.hash(id), id, value);
        }
        assert_eq!(table.used, self.used, "every id has its place in the new table");
        assert!(table.used * 2 <= places, "what has grown is half empty");
        table
    }

    /// All ids and their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u64)> {
        let places = self.tags.iter().zip(&self.entries);
        places.filter(|&(&tag, _)| tag != 0).map(|(_, entry)| (entry.id(), entry.value))
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        place_of(hash) & (self.tags.len().wrapping_sub(1))
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.tags.len() - 1)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "takes the low bits of a hash")]
const fn place_of(hash: u64) -> usize {
    hash as u32 as usize
}

/// Never 0, which marks an empty place.
#[expect(clippy::cast_possible_truncation, reason = "takes some bits of a hash")]
const fn tag_of(hash: u64) -> u16 {
    (hash >> 32) as u16 | 1
}
