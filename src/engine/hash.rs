//! Where an id belongs: the partition, the shard and the place in it.

/// Hashes ids with a key of this process, so that nobody can choose ids that collide.
/// Nothing that a user or the log ever sees depends on it.
#[derive(Debug, Clone, Copy)]
pub struct IdHasher {
    low: u64,
    high: u64,
}

impl IdHasher {
    /// A hasher for that key.
    #[must_use]
    pub const fn new(key: u128) -> Self {
        let (low, high) = halves(key);
        Self { low: low ^ 0x9e37_79b9_7f4a_7c15, high: high ^ 0xc2b2_ae3d_27d4_eb4f }
    }

    /// The hash of an id.
    #[must_use]
    #[inline]
    pub const fn hash(&self, id: u128) -> u64 {
        let (low, high) = halves(id);
        let first = fold(low ^ self.low, high ^ self.high);
        fold(first ^ self.high, 0x9fb2_1c65_1e98_df25)
    }
}

/// The hash mixed once more, for tables within a partition: its owner was chosen by the upper bits as
/// they are, so these say little there.
#[must_use]
#[inline]
pub(super) const fn mixed(hash: u64) -> u64 {
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Which of the partitions owns the ids with that hash.
#[must_use]
#[inline]
pub(super) const fn owner(hash: u64, partitions: usize) -> usize {
    (((hash >> 32) * partitions as u64) >> 32) as usize
}

const fn fold(a: u64, b: u64) -> u64 {
    let (low, high) = halves((a as u128) * (b as u128));
    low ^ high
}

#[expect(clippy::cast_possible_truncation, reason = "cuts the number into its halves")]
const fn halves(value: u128) -> (u64, u64) {
    (value as u64, (value >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_ids_spread_evenly_over_partitions() {
        let hasher = IdHasher::new(7);
        let mut counts = [0_u32; 8];
        for id in 1..=80_000_u128 {
            counts[owner(hasher.hash(id), 8)] += 1;
        }
        assert!(counts.iter().all(|&count| (9_000..11_000).contains(&count)), "{counts:?}");
    }

    #[test]
    fn one_partition_owns_everything() {
        assert_eq!(owner(u64::MAX, 1), 0);
        assert_eq!(owner(u64::MAX, 64), 63);
    }
}
