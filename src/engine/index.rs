//! A hash index from ids to 64-bit values, made for lookups of many ids at once.
//!
//! It is cut into shards that grow one by one, so that no insertion ever pauses for a rehash of
//! the whole, and each at a fill of its own, so that a batch meets only a few that grow. A shard keeps a 16-bit tag for each place apart from the entries: an id that is not
//! there, the usual case for a new transfer, costs one cache line.

use super::hash::IdHasher;
use crate::io::prefetch_read;

const SHARD_BITS: u32 = 10;
const SHARDS: usize = 1 << SHARD_BITS;
const PLACES_MIN: usize = 16;

/// The fill, in 1,024ths of its places, at which the first shard grows, and the last.
const FILLS: [usize; 2] = [660, 840];

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

#[derive(Debug, Default)]
struct Shard {
    /// 0 is an empty place. Places are a power of two.
    tags: Vec<u16>,
    entries: Vec<Entry>,
    used: usize,
}

impl Shard {
    #[inline]
    fn home(&self, hash: u64) -> usize {
        place_of(hash) & (self.tags.len().wrapping_sub(1))
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.tags.len() - 1)
    }

    #[inline]
    fn find(&self, hash: u64, id: u128) -> Option<usize> {
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
                return Some(at);
            }
            at = self.next(at);
        }
    }

    /// Sets the value of an id, at its place or at the first free one. There is one.
    #[inline]
    fn set(&mut self, hash: u64, id: u128, value: u64) -> Option<u64> {
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

    fn grow(&mut self, hasher: IdHasher) {
        let places = (self.tags.len() * 2).max(PLACES_MIN);
        let tags = std::mem::replace(&mut self.tags, vec![0; places]);
        let entries = std::mem::replace(&mut self.entries, vec![Entry::default(); places]);
        self.used = 0;
        for (tag, entry) in tags.into_iter().zip(entries) {
            if tag != 0 {
                self.set(hasher.hash(entry.id()), entry.id(), entry.value);
            }
        }
    }
}

/// A map from ids to values. Entries are never removed, only their values change.
#[derive(Debug)]
pub struct IdIndex {
    hasher: IdHasher,
    shards: Vec<Shard>,
    entries: usize,
}

impl IdIndex {
    /// An empty index of ids that are hashed by `hasher`.
    #[must_use]
    pub fn new(hasher: IdHasher) -> Self {
        Self { hasher, shards: (0..SHARDS).map(|_| Shard::default()).collect(), entries: 0 }
    }

    /// How many ids it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Asks the memory for the tags of that hash.
    #[inline]
    pub fn prefetch_tags(&self, hash: u64) {
        let shard = &self.shards[shard_of(hash)];
        if let Some(tag) = shard.tags.get(shard.home(hash)) {
            prefetch_read(tag);
        }
    }

    /// Asks the memory for the entry at the first place whose tag fits, or at the free place.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        let shard = &self.shards[shard_of(hash)];
        if shard.tags.is_empty() {
            return;
        }
        let tag = tag_of(hash);
        let mut at = shard.home(hash);
        while shard.tags[at] != 0 && shard.tags[at] != tag {
            at = shard.next(at);
        }
        prefetch_read(&shard.entries[at]);
    }

    /// The value of an id, whose hash is given.
    #[must_use]
    #[inline]
    pub fn get(&self, hash: u64, id: u128) -> Option<u64> {
        let shard = &self.shards[shard_of(hash)];
        shard.find(hash, id).map(|at| shard.entries[at].value)
    }

    /// Sets the value of an id, new or known. Gives the value that it had.
    #[inline]
    pub fn set(&mut self, hash: u64, id: u128, value: u64) -> Option<u64> {
        let number = shard_of(hash);
        let shard = &mut self.shards[number];
        if shard.used >= shard.tags.len() * fill_max(number) / 1_024 {
            shard.grow(self.hasher);
        }
        let before = shard.set(hash, id, value);
        self.entries += usize::from(before.is_none());
        before
    }
}

/// The fill at which a shard grows.
const fn fill_max(shard: usize) -> usize {
    FILLS[0] + (FILLS[1] - FILLS[0]) * shard / SHARDS
}

/// Mixed once more, because the owner of an id is chosen by the upper bits as they are.
const fn shard_of(hash: u64) -> usize {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SHARD_BITS)) as usize
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_set_and_nothing_else_while_growing() {
        let hasher = IdHasher::new(3);
        let mut index = IdIndex::new(hasher);
        let id_of = |number: u64| u128::from(number) << 64 | 17;
        for number in 0..200_000_u64 {
            let id = id_of(number);
            assert_eq!(index.get(hasher.hash(id), id), None);
            index.set(hasher.hash(id), id, number);
        }
        for number in 0..200_000_u64 {
            let id = id_of(number);
            assert_eq!(index.get(hasher.hash(id), id), Some(number));
        }
        assert_eq!(index.len(), 200_000);
    }

    #[test]
    fn shards_do_not_all_grow_at_the_same_time() {
        let hasher = IdHasher::new(5);
        let mut index = IdIndex::new(hasher);
        let mut growths = [0_usize; 100];
        // Shards of 64 places are filled, from where the first grow to where the last do.
        for id in 1..=60_000_u128 {
            let number = shard_of(hasher.hash(id));
            let before = index.shards[number].tags.len();
            index.set(hasher.hash(id), id, 1);
            let grown = before != index.shards[number].tags.len();
            growths[id as usize / 1_000] += usize::from(grown);
        }
        let most = growths[35..].iter().max().copied().unwrap_or(0);
        assert!(most > 0 && most < SHARDS / 5, "{most} of {SHARDS} shards in 1,000 insertions");
    }

    #[test]
    fn ids_of_equal_hash_stay_apart() {
        let mut index = IdIndex::new(IdHasher::new(3));
        index.set(42, 1, 10);
        index.set(42, 2, 20);
        index.set(42, 1, 11);
        assert_eq!(
            (index.get(42, 1), index.get(42, 2), index.get(42, 3)),
            (Some(11), Some(20), None)
        );
    }
}
