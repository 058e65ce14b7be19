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
