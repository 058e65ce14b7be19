//! The ledger's time: it goes on with the monotonic clock and leans towards the wall clock.
//!
//! The wall clock may be set at any moment, by hours or by years, and by a fault as well as on purpose.
//! Holds expire by the ledger's time, so that must not jump: between two readings it advances by what
//! the monotonic clock says, give or take [`SLEW_PPM`] of it, in the direction of the wall clock. A jump
//! of the wall clock is an event for people and changes the ledger's time by no more than that.

use super::clock::Now;

/// How much faster or slower than the monotonic clock time may go, in millionths: what `adjtime` allows
/// itself. Good clocks drift by a tenth of it.
pub const SLEW_PPM: u64 = 500;

/// A change of the wall clock by more than this against the monotonic clock is a step and not a drift,
/// in nanoseconds: what time daemons call one.
pub const STEP_NS_MIN: u64 = 128_000_000;

const MILLION: u64 = 1_000_000;

/// A jump of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// How far it jumped, in nanoseconds; negative if backwards.
    pub by_ns: i64,
    /// How far the ledger's time is ahead of the wall clock since then; negative if it lags behind.
    pub ahead_ns: i64,
}

/// The ledger's time. Its readings never fall, as long as those of the monotonic clock don't.
#[derive(Debug, Clone)]
pub struct SteadyClock {
    last: Now,
    /// The ledger's time at `last`, in nanoseconds since the Unix epoch.
    time_ns: u64,
    /// What may be leaned still, in millionths of a nanosecond; less than one nanosecond is left over.
    lean: u64,
    /// Wall clock minus monotonic clock when they last agreed about how much time had passed.
    expected_ns: i128,
    /// Whether the last reading contradicted that. One alone proves nothing: a thread may sleep between
    /// reading the two clocks.
    is_suspect: bool,
}

impl SteadyClock {
    /// A clock that begins at the wall clock's time, but not before `at_least`, the newest timestamp
    /// that was ever given.
    #[must_use]
    pub fn starting(now: Now, at_least: u64) -> Self {
        Self {
            last: now,
            time_ns: now.unix_ns.max(at_least),
            lean: 0,
            expected_ns: between(now),
            is_suspect: false,
        }
    }

    /// The ledger's time at a reading of the machine's clocks, and a jump of the wall clock if this
    /// reading proves one.
    pub fn advance(&mut self, now: Now) -> (u64, Option<ClockStep>) {
        let passed = now.monotonic_ns.saturating_sub(self.last.monotonic_ns);
        self.lean = self.lean.saturating_add(passed.saturating_mul(SLEW_PPM));
        let leaning = self.lean / MILLION;
        self.lean %= MILLION;
        let straight = self.time_ns.saturating_add(passed);
        // Never backwards: `leaning` is a small part of what passed, but for what was left over.
        let least = straight.saturating_sub(leaning).max(self.time_ns);
        self.time_ns = now.unix_ns.clamp(least, straight.saturating_add(leaning));
        self.last = now;
        (self.time_ns, self.step(now))
    }

    fn step(&mut self, now: Now) -> Option<ClockStep> {
        let by = between(now) - self.expected_ns;
        if by.unsigned_abs() <= u128::from(STEP_NS_MIN) {
            // A drift is what the wall clock is for.
            self.expected_ns = between(now);
            self.is_suspect = false;
            return None;
        }
        if !std::mem::replace(&mut self.is_suspect, true) {
            return None;
        }
        self.expected_ns = between(now);
        self.is_suspect = false;
        Some(ClockStep { by_ns: narrow(by), ahead_ns: self.ahead_ns() })
    }

    /// How far the ledger's time is ahead of the wall clock, by the last reading; negative if it lags
    /// behind.
    #[must_use]
    pub fn ahead_ns(&self) -> i64 {
        narrow(i128::from(self.time_ns) - i128::from(self.last.unix_ns))
    }
}

fn between(now: Now) -> i128 {
    i128::from(now.unix_ns) - i128::from(now.monotonic_ns)
}

