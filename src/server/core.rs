//! One core's side of the network: its connections, and what each of them does next.
//!
//! Whatever happens to a connection only marks it. Once a turn all marked connections are settled:
//! their answers of the turn go out together, and they listen again. One system call hands that
//! to the kernel and fetches what has come, for all connections.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use super::connection::{Connection, Next};
use super::gather::Gather;
use super::site::Site;
use crate::engine::Source;
use crate::fatal::{self, Reason};
use crate::io::phases::{Phase, lap, sleep_lap};
use crate::io::{SocketEvent, Sockets};
use crate::ledger::Op;
use crate::wire::{BodyBuffer, Reply};

/// Bodies of large requests that one core receives at the same time: more than clients that stop
/// in the middle of one are likely to hold, until they have been too slow.
const LARGE_BODIES_MAX: u32 = 512;

/// How often a core looks for connections that are too slow, and the sequencer for expired holds.
const TICK: Duration = Duration::from_millis(200);

/// The longest that a sleep lets events gather.
const GATHER_MAX: Duration = Duration::from_micros(100);

/// Connections of one core, and the ring that serves them.
pub(super) struct Core {
    pub(super) site: Site,
    sockets: Sockets<BodyBuffer>,
    connections: Vec<Option<Connection>>,
    free_slots: Vec<u32>,
    generation: u32,
    /// Slots to be settled at the end of the turn; a connection is there once.
    marked: Vec<u32>,
    /// Slots of connections that wait until there is room for more requests on this node.
    waiting_for_room: Vec<u32>,
    /// Slots of connections that wait until another large body may be received.
    waiting_for_body: Vec<u32>,
    large_bodies: u32,
    now_ns: u64,
    next_tick_ns: u64,
    gather: Gather,
}

impl Core {
    pub(super) const fn new(site: Site, sockets: Sockets<BodyBuffer>) -> Self {
        Self {
            site,
            sockets,
            connections: Vec::new(),
            free_slots: Vec::new(),
            generation: 0,
            marked: Vec::new(),
            waiting_for_room: Vec::new(),
            waiting_for_body: Vec::new(),
            large_bodies: 0,
            now_ns: 0,
            next_tick_ns: 0,
            gather: Gather::new(),
        }
    }

