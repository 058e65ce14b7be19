//! Where the time of a thread goes: each of its moments belongs to exactly one phase.
//!
//! Costs one look at the clock for each lap, so it is always on. It measures and decides nothing; a
//! thread that hasn't called [`start`], such as a replay or a simulation, isn't measured.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a thread does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Phase {
            $($(#[$doc])* $name,)*
        }

        /// The phases by name.
        const NAMES: [&str; PHASES] = [$($text,)*];
        /// How many there are.
        const PHASES: usize = [$($text,)*].len();
    };
}

phases! {
    /// Nothing: the thread sleeps.
    Wait = "wait",
    /// The kernel's part of receiving and sending, which one system call does for all connections.
    Network = "network",
    /// Frames are cut out, their checksums compared, their requests decoded.
    Check = "check",
    /// Requests are put in order, and each event's ids are hashed and sent to their owners.
    Route = "route",
    /// Ids and holds are looked up.
    Resolve = "resolve",
    /// Accounts are found and their rows copied.
    Load = "load",
    /// The rules.
    Decide = "decide",
    /// The frame for the log is written.
    Build = "build",
    /// Rows and ids go back into the tables.
    Apply = "apply",
    /// Answers are encoded and given to their connections.
    Reply = "reply",
    /// Frames are copied, checksummed and chained (log writer).
    Seal = "seal",
    /// Only the disk is at work (log writer).
    Write = "write",
}

thread_local! {
    static LAPS: Laps = const { Laps::new() };
}

struct Laps {
    /// 0 before the start.
    last_ns: Cell<u64>,
    ns: [Cell<u64>; PHASES],
}

impl Laps {
    const fn new() -> Self {
        Self { last_ns: Cell::new(0), ns: [const { Cell::new(0) }; PHASES] }
    }

    fn lap(&self, phase: Phase) -> u64 {
        let last_ns = self.last_ns.get();
        if last_ns == 0 {
            return 0;
        }
        let now_ns = clock_ns(ClockId::Monotonic);
        self.last_ns.set(now_ns);
        let passed_ns = now_ns.saturating_sub(last_ns);
        self.add(phase, passed_ns);
        passed_ns
    }

    fn add(&self, phase: Phase, ns: u64) {
        let sum = &self.ns[phase as usize];
        sum.set(sum.get().wrapping_add(ns));
    }
}

/// From now on the time of this thread is counted.
pub fn start() {
    LAPS.with(|laps| laps.last_ns.set(clock_ns(ClockId::Monotonic)));
}

/// The time since the lap before belongs to `phase`.
pub fn lap(phase: Phase) {
    LAPS.with(|laps| laps.lap(phase));
}

/// Does something that may sleep. The time asleep is [`Phase::Wait`], the rest is `phase`.
pub fn sleep_lap<T>(phase: Phase, call: impl FnOnce() -> T) -> T {
    LAPS.with(|laps| {
        if laps.last_ns.get() == 0 {
            return call();
        }
        laps.lap(phase);
        let worked_before = clock_ns(ClockId::ThreadCPUTime);
        let result = call();
        let worked = clock_ns(ClockId::ThreadCPUTime).saturating_sub(worked_before);
        let passed = laps.lap(Phase::Wait);
        let awake = worked.min(passed);
        let wait = &laps.ns[Phase::Wait as usize];
        wait.set(wait.get().wrapping_sub(awake));
        laps.add(phase, awake);
        result
    })
}

/// The time of a thread as others see it.
#[derive(Debug, Default)]
pub struct Published {
    ns: [AtomicU64; PHASES],
}

impl Published {
    /// Publishes what this thread has counted so far.
    pub fn publish(&self) {
        LAPS.with(|laps| {
            for (shared, own) in self.ns.iter().zip(&laps.ns) {
                shared.store(own.get(), Ordering::Relaxed);
            }
        });
    }

    /// Each phase that took any time, by name, in nanoseconds.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let ns = self.ns.iter().map(|ns| ns.load(Ordering::Relaxed));
        NAMES.into_iter().zip(ns).filter(|(_, ns)| *ns > 0)
    }
}

fn clock_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sum(published: &Published) -> u64 {
        published.publish();
        published.list().map(|(_, ns)| ns).sum()
    }

    #[test]
    fn every_moment_is_in_one_phase() {
        let published = Published::default();
        lap(Phase::Decide);
        assert_eq!(sum(&published), 0, "not started");
        start();
        let began = clock_ns(ClockId::Monotonic);
        for _ in 0..1_000 {
            lap(Phase::Decide);
            lap(Phase::Load);
        }
        let slept = sleep_lap(Phase::Network, || {
            std::thread::sleep(Duration::from_millis(20));
            7
        });
        lap(Phase::Reply);
        let (all, passed) = (sum(&published), clock_ns(ClockId::Monotonic) - began);
        assert_eq!(slept, 7);
        assert!(all >= passed - passed / 10, "{all} of {passed}");
        let wait = published.list().find(|(name, _)| *name == "wait").unwrap().1;
        assert!(wait >= 10_000_000, "{wait}");
    }
}
