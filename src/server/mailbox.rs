//! The mailbox of a core: messages from other threads, and the bell that wakes it when it sleeps.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam::queue::SegQueue;

use crate::io::Waker;
use crate::node::Message;

/// What one thread tells a core.
#[derive(Debug)]
pub(super) enum Mail {
    /// A connection to serve.
    Connection(TcpStream),
    /// What the machines of the cores tell each other.
    Message(Message),
}

/// Unbounded by itself; what is under way at once is bounded by the credit of the connections.
#[derive(Debug)]
pub(super) struct Mailbox {
    mail: SegQueue<Mail>,
    rung: AtomicBool,
    waker: Arc<Waker>,
}

impl Mailbox {
    /// An empty one, whose core `waker` wakes.
    pub(super) const fn new(waker: Arc<Waker>) -> Self {
        Self { mail: SegQueue::new(), rung: AtomicBool::new(false), waker }
    }

    pub(super) fn send(&self, mail: Mail) {
        self.mail.push(mail);
        self.wake_if_asleep();
    }

    /// Wakes the core without a message: something that it looks at anyway has changed.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.wake_if_asleep();
    }

    pub(super) fn receive(&self) -> Option<Mail> {
        self.mail.pop()
    }

    /// Whether the bell was rung since the last time.
    pub(super) fn take_ring(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire)
    }

    /// Whether the core may sleep. To be asked after its sleep was announced: either a sender sees
    /// the announcement, or its message is seen here.
    pub(super) fn is_quiet(&self) -> bool {
        fence(Ordering::SeqCst);
        self.mail.is_empty() && !self.rung.load(Ordering::Relaxed)
    }

    fn wake_if_asleep(&self) {
        fence(Ordering::SeqCst);
        self.waker.wake(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Sockets, sleeper};
    use std::time::Duration;

    const MILLION: usize = 1_000_000;

    #[test]
    fn a_core_that_is_rung_a_million_times_misses_nothing() {
        let (bell, waker) = sleeper().unwrap();
        let mailbox = Arc::new(Mailbox::new(waker));
        let sender = Arc::clone(&mailbox);
        let ringer = std::thread::spawn(move || {
            for number in 0..MILLION {
                if number % 1_000 == 0 {
                    sender.send(Mail::Message(Message::Drain));
                } else {
                    sender.ring();
                }
            }
        });
        let mut sockets: Sockets<Vec<u8>> = Sockets::new(bell).unwrap();
        let mut received = 0;
        while received < MILLION / 1_000 {
            // A wake-up that gets lost would let this sleep, and the test with it.
            sockets.sleep(1, Duration::MAX, || mailbox.is_quiet()).unwrap();
            assert!(sockets.next_event().unwrap().is_none());
            mailbox.take_ring();
            while mailbox.receive().is_some() {
                received += 1;
            }
        }
        ringer.join().unwrap();
        assert!(mailbox.is_quiet() || mailbox.take_ring());
    }
}
