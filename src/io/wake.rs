//! Waking a thread that waits for a descriptor, with a system call only when it sleeps.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const AWAKE: u32 = 0;

/// The side of those who wake. Cheap to share.
#[derive(Debug)]
pub struct Waker {
    /// The least urgency that wakes the sleeper, or [`AWAKE`].
    threshold: AtomicU32,
    writer: io::PipeWriter,
}

/// The side of the one that sleeps.
#[derive(Debug)]
pub struct Sleeper {
    waker: Arc<Waker>,
    reader: io::PipeReader,
    descriptor: Arc<OwnedFd>,
}

/// A sleeper and those who wake it.
///
/// # Errors
/// If the process has no descriptors left.
pub fn sleeper() -> io::Result<(Sleeper, Arc<Waker>)> {
    let (reader, writer) = io::pipe()?;
    // A writer's wake-up can come after its byte was taken: a poll then tells of a byte that is gone,
    // and taking it must not wait for the next one.
    rustix::io::ioctl_fionbio(&reader, true)?;
    let waker = Arc::new(Waker { threshold: AtomicU32::new(AWAKE), writer });
    let descriptor = Arc::new(reader.as_fd().try_clone_to_owned()?);
    Ok((Sleeper { waker: Arc::clone(&waker), reader, descriptor }, waker))
}

impl Waker {
    /// Wakes the sleeper if it sleeps and wants to be woken for something of this urgency, from 1
    /// up. What it is woken for must be visible to it before.
    pub fn wake(&self, urgency: u32) {
        let threshold = self.threshold.load(Ordering::SeqCst);
        if threshold != AWAKE
            && urgency >= threshold
            && self.threshold.swap(AWAKE, Ordering::SeqCst) != AWAKE
        {
            // One byte for each sleep at most, so the pipe is never full. It breaks only when the
            // sleeper is gone.
            let _ = (&self.writer).write_all(&[1]);
        }
    }
}

impl Sleeper {
    /// Readable when somebody wakes this.
    #[must_use]
    pub const fn descriptor(&self) -> &Arc<OwnedFd> {
        &self.descriptor
    }

    /// Announces sleep, to be ended by anything of at least `urgency`. Look once more for work
    /// afterwards, then wait for the descriptor, then call [`Self::awake`].
    pub fn announce(&self, urgency: u32) {
        self.waker.threshold.store(urgency.max(1), Ordering::SeqCst);
    }

    /// Ends the announcement. Nobody writes to the descriptor until the next one, but for who
    /// already began to.
    pub fn awake(&self) {
        self.waker.threshold.store(AWAKE, Ordering::SeqCst);
    }

    /// Takes what made the descriptor readable, if it is still there.
    ///
    /// # Errors
    /// If the pipe is broken.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut bytes = [0; 64];
        match self.reader.read(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Ring;
    use std::time::Duration;

    #[test]
    fn only_a_sleeper_is_woken_and_only_for_what_is_urgent_enough() {
        let (mut sleeper, waker) = sleeper().unwrap();
        let readable = |sleeper: &Sleeper| {
            let mut ring = Ring::new(2, 4096).unwrap();
            ring.start_poll(1, sleeper.descriptor()).unwrap();
            ring.wait(Some(Duration::ZERO)).unwrap();
            ring.next_completion().is_some()
        };
        waker.wake(9);
        assert!(!readable(&sleeper), "awake");
        sleeper.announce(5);
        waker.wake(4);
        assert!(!readable(&sleeper), "not urgent");
        waker.wake(5);
        waker.wake(5);
        assert!(readable(&sleeper));
        sleeper.drain().unwrap();
        assert!(!readable(&sleeper), "one byte for one sleep");
        sleeper.drain().unwrap();
        sleeper.announce(1);
        sleeper.awake();
        waker.wake(9);
        assert!(!readable(&sleeper));
    }
}
