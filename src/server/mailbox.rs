//! The mailbox of a core: messages from other threads, and the bell that wakes it when it sleeps.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam::queue::SegQueue;

use crate::engine::{Job, Loaded, Source, Submission};
use crate::io::Waker;
use crate::ledger::Op;
use crate::wire::Reply;

/// What one thread tells a core.
#[derive(Debug)]
pub(super) enum Message {
    /// A connection to serve.
    Connection(TcpStream),
    /// A request, to the sequencer.
    Submit(Submission),
    /// A connection that hears no answers any more, to the sequencer.
    Gone(Source),
    /// An answer, to the core that serves the connection.
    Reply { to: Source, op: Op, reply: Reply },
    /// A job, to the owner of a partition.
    Job(Job),
    /// A job that the owner has done, back to the sequencer.
    Done(usize, Job),
    /// Old records, to the sequencer.
    Loaded(Vec<Loaded>),
    /// Nothing more will come: flush and say so.
    Drain,
}

/// Unbounded by itself; what is under way at once is bounded by the credit of the connections.
#[derive(Debug)]
pub(super) struct Mailbox {
    messages: SegQueue<Message>,
    rung: AtomicBool,
    waker: Arc<Waker>,
}

impl Mailbox {
    /// An empty one, whose core `waker` wakes.
    pub(super) const fn new(waker: Arc<Waker>) -> Self {
        Self { messages: SegQueue::new(), rung: AtomicBool::new(false), waker }
    }

    pub(super) fn send(&self, message: Message) {
        self.messages.push(message);
        self.wake_if_asleep();
    }

    /// Wakes the core without a message: something that it looks at anyway has changed.
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.wake_if_asleep();
    }

    pub(super) fn receive(&self) -> Option<Message> {
        self.messages.pop()
    }

    /// Whether the bell was rung since the last time.
    pub(super) fn take_ring(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire)
    }

    /// Whether the core may sleep. To be asked after its sleep was announced: either a sender sees
    /// the announcement, or its message is seen here.
    pub(super) fn is_quiet(&self) -> bool {
        fence(Ordering::SeqCst);
        self.messages.is_empty() && !self.rung.load(Ordering::Relaxed)
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
                    sender.send(Message::Drain);
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
