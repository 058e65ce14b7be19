//! How many events a core lets come together before it is woken: one when it is idle, so that each
//! is served at once; more the faster they come.

/// The time over which events are counted.
const SPAN_NS: u64 = 1_000_000;

/// A wake-up should serve as many events as come in a span divided by this.
const WAKES_PER_SPAN: usize = 10;

/// More than these are never waited for.
const EVENTS_MAX: usize = 32;

/// Events counted over the span that runs and the one before.
pub(super) struct Gather {
    span_start_ns: u64,
    counted: usize,
    counted_before: usize,
}

impl Gather {
    pub(super) const fn new() -> Self {
        Self { span_start_ns: 0, counted: 0, counted_before: 0 }
    }

    /// So many events have come by `now_ns`.
    pub(super) const fn note(&mut self, now_ns: u64, events: usize) {
        self.turn(now_ns);
        self.counted += events;
    }

    /// How many to wait for.
    pub(super) fn events(&mut self, now_ns: u64) -> usize {
        self.turn(now_ns);
        (self.counted_before / WAKES_PER_SPAN).clamp(1, EVENTS_MAX)
    }

    const fn turn(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.span_start_ns);
        if passed_ns >= SPAN_NS {
            self.counted_before = if passed_ns < 2 * SPAN_NS { self.counted } else { 0 };
            self.counted = 0;
            self.span_start_ns = now_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_core_waits_for_one_and_a_busy_one_for_more() {
        let mut gather = Gather::new();
        assert_eq!(gather.events(5 * SPAN_NS), 1);
        gather.note(5 * SPAN_NS, 100);
        assert_eq!(gather.events(5 * SPAN_NS + 1), 1, "the span isn't over");
        assert_eq!(gather.events(6 * SPAN_NS), 10);
        gather.note(6 * SPAN_NS, 100_000);
        assert_eq!(gather.events(7 * SPAN_NS), EVENTS_MAX);
        gather.note(7 * SPAN_NS, 100_000);
        assert_eq!(gather.events(9 * SPAN_NS), 1, "nothing came for a whole span");
    }
}
