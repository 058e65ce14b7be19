//! The simulator's only source of chance: the same seed gives the same numbers on every machine.
//!
//! xoshiro256** by Blackman and Vigna, its state filled by SplitMix64. Not for secrets.

/// A seeded generator of numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator of that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut counter = seed;
        let mut split_mix = || {
            counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = counter;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        Self { state: [split_mix(), split_mix(), split_mix(), split_mix()] }
    }

    /// A generator of its own for one part of the world, so that parts don't disturb each other.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// Any number.
    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }

    /// A number from 0 to `bound - 1`, each as likely as any other for all practical purposes.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing lies below 0");
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("a product of two 64-bit numbers has 128 bits")
    }

    /// A number from `min` to `max`, both included.
    pub fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.below(max - min + 1)
    }

    /// An index into `length` things.
    pub fn index(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("a length fits 64 bits");
        usize::try_from(self.below(bound)).expect("below a length")
    }

    /// An index into `length` things that prefers the first ones.
    pub fn skewed_index(&mut self, length: usize) -> usize {
        self.index(length).min(self.index(length)).min(self.index(length))
    }

    /// True in so many of 100 cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_gives_the_numbers_that_it_always_gave() {
        // From the authors' reference code: state 1, 2, 3, 4 yields these first.
        let mut random = Random { state: [1, 2, 3, 4] };
        assert_eq!(
            [random.next_u64(), random.next_u64(), random.next_u64()],
            [11520, 0, 1509978240]
        );
        let mut again = Random::new(7);
        assert_eq!(Random::new(7).next_u128(), again.next_u128());
        assert_ne!(Random::new(7).next_u64(), Random::new(8).next_u64());
    }

    #[test]
    fn bounded_numbers_stay_in_bounds_and_reach_them() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 6];
        for _ in 0..600 {
            seen[random.index(6)] += 1;
            assert!((3..=5).contains(&random.between(3, 5)));
        }
        assert!(seen.iter().all(|count| (50..150).contains(count)), "{seen:?}");
        assert!(!random.percent(0));
        assert!(random.percent(100));
    }
}
