//! A hash index from ids to 64-bit values, made for lookups of many ids at once.
//!
//! It is cut into shards that grow one by one, so that no insertion ever pauses for a rehash of
//! the whole, and each at a fill of its own, so that a batch meets only a few that grow. Large
//! tables grow on another thread, if there is one ([`Growth`]).

mod growth;
mod table;

use std::sync::Arc;

pub use growth::{Grower, Growth, growth};

use self::growth::Grown;
use self::table::Table;
use super::hash::{IdHasher, mixed};

const SHARD_BITS: u32 = 10;
const SHARDS: usize = 1 << SHARD_BITS;

/// The fill, in 1,024ths of its places, at which the first shard grows, and the last.
const FILLS: [usize; 2] = [660, 840];

/// One of the tables of an index.
#[derive(Debug, Default)]
struct Shard {
    table: Table,
    /// Lent out to be doubled. What has changed since is in `table`, which comes first.
    lent: Option<Arc<Table>>,
}

impl Shard {
    #[inline]
    fn get(&self, hash: u64, id: u128) -> Option<u64> {
        let found = self.table.get(hash, id);
        match &self.lent {
            None => found,
            Some(lent) => found.or_else(|| lent.get(hash, id)),
        }
    }

    /// The table in which most ids are.
    #[inline]
    fn main(&self) -> &Table {
        self.lent.as_deref().unwrap_or(&self.table)
    }

    const fn is_full(&self, number: usize) -> bool {
        self.table.used() >= self.table.places() * fill_max(number) / 1_024
    }
}

/// A map from ids to values. Entries are never removed, only their values change.
#[derive(Debug)]
pub struct IdIndex {
    hasher: IdHasher,
    shards: Vec<Shard>,
    entries: usize,
    growth: Option<Growth>,
    grown: Grown,
}

impl IdIndex {
    /// An empty index of ids that are hashed by `hasher`.
    #[must_use]
    pub fn new(hasher: IdHasher) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { hasher, shards, entries: 0, growth: None, grown: Grown::default() }
    }

    /// Lets large tables grow on another thread from now on.
    pub fn grow_by(&mut self, growth: Growth) {
        self.growth = Some(growth);
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
        self.shards[shard_of(hash)].main().prefetch_tags(hash);
    }

    /// Asks the memory for the entry at the first place whose tag fits, or at the free place.
    #[inline]
    fn prefetch_entry(&self, hash: u64) {
        self.shards[shard_of(hash)].main().prefetch_entry(hash);
    }

    /// Asks the memory for all that is needed to set ids with these hashes.
    #[inline]
    pub fn prefetch(&self, hashes: impl Iterator<Item = u64> + Clone) {
        hashes.clone().for_each(|hash| self.prefetch_tags(hash));
        hashes.for_each(|hash| self.prefetch_entry(hash));
    }

    /// The value of an id, whose hash is given.
    #[must_use]
    #[inline]
    pub fn get(&self, hash: u64, id: u128) -> Option<u64> {
        self.shards[shard_of(hash)].get(hash, id)
    }

    /// Sets the value of an id, new or known. Gives the value that it had.
    #[inline]
    pub fn set(&mut self, hash: u64, id: u128, value: u64) -> Option<u64> {
        let number = shard_of(hash);
        if self.shards[number].is_full(number) {
            self.grow(number);
        }
        let shard = &mut self.shards[number];
        let mut before = shard.table.set(hash, id, value);
        if let (None, Some(lent)) = (before, &shard.lent) {
            before = lent.get(hash, id);
        }
        self.entries += usize::from(before.is_none());
        before
    }

    /// Takes back the tables that have grown since. Call it now and then.
    pub fn take_grown(&mut self) {
        while let Some((number, grown)) = self.grown.pop() {
            let shard = &mut self.shards[number];
            assert!(shard.lent.is_some(), "only a table that was lent comes back");
            let lent_ids = shard.lent.as_ref().map(|lent| lent.used());
            assert_eq!(Some(grown.used()), lent_ids, "it is the one that was lent");
            let since = std::mem::replace(&mut shard.table, grown);
            if let (Some(lent), Some(growth)) = (shard.lent.take(), &self.growth) {
                growth.free(lent);
            }
            for (id, value) in since.iter() {
                if self.shards[number].is_full(number) {
                    self.grow(number);
                }
                self.shards[number].table.set(self.hasher.hash(id), id, value);
            }
        }
    }

    #[cold]
    fn grow(&mut self, number: usize) {
        let Self { hasher, shards, growth, grown, .. } = self;
        let shard = &mut shards[number];
        if let Some(growth) = growth
            && shard.lent.is_none()
            && shard.table.places() >= growth.places_min()
        {
            let table = Arc::new(std::mem::take(&mut shard.table));
            if growth.double(number, &table, *hasher, grown) {
                shard.lent = Some(table);
            } else {
                // Nobody is there. Should somebody still hold it, it stays beside the new one.
                match Arc::try_unwrap(table) {
                    Ok(table) => shard.table = table,
                    Err(table) => shard.lent = Some(table),
                }
            }
        }
        shard.table = shard.table.doubled(*hasher);
        assert!(!shard.is_full(number), "a table that has grown has room");
    }
}

