//! The fixed schedule of the open loop.

/// When each request is due, whatever became of those before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    start_ns: u64,
    /// In picoseconds, so that a thousand million requests later it is still exact enough.
    interval_ps: u64,
}

impl Schedule {
    /// Requests of `batch` transfers from `start_ns` on, at `rate` transfers a second.
    pub(crate) const fn new(start_ns: u64, batch: u64, rate: u64) -> Self {
        let interval_ps = batch * 1_000_000_000_000 / if rate == 0 { 1 } else { rate };
        Self { start_ns, interval_ps: if interval_ps == 0 { 1 } else { interval_ps } }
    }

    /// When a request is due, counted from 0.
    pub(crate) const fn due_ns(&self, request: u64) -> u64 {
        self.start_ns + request.saturating_mul(self.interval_ps) / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_even_intervals_and_on_time_at_the_end() {
        let schedule = Schedule::new(500, 1, 100_000);
        assert_eq!([0, 1, 2].map(|r| schedule.due_ns(r)), [500, 10_500, 20_500]);
        assert_eq!(schedule.due_ns(6_000_000), 60_000_000_500);
        let uneven = Schedule::new(0, 7, 3_000_000);
        assert_eq!(uneven.due_ns(3_000_000), 7_000_000_000 - 1_000);
    }
}
