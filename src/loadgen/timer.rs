//! A timer that wakes the poll to the microsecond; the poll's own timeout knows only milliseconds.

use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A one-shot timer that a poll can wait for.
#[derive(Debug)]
pub(crate) struct Timer {
    fd: OwnedFd,
}

impl Timer {
    /// A timer at rest, registered under `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> std::io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd })
    }

    /// Wakes the poll once after `delay_ns`. An earlier order is forgotten. Since the poll is told
    /// of edges only, nothing has to be read when it fires.
    pub(crate) fn arm(&self, delay_ns: u64) -> std::io::Result<()> {
        let delay_ns = i64::try_from(delay_ns.max(1)).unwrap_or(i64::MAX);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let delay =
            Timespec { tv_sec: delay_ns / 1_000_000_000, tv_nsec: delay_ns % 1_000_000_000 };
        let once = Itimerspec { it_interval: zero, it_value: delay };
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
