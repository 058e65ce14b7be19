//! How long requests stay where they wait: for their turn, and for the log.
//!
//! By Little's law: the number of requests that wait, summed up over time, is the time that all of
//! them wait together. So nothing has to be noted for the single request.

use crate::wire::StatusReport;

/// The waiting of all requests since the start.
#[derive(Debug, Default)]
pub(super) struct Residence {
    last_ns: u64,
    turn_ns: u64,
    log_ns: u64,
}

impl Residence {
    /// Until `now_ns`, so many requests have waited for their turn, and so many answers for the log.
    pub(super) const fn note(&mut self, now_ns: u64, for_turn: usize, for_log: usize) {
        let passed_ns = if self.last_ns == 0 { 0 } else { now_ns.saturating_sub(self.last_ns) };
        self.last_ns = now_ns;
        self.turn_ns = self.turn_ns.wrapping_add(passed_ns * for_turn as u64);
        self.log_ns = self.log_ns.wrapping_add(passed_ns * for_log as u64);
    }

    /// Writes it down.
    pub(super) fn report(&self, report: &mut StatusReport) {
        report.counters.insert("latency_turn_ns".to_owned(), self.turn_ns);
        report.counters.insert("latency_log_ns".to_owned(), self.log_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_adds_up_over_requests_and_time() {
        let mut residence = Residence::default();
        residence.note(1_000, 5, 5);
        residence.note(1_100, 2, 0);
        residence.note(1_150, 1, 3);
        let mut report = StatusReport::default();
        residence.report(&mut report);
        assert_eq!(report.counters["latency_turn_ns"], 2 * 100 + 50);
        assert_eq!(report.counters["latency_log_ns"], 3 * 50);
    }
}
