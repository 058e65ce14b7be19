//! What the tasks of one core share: its connections, its receive buffer, its way to the sequencer.

use std::cell::{Cell, RefCell, RefMut};
use std::future::poll_fn;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use super::connection::{Connection, RECEIVE_BYTES};
use super::mailbox::Message;
use super::shared::{Counters, Shared};
use crate::engine::{Source, Submission};
use crate::io::{Clock, Socket};
use crate::ledger::Op;
use crate::wire::{Limits, Reply};

/// Events that may wait for their turn before no more is read from any connection.
const WAITING_EVENTS_MAX: u64 = 1 << 19;

/// Bodies of large requests that one core receives at the same time: more than clients that stop
/// in the middle of one are likely to hold, until they have been too slow.
const LARGE_BODIES_MAX: u32 = 512;

/// One core's side of the server.
pub(super) struct Core {
    index: u16,
    shared: Arc<Shared>,
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
    free_slots: RefCell<Vec<u32>>,
    generation: Cell<u32>,
    receive_buffer: RefCell<Vec<u8>>,
    /// On the sequencer's core: requests on their way to the engine.
    inbox: RefCell<Vec<Submission>>,
    waiting_for_room: RefCell<Vec<Waker>>,
    large_bodies: Cell<u32>,
}

/// Leave to receive one large body.
pub(super) struct LargeBody<'a> {
    core: &'a Core,
}

impl Drop for LargeBody<'_> {
    fn drop(&mut self) {
        self.core.large_bodies.set(self.core.large_bodies.get() - 1);
        self.core.wake_waiting();
    }
}

impl Core {
    pub(super) fn new(index: u16, shared: Arc<Shared>) -> Self {
        Self {
            index,
            shared,
            connections: RefCell::new(Vec::new()),
            free_slots: RefCell::new(Vec::new()),
            generation: Cell::new(0),
            receive_buffer: RefCell::new(vec![0; RECEIVE_BYTES]),
            inbox: RefCell::new(Vec::new()),
            waiting_for_room: RefCell::new(Vec::new()),
            large_bodies: Cell::new(0),
        }
    }

    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn limits(&self) -> Limits {
        self.shared.limits
    }

    pub(super) fn committed(&self) -> Op {
        Op(self.shared.committed.load(Ordering::Acquire))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    pub(super) fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    pub(super) fn is_log_full(&self) -> bool {
        self.shared.log_full.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, which: impl Fn(&Counters) -> &AtomicU64) {
        which(&self.shared.counters).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn receive_buffer(&self) -> RefMut<'_, Vec<u8>> {
        self.receive_buffer.borrow_mut()
    }

    /// When a frame that begins now, or a hello, or a goodbye, has to be whole.
    pub(super) fn frame_deadline_ns(&self) -> u64 {
        self.shared.clock.now().monotonic_ns + self.shared.client_ns_max
    }

    pub(super) fn now_unix_ns(&self) -> u64 {
        self.shared.clock.now().unix_ns
    }

    pub(super) fn now_monotonic_ns(&self) -> u64 {
        self.shared.clock.now().monotonic_ns
    }

    /// Lets other tasks of the core run.
    pub(super) async fn yield_now(&self) {
        glommio::executor().yield_task_queue_now().await;
    }

    /// Hands a request to the sequencer.
    pub(super) fn submit(&self, submission: Submission) {
        self.count(|counters| &counters.requests_accepted);
        if self.index == 0 {
            self.inbox.borrow_mut().push(submission);
            self.shared.mailboxes[0].ring();
        } else {
            self.shared.mailboxes[0].send(Message::Submit(submission));
        }
    }

    /// On the sequencer's core: the requests that have come since the last time.
    pub(super) fn take_inbox(&self, into: &mut Vec<Submission>) {
        into.append(&mut self.inbox.borrow_mut());
    }

    /// Whether there is room for more requests on this node.
    pub(super) fn has_room(&self) -> bool {
        self.shared.waiting_events.load(Ordering::Relaxed) < WAITING_EVENTS_MAX
    }

    /// Returns when there is room for more requests on this node.
    pub(super) async fn wait_for_room(&self) {
        self.wait_until(|| self.has_room()).await;
    }

    /// Returns when another large body may be received.
    pub(super) async fn permit_large_body(&self) -> LargeBody<'_> {
        self.wait_until(|| self.large_bodies.get() < LARGE_BODIES_MAX).await;
        self.large_bodies.set(self.large_bodies.get() + 1);
        LargeBody { core: self }
    }

    async fn wait_until(&self, condition: impl Fn() -> bool) {
        poll_fn(|context| {
            if condition() {
                return Poll::Ready(());
            }
            self.waiting_for_room.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Lets everyone who waits for room look again.
    pub(super) fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting_for_room.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Serves a connection from now on.
    pub(super) fn adopt(self: &Rc<Self>, stream: TcpStream) {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let slot = self.free_slots.borrow_mut().pop().unwrap_or_else(|| {
            self.connections.borrow_mut().push(None);
            u32::try_from(self.connections.borrow().len() - 1).unwrap_or(u32::MAX)
        });
        let deadline_ns = self.frame_deadline_ns();
        let connection =
            Rc::new(Connection::new(slot, generation, Socket::adopt(stream), deadline_ns));
        self.connections.borrow_mut()[slot as usize] = Some(Rc::clone(&connection));
        let (writer, core) = (Rc::clone(&connection), Rc::clone(self));
        glommio::spawn_local(async move {
            writer.write(&core).await;
            core.forget(&writer);
        })
        .detach();
        let core = Rc::clone(self);
        glommio::spawn_local(async move {
            connection.read(&core).await;
            core.forget(&connection);
        })
        .detach();
    }

    /// One of the two tasks of a connection has ended. After the last one its place is free.
    fn forget(&self, connection: &Connection) {
        if connection.is_left() {
            self.connections.borrow_mut()[connection.slot as usize] = None;
            self.free_slots.borrow_mut().push(connection.slot);
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives an answer to its connection, if that still lives.
    pub(super) fn deliver(&self, to: Source, op: Op, reply: &Reply) {
        let connection = self.connections.borrow().get(to.slot as usize).cloned().flatten();
        if let Some(connection) = connection
            && connection.generation == to.generation
        {
            connection.answer(to.correlation, op, self.shared.epoch, reply);
        }
    }

    /// Ends connections that have kept the server waiting for too long.
    pub(super) fn sweep(&self) {
        let now = self.now_monotonic_ns();
        let connections: Vec<_> = self.connections.borrow().iter().flatten().cloned().collect();
        for connection in connections {
            connection.sweep(now, self);
        }
    }

    /// Whether any connection still waits for an answer or for its way out.
    pub(super) fn is_busy(&self) -> bool {
        self.connections.borrow().iter().flatten().any(|connection| connection.is_busy())
    }
}