/// The fill at which a shard grows.
const fn fill_max(shard: usize) -> usize {
    FILLS[0] + (FILLS[1] - FILLS[0]) * shard / SHARDS
}

const fn shard_of(hash: u64) -> usize {
    (mixed(hash) >> (64 - SHARD_BITS)) as usize
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
            let before = index.shards[number].table.places();
            index.set(hasher.hash(id), id, 1);
            let grown = before != index.shards[number].table.places();
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

    /// Sets ids, which are new, to themselves.
    fn fill(index: &mut IdIndex, hasher: IdHasher, ids: u64) {
        for number in 0..ids {
            let id = u128::from(number);
            assert_eq!(index.set(hasher.hash(id), id, number), None);
        }
    }

    /// That the first so many ids have their values, and others none.
    fn check(index: &IdIndex, hasher: IdHasher, ids: u64, value: impl Fn(u64) -> u64) {
        for number in 0..ids {
            let id = u128::from(number);
            assert_eq!(index.get(hasher.hash(id), id), Some(value(number)), "{number}");
        }
        for id in u128::from(ids)..u128::from(ids) + 1_000 {
            assert_eq!(index.get(hasher.hash(id), id), None);
        }
        assert_eq!(index.len() as u64, ids);
    }

    #[test]
    fn what_changes_while_tables_grow_elsewhere_is_kept() {
        let hasher = IdHasher::new(9);
        let (growth, grower) = growth(1 << 10);
        let mut index = IdIndex::new(hasher);
        index.grow_by(growth);
        // The thread hasn't started: everything since the first table was lent is beside it.
        let ids = 3_000_000_u64;
        fill(&mut index, hasher, ids);
        assert!(index.shards.iter().all(|shard| shard.lent.is_some()));
        check(&index, hasher, ids, |number| number);
        // Old ids change, in tables that are lent and beside them.
        for number in (0..ids).step_by(3) {
            let id = u128::from(number);
            assert_eq!(index.set(hasher.hash(id), id, number + 7), Some(number));
        }
        let expected = |number: u64| if number.is_multiple_of(3) { number + 7 } else { number };
        check(&index, hasher, ids, expected);
        let thread = std::thread::spawn(|| grower.run());
        while index.shards.iter().any(|shard| shard.lent.is_some()) {
            index.take_grown();
            std::thread::yield_now();
        }
        check(&index, hasher, ids, expected);
        drop(index);
        thread.join().unwrap();
    }

    #[test]
    fn without_its_thread_a_table_grows_where_it_is() {
        let hasher = IdHasher::new(9);
        let (growth, grower) = growth(1 << 10);
        drop(grower);
        let mut index = IdIndex::new(hasher);
        index.grow_by(growth);
        let ids = 2_000_000_u64;
        fill(&mut index, hasher, ids);
        assert!(index.shards.iter().all(|shard| shard.lent.is_none()));
        check(&index, hasher, ids, |number| number);
    }
}
