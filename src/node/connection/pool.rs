//! The memory that answers may take: a little that is every connection's own, and a pool that all
//! connections of a core share.
//!
//! Invariant: `used` is the sum of what the connections have borrowed, and a request is taken only
//! if the largest answer to it still fits. So the answers of a core never need more than its pool
//! and what is its connections' own.

use crate::limits::{ANSWER_BYTES_OWN, SLOW_BYTES_PER_SECOND, SLOW_GRACE_NS};

/// The pool of one core.
#[derive(Debug)]
pub(crate) struct Pool {
    bytes_max: usize,
    used: usize,
    /// Whether somebody waits for a part of it; whoever comes then waits behind.
    pub(crate) contended: bool,
}

/// What one connection has of the pool.
#[derive(Debug, Default)]
pub(super) struct Loan {
    bytes: usize,
    /// It has waited for its turn, and that has come.
    pub(super) is_granted: bool,
}

impl Pool {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, used: 0, contended: false }
    }

    /// Bytes lent.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Bytes that can still be lent.
    pub(crate) const fn free(&self) -> usize {
        self.bytes_max.saturating_sub(self.used)
    }

    /// Whether a connection may hold `held` bytes in all.
    pub(super) const fn allows(&self, loan: &Loan, held: usize) -> bool {
        let more = loan.lacks(held);
        more == 0 || (more <= self.free() && (!self.contended || loan.is_granted))
    }

    /// A connection now holds `held` bytes in all.
    pub(super) const fn note(&mut self, loan: &mut Loan, held: usize) {
        let bytes = held.saturating_sub(ANSWER_BYTES_OWN);
        assert!(self.used >= loan.bytes, "the pool has lent less than one connection has of it");
        self.used = self.used - loan.bytes + bytes;
        loan.bytes = bytes;
    }
}

impl Loan {
    pub(super) const fn new() -> Self {
        Self { bytes: 0, is_granted: false }
    }

    /// Bytes of the pool that it takes besides what the connection has, to hold `held` in all.
    pub(super) const fn lacks(&self, held: usize) -> usize {
        held.saturating_sub(ANSWER_BYTES_OWN).saturating_sub(self.bytes)
    }

    /// Whether the connection has anything that others could wait for.
    pub(super) const fn is_something(&self) -> bool {
        self.bytes > 0
    }
}

/// Whether so many bytes in such a time are too few for somebody who has what others wait for.
pub(super) fn is_too_slow(bytes: usize, passed_ns: u64) -> bool {
    let due = u128::from(passed_ns) * u128::from(SLOW_BYTES_PER_SECOND) / 1_000_000_000;
    passed_ns > SLOW_GRACE_NS && (bytes as u128) < due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_connection_s_own_is_never_refused() {
        let mut pool = Pool::new(1_000);
        let (mut greedy, modest) = (Loan::default(), Loan::default());
        pool.note(&mut greedy, ANSWER_BYTES_OWN + 1_000);
        assert_eq!((pool.used(), pool.free()), (1_000, 0));
        assert!(!pool.allows(&modest, ANSWER_BYTES_OWN + 1));
        assert!(pool.allows(&modest, ANSWER_BYTES_OWN));
        assert!(pool.allows(&greedy, ANSWER_BYTES_OWN + 1_000), "it has that already");
        pool.note(&mut greedy, 5);
        assert!(pool.allows(&modest, ANSWER_BYTES_OWN + 1_000) && !greedy.is_something());
    }

    #[test]
    fn who_comes_later_waits_behind_those_that_wait() {
        let mut pool = Pool::new(1_000);
        let mut loan = Loan::default();
        pool.contended = true;
        assert!(!pool.allows(&loan, ANSWER_BYTES_OWN + 1));
        loan.is_granted = true;
        assert!(pool.allows(&loan, ANSWER_BYTES_OWN + 1));
        assert!(!pool.allows(&loan, ANSWER_BYTES_OWN + 1_001), "no grant makes room");
    }

    #[test]
    fn slowness_shows_only_after_a_grace() {
        assert!(!is_too_slow(0, SLOW_GRACE_NS));
        assert!(is_too_slow(0, SLOW_GRACE_NS + 1));
        let whole_seconds = usize::try_from(SLOW_BYTES_PER_SECOND).unwrap();
        assert!(!is_too_slow(4 * whole_seconds, 4_000_000_000));
        assert!(is_too_slow(4 * whole_seconds - 1, 4_000_000_000));
    }
}
