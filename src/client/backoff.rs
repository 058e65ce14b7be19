//! How long to wait between attempts: doubling, bounded, and spread by a seed.

/// Waiting times that double up to a bound. Each is drawn from the upper half of its range, so
/// that clients that failed together don't return together.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    min_ns: u64,
    max_ns: u64,
    next_ns: u64,
    random: u64,
}

impl Backoff {
    pub(super) fn new(min_ns: u64, max_ns: u64, seed: u64) -> Self {
        let min_ns = min_ns.max(1);
        Self { min_ns, max_ns: max_ns.max(min_ns), next_ns: min_ns, random: seed }
    }

    /// The next attempt is a first one again.
    pub(super) const fn reset(&mut self) {
        self.next_ns = self.min_ns;
    }

    /// The time to wait now; the next one is up to twice as long.
    pub(super) fn next_ns(&mut self) -> u64 {
        let wait = self.spread(self.next_ns);
        self.next_ns = self.next_ns.saturating_mul(2).min(self.max_ns);
        wait
    }

    /// The time to wait after so many attempts of one request.
    pub(super) fn after_attempts_ns(&mut self, attempts: u32) -> u64 {
        let doubled = self.min_ns.saturating_mul(1 << attempts.saturating_sub(1).min(20));
        self.spread(doubled.min(self.max_ns))
    }

    fn spread(&mut self, ns: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ns - mixed % (ns / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds_and_start_over() {
        let mut backoff = Backoff::new(10, 100, 7);
        for most in [10, 20, 40, 80, 100, 100] {
            let wait = backoff.next_ns();
            assert!(wait <= most && wait >= most / 2, "{wait} of {most}");
        }
        backoff.reset();
        assert!(backoff.next_ns() <= 10);
        assert!(backoff.after_attempts_ns(60) <= 100);
    }

    #[test]
    fn seeds_spread_and_equal_seeds_agree() {
        let draw = |seed| Backoff::new(1_000_000, 1_000_000, seed).next_ns();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