    /// Serves a connection from now on.
    pub(super) fn adopt(&mut self, stream: TcpStream) {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.connections.push(None);
            u32::try_from(self.connections.len() - 1).unwrap_or(u32::MAX)
        });
        let socket = Rc::new(stream.into());
        let deadline_ns = self.site.frame_deadline_ns();
        let connection = Connection::new(slot, self.generation, socket, deadline_ns);
        self.connections[slot as usize] = Some(connection);
        self.mark(slot);
    }

    /// Takes what has happened on the sockets since the last turn. Whether anything has.
    pub(super) fn take_events(&mut self) -> bool {
        let mut events = self.handle_events();
        let now_ns = self.site.now_monotonic_ns();
        self.now_ns = now_ns;
        self.gather.note(now_ns, events);
        self.site.shared().phases[usize::from(self.site.index())].publish();
        if now_ns >= self.next_tick_ns {
            self.next_tick_ns = now_ns + u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
            // What the kernel has and hasn't told yet came in time.
            self.submit();
            events += self.handle_events();
            self.sweep(now_ns);
        }
        events > 0
    }

    /// Handles what the kernel has told. Gives how many things that were.
    fn handle_events(&mut self) -> usize {
        let mut events = 0;
        while let Some(event) = checked(self.sockets.next_event()) {
            events += 1;
            self.handle(event);
        }
        events
    }

    /// When the turn began.
    pub(super) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// A connection stays in its slot for as long as an operation on it is under way, so that the
    /// tag of an operation, the slot, needs no generation.
    fn handle(&mut self, event: SocketEvent<BodyBuffer>) {
        let (SocketEvent::Received { tag, .. }
        | SocketEvent::Filled { tag, .. }
        | SocketEvent::Sent { tag, .. }) = event;
        let slot = u32::try_from(tag).unwrap_or(u32::MAX);
        let Some(connection) = self.connections.get_mut(slot as usize).and_then(Option::as_mut)
        else {
            fatal::stop(Reason::NetworkFailed, "a socket without a connection");
        };
        match event {
            SocketEvent::Received { result, .. } => match result {
                Ok(chunk) => {
                    let bytes = self.sockets.bytes(&chunk);
                    connection.received(&mut self.site, bytes, chunk.has_more());
                    self.sockets.give_back(chunk);
                }
                Err(_) => connection.received(&mut self.site, &[], false),
            },
            SocketEvent::Filled { body, result, .. } => {
                connection.filled(&mut self.site, body, result.unwrap_or(0));
                self.large_bodies -= 1;
                let waiting = std::mem::take(&mut self.waiting_for_body);
                waiting.into_iter().for_each(|slot| self.mark(slot));
            }
            SocketEvent::Sent { bytes, result, .. } => {
                connection.sent(&self.site, bytes, result.unwrap_or(0));
            }
        }
        self.mark(slot);
    }

    /// Gives an answer to its connection, if that still lives.
    pub(super) fn deliver(&mut self, to: Source, op: Op, reply: &Reply) {
        let connection = self.connections.get_mut(to.slot as usize).and_then(Option::as_mut);
        if let Some(connection) = connection
            && connection.generation == to.generation
        {
            connection.answer(to.correlation, op, self.site.epoch(), reply);
            self.mark(to.slot);
        }
    }

    /// Lets every connection that something has happened to go on: send, listen, or end.
    pub(super) fn settle(&mut self) {
        if !self.waiting_for_room.is_empty() && self.site.has_room() {
            let waiting = std::mem::take(&mut self.waiting_for_room);
            waiting.into_iter().for_each(|slot| self.mark(slot));
        }
        for at in 0..self.marked.len() {
            let slot = self.marked[at];
            let Some(connection) = self.connections[slot as usize].as_mut() else { continue };
            connection.marked = false;
            // Before sending: it may serve what was stalled, and so have something to say.
            self.listen(slot);
            self.send(slot);
            self.end_if_over(slot);
        }
        self.marked.clear();
    }

    /// Starts to wait for the next bytes of a connection, if it may send any.
    fn listen(&mut self, slot: u32) {
        let Some(connection) = self.connections[slot as usize].as_mut() else { return };
        let tag = u64::from(slot);
        match connection.next(&mut self.site) {
            Next::Nothing => {}
            Next::Room => self.waiting_for_room.push(slot),
            Next::Bytes { may_be_there } => {
                let socket = connection.socket();
                checked(self.sockets.start_receive(tag, socket, may_be_there));
                connection.receiving = true;
            }
            Next::Body if self.large_bodies >= LARGE_BODIES_MAX => self.waiting_for_body.push(slot),
            Next::Body => {
                if let Some((body, from)) = connection.take_body(&self.site) {
                    let socket = connection.socket();
                    checked(self.sockets.start_fill(tag, socket, body, from));
                    connection.receiving = true;
                    self.large_bodies += 1;
                }
            }
        }
    }

    /// Starts to send what a connection has to say, unless it is sending.
    fn send(&mut self, slot: u32) {
        let Some(connection) = self.connections[slot as usize].as_mut() else { return };
        if connection.is_to_send() {
            let (bytes, from) = connection.take_to_send();
            let socket = connection.socket();
            checked(self.sockets.start_send(u64::from(slot), socket, bytes, from));
        }
    }

    fn end_if_over(&mut self, slot: u32) {
        let Some(connection) = self.connections[slot as usize].as_mut() else { return };
        connection.end_writing_if_done(&self.site);
        if connection.is_over() {
            self.connections[slot as usize] = None;
            self.free_slots.push(slot);
            self.site.forget_connection();
        }
    }

    fn mark(&mut self, slot: u32) {
        if let Some(connection) = self.connections[slot as usize].as_mut()
            && !connection.marked
        {
            connection.marked = true;
            self.marked.push(slot);
        }
    }

    /// Hands all that was started to the kernel, without waiting.
    pub(super) fn submit(&mut self) {
        checked(self.sockets.submit());
        lap(Phase::Network);
    }

    /// The same, but sleeps until there is something to do, or the next tick.
    ///
    /// Under load it lets a few things gather first: to be woken for each of them would cost more,
    /// here and at whoever wakes, than the things themselves.
    pub(super) fn sleep(&mut self) {
        let now_ns = self.site.now_monotonic_ns();
        let gather = self.gather.events(now_ns);
        let left = Duration::from_nanos(self.next_tick_ns.saturating_sub(now_ns));
        let longest = if gather > 1 { left.min(GATHER_MAX) } else { left };
        let mailbox = self.site.mailbox();
        let sockets = &mut self.sockets;
        checked(sleep_lap(Phase::Network, || {
            sockets.sleep(gather, longest, || mailbox.is_quiet())
        }));
    }

    /// Keeps the sockets going once there is nothing more to answer: the connections that are left
    /// end with the process.
    pub(super) fn serve_until_the_end(mut self) -> ! {
        loop {
            self.take_events();
            // Whoever still sends something comes too late.
            self.site.mailbox().take_ring();
            while self.site.mailbox().receive().is_some() {}
            self.settle();
            self.sleep();
        }
    }

    /// Ends connections that have kept the server waiting for too long.
    fn sweep(&mut self, now_ns: u64) {
        for slot in 0..self.connections.len() {
            if let Some(connection) = self.connections[slot].as_mut()
                && connection.sweep(now_ns, &self.site)
            {
                self.mark(u32::try_from(slot).unwrap_or(u32::MAX));
            }
        }
    }

    /// Whether any connection still waits for an answer or for its way out.
    pub(super) fn is_busy(&self) -> bool {
        self.connections.iter().flatten().any(Connection::is_busy)
    }
}

/// Without its ring a core can serve nobody.
fn checked<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        fatal::stop(Reason::NetworkFailed, &format!("the ring of sockets: {error}"))
    })
}
