//! The mailbox of a core: messages from other threads, and the bell that wakes it when it sleeps.

use std::future::poll_fn;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::Poll;

use atomic_waker::AtomicWaker;
use crossbeam::queue::SegQueue;

use crate::engine::{Job, Source, Submission};
use crate::ledger::Op;
use crate::wire::Reply;

/// What one thread tells a core.
#[derive(Debug)]
pub(super) enum Message {
    /// A connection to serve.
    Connection(TcpStream),
    /// A request, to the sequencer.
    Submit(Submission),
    /// An answer, to the core that serves the connection.
    Reply { to: Source, op: Op, reply: Reply },
    /// A job, to the owner of a partition.
    Job(Job),
    /// A job that the owner has done, back to the sequencer.
    Done(usize, Job),
    /// Nothing more will come: flush and say so.
    Drain,
}

/// Unbounded by itself; what is under way at once is bounded by the credit of the connections.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    messages: SegQueue<Message>,
    rung: AtomicBool,
    asleep: AtomicBool,
    waker: AtomicWaker,
}

impl Mailbox {
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

    /// Returns when there is a message or the bell was rung.
    pub(super) async fn wait(&self) {
        poll_fn(|context| {
            if self.take_ring() {
                return Poll::Ready(());
            }
            self.waker.register(context.waker());
            self.asleep.store(true, Ordering::SeqCst);
            // Pairs with the fence of the sender: either it sees us asleep, or we see its message.
            fence(Ordering::SeqCst);
            if self.take_ring() {
                self.asleep.store(false, Ordering::Relaxed);
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    fn take_ring(&self) -> bool {
        self.rung.swap(false, Ordering::Acquire) || !self.messages.is_empty()
    }

    fn wake_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glommio::{LocalExecutorBuilder, Placement};
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    const MILLION: usize = 1_000_000;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_million_idle_polls_keep_one_waker() {
        let mailbox = Mailbox::default();
        let nobody = Arc::new(Nobody);
        let waker = Waker::from(Arc::clone(&nobody));
        let mut context = Context::from_waker(&waker);
        let mut wait = pin!(mailbox.wait());
        for _ in 0..MILLION {
            assert!(wait.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(Arc::strong_count(&nobody), 3, "ours, the context's and the mailbox's");
        mailbox.ring();
        assert!(wait.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn a_core_that_is_rung_a_million_times_misses_nothing() {
        let mailbox = Arc::new(Mailbox::default());
        let bell = Arc::clone(&mailbox);
        let ringer = std::thread::spawn(move || {
            for number in 0..MILLION {
                if number % 1_000 == 0 {
                    bell.send(Message::Drain);
                } else {
                    bell.ring();
                }
            }
        });
        let executor = LocalExecutorBuilder::new(Placement::Unbound)
            .spawn(move || async move {
                let mut received = 0;
                while received < MILLION / 1_000 {
                    mailbox.wait().await;
                    while mailbox.receive().is_some() {
                        received += 1;
                    }
                }
                received
            })
            .unwrap();
        assert_eq!(executor.join().unwrap(), MILLION / 1_000);
        ringer.join().unwrap();
    }
}