/// Three centuries fit; what is more is as good as that.
fn narrow(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const YEAR: u64 = 365 * 86_400 * SECOND;
    const START: u64 = 60 * YEAR;

    /// The machine's clocks, of which one can be set.
    #[derive(Clone, Copy)]
    struct Machine(Now);

    impl Machine {
        fn new() -> Self {
            Self(Now { monotonic_ns: 7 * SECOND, unix_ns: START })
        }

        fn pass(&mut self, ns: u64) -> Now {
            self.0.monotonic_ns += ns;
            self.0.unix_ns += ns;
            self.0
        }

        fn set(&mut self, by: i128) {
            self.0.unix_ns = u64::try_from(i128::from(self.0.unix_ns) + by).unwrap_or(0);
        }
    }

    #[test]
    fn good_clocks_are_followed_and_never_suspected() {
        let mut machine = Machine::new();
        let mut clock = SteadyClock::starting(machine.0, 0);
        for ns in [1, 999, 1_000_000, SECOND, 3_600 * SECOND, 0] {
            let now = machine.pass(ns);
            assert_eq!(clock.advance(now), (now.unix_ns, None));
            assert_eq!(clock.ahead_ns(), 0);
        }
    }

    #[test]
    fn a_jump_moves_the_time_by_nothing_and_is_told_once_with_both_sizes() {
        let hour = 3_600 * i128::from(SECOND);
        let ten_years = 10 * i128::from(YEAR);
        for by in [1, -1]
            .map(i128::from)
            .into_iter()
            .flat_map(|sign| [i128::from(SECOND), hour, ten_years].map(|size| sign * size))
        {
            let mut machine = Machine::new();
            let mut clock = SteadyClock::starting(machine.0, 0);
            clock.advance(machine.pass(SECOND));
            machine.set(by);
            let mut told = Vec::new();
            for passed in 1..=100_u64 {
                let (time, step) = clock.advance(machine.pass(SECOND / 10));
                told.extend(step);
                let straight = START + SECOND + passed * SECOND / 10;
                let bound = passed * SECOND / 10 * SLEW_PPM / MILLION;
                assert!(time.abs_diff(straight) <= bound, "after {passed}: {time}");
            }
            assert_eq!(told.len(), 1, "{by}: {told:?}");
            assert_eq!(i128::from(told[0].by_ns), by);
            let off = i128::from(told[0].ahead_ns) + by;
            assert!(off.unsigned_abs() <= u128::from(SECOND / 1_000), "{by}: {told:?}");
        }
    }

    #[test]
    fn a_second_is_made_up_in_about_half_an_hour_and_then_it_is_right_again() {
        for by in [i128::from(SECOND), -i128::from(SECOND)] {
            let mut machine = Machine::new();
            let mut clock = SteadyClock::starting(machine.0, 0);
            machine.set(by);
            let mut seconds = 0;
            while {
                clock.advance(machine.pass(SECOND));
                clock.ahead_ns() != 0
            } {
                seconds += 1;
            }
            assert!((1_990..=2_010).contains(&seconds), "{seconds}");
        }
    }

    #[test]
    fn slow_corrections_and_single_late_readings_are_no_jumps() {
        let mut machine = Machine::new();
        let mut clock = SteadyClock::starting(machine.0, 0);
        for _ in 0..1_000 {
            // Ten times what a time daemon does.
            machine.set(5_000_000);
            assert_eq!(clock.advance(machine.pass(SECOND)).1, None);
        }
        // A thread that slept between its two readings.
        let mut late = machine.pass(SECOND);
        late.unix_ns += 2 * SECOND;
        assert_eq!(clock.advance(late).1, None);
        assert_eq!(clock.advance(machine.pass(SECOND)).1, None);
        // The same twice is a jump.
        machine.set(i128::from(2 * SECOND));
        assert_eq!(clock.advance(machine.pass(1)).1, None);
        assert!(clock.advance(machine.pass(1)).1.is_some());
    }

    #[test]
    fn behind_the_newest_timestamp_it_goes_on_from_there_and_lets_the_wall_clock_catch_up() {
        let mut machine = Machine::new();
        let newest = START + 10 * YEAR;
        let mut clock = SteadyClock::starting(machine.0, newest);
        assert_eq!(u64::try_from(clock.ahead_ns()), Ok(10 * YEAR));
        let (time, step) = clock.advance(machine.pass(2 * SECOND));
        assert_eq!((time, step), (newest + 2 * SECOND - SECOND / 1_000, None));
    }

    #[test]
    fn whatever_the_wall_clock_does_time_never_falls_and_never_runs() {
        for seed in 0..50 {
            let mut random = seed_of(seed);
            let mut machine = Machine::new();
            let mut clock = SteadyClock::starting(machine.0, 0);
            let (mut passed, mut last) = (0, START);
            for _ in 0..200 {
                if random().is_multiple_of(4) {
                    machine.set((i128::from(random() % 40) - 20) * i128::from(YEAR));
                }
                let ns = random() % (2 * SECOND);
                let (time, _) = clock.advance(machine.pass(ns));
                passed += ns;
                assert!(time >= last, "seed {seed}");
                let bound = passed * SLEW_PPM / MILLION + 1;
                assert!(time.abs_diff(START + passed) <= bound, "seed {seed}");
                last = time;
            }
        }
    }

    fn seed_of(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            mixed ^ (mixed >> 29)
        }
    }
}
