//! The clock: the only place that reads time. Everything else gets [`Now`] as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Nanoseconds since an arbitrary start of this clock; never runs backwards. For durations.
    pub monotonic_ns: u64,
    /// Nanoseconds since the Unix epoch; may jump. For timestamps of records.
    pub unix_ns: u64,
}

/// A source of time, real or simulated.
pub trait Clock: Send {
    /// Reads both clocks.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading starts near 0.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> Now {
        let monotonic = self.start.elapsed().as_nanos();
        // A clock before 1970 reads as 0: timestamps only ever advance from the last one anyway.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        Now {
            monotonic_ns: u64::try_from(monotonic).unwrap_or(u64::MAX),
            unix_ns: u64::try_from(unix).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_never_runs_backwards() {
        let clock = SystemClock::new();
        let mut last = clock.now();
        assert!(last.unix_ns > 1_600_000_000_000_000_000, "the machine's clock is set");
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(now.monotonic_ns >= last.monotonic_ns);
            last = now;
        }
    }
}
