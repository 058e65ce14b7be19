//! One core's side of the network: the sockets of its connections, driven by their machine.
//!
//! What happens on the sockets goes into `node::Connections`; what that wants done goes to the ring.
//! One system call a turn hands all of it to the kernel and fetches what has come, for all
//! connections.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use super::gather::Gather;
use super::site::Site;
use crate::engine::{Source, Submission};
use crate::fatal::{self, Reason};
use crate::io::phases::{Phase, lap, sleep_lap};
use crate::io::{Filling, SocketEvent, SocketHandle, Sockets, end_writing, shut_down};
use crate::node::{Action, Bounds, Connections, Delivery, Message, Outbox, Post, View};
use crate::wire::BodyBuffer;

/// How often a core looks for connections that are too slow, and the sequencer for expired holds.
const TICK: Duration = Duration::from_millis(200);

/// The longest that a sleep lets events gather.
const GATHER_MAX: Duration = Duration::from_micros(100);

/// The socket of a connection.
struct Peer {
    socket: SocketHandle,
    /// A large body that the kernel is receiving.
    filling: Option<Filling>,
}

/// Connections of one core, and the ring that serves them.
pub(super) struct Core {
    pub(super) site: Site,
    sockets: Sockets<BodyBuffer>,
    connections: Connections,
    /// By slot, as the machine has it.
    peers: Vec<Option<Peer>>,
    outbox: Outbox,
    /// The node as the connections see it this turn.
    view: View,
    next_tick_ns: u64,
    gather: Gather,
}

impl Core {
    pub(super) fn new(site: Site, sockets: Sockets<BodyBuffer>) -> Self {
        let bounds = Bounds::of_one_core(site.shared().mailboxes.len());
        Self {
            connections: Connections::new(site.index(), bounds),
            view: site.view(),
            site,
            sockets,
            peers: Vec::new(),
            outbox: Outbox::default(),
            next_tick_ns: 0,
            gather: Gather::new(),
        }
    }

    /// Serves a connection from now on.
    pub(super) fn adopt(&mut self, stream: TcpStream) {
        let slot = self.connections.handle_accepted(&self.view) as usize;
        if self.peers.len() <= slot {
            self.peers.resize_with(slot + 1, || None);
        }
        assert!(self.peers[slot].is_none(), "the machine gives away only slots that are free");
        self.peers[slot] = Some(Peer { socket: Rc::new(stream.into()), filling: None });
    }

    /// Takes what has happened on the sockets since the last turn. Whether anything has.
    pub(super) fn take_events(&mut self) -> bool {
        // Later than all that the kernel has told until now: no answer can be older than what its
        // request knew.
        self.view = self.site.view();
        let mut events = self.handle_events();
        let now_ns = self.view.now_ns;
        self.gather.note(now_ns, events);
        self.site.shared().phases[usize::from(self.site.index())].publish();
        if now_ns >= self.next_tick_ns {
            self.next_tick_ns = now_ns + u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
            // What the kernel has and hasn't told yet came in time.
            self.submit();
            self.view = View { now_ns, ..self.site.view() };
            events += self.handle_events();
            self.connections.handle_tick(&self.view, &mut self.outbox);
        }
        self.hand_on();
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
        self.view.now_ns
    }

    /// A connection stays in its slot for as long as an operation on it is under way, so that the
    /// tag of an operation, the slot, needs no generation.
    fn handle(&mut self, event: SocketEvent<BodyBuffer>) {
        let Self { connections, view, outbox, .. } = self;
        match event {
            SocketEvent::Received { tag, result: Ok(chunk) } => {
                let bytes = self.sockets.bytes(&chunk);
                let has_more = chunk.has_more();
                connections.handle_received(slot_of(tag), bytes, has_more, view, outbox);
                self.sockets.give_back(chunk);
            }
            SocketEvent::Received { tag, result: Err(_) } => {
                connections.handle_received(slot_of(tag), &[], false, view, outbox);
            }
            SocketEvent::Filled { tag, body, result } => {
                let slot = slot_of(tag);
                peer(&mut self.peers, slot).filling = None;
                connections.handle_filled(slot, body, result.unwrap_or(0), view, outbox);
            }
            SocketEvent::Sent { tag, bytes, result } => {
                let count = result.unwrap_or(0);
                connections.handle_sent(slot_of(tag), bytes, count, view, outbox);
            }
        }
    }

    /// Gives an answer to its connection, if that still lives.
    pub(super) fn deliver(&mut self, delivery: &Delivery) {
        let Delivery { to, op, reply } = delivery;
        let Self { connections, view, outbox, .. } = self;
        connections.handle_answer(to, *op, reply, view, outbox);
    }

    /// Lets every connection that something has happened to go on: send, listen, or end.
    pub(super) fn settle(&mut self) {
        self.view.has_room = self.site.shared().has_room();
        self.connections.settle(&self.view, &mut self.outbox);
        while let Some(action) = self.connections.poll_action() {
            self.act(action);
        }
        self.hand_on();
        let shared = self.site.shared();
        shared.counts[usize::from(self.site.index())].publish(&self.outbox.counts);
    }

    fn act(&mut self, action: Action) {
        let Self { sockets, peers, .. } = self;
        match action {
            Action::Receive { slot, may_be_there } => {
                let socket = &peer(peers, slot).socket;
                checked(sockets.start_receive(u64::from(slot), socket, may_be_there));
            }
            Action::Fill { slot, body, from } => {
                let peer = peer(peers, slot);
                let filling = sockets.start_fill(u64::from(slot), &peer.socket, body, from);
                peer.filling = Some(checked(filling));
            }
            Action::Cancel { slot } => {
                if let Some(filling) = peer(peers, slot).filling {
                    checked(sockets.cancel(filling));
                }
            }
            Action::Send { slot, bytes, from } => {
                let socket = &peer(peers, slot).socket;
                checked(sockets.start_send(u64::from(slot), socket, bytes, from));
            }
            Action::EndWriting { slot } => end_writing(&peer(peers, slot).socket),
            Action::ShutDown { slot } => shut_down(&peer(peers, slot).socket),
            Action::Forget { slot } => {
                assert!(peer(peers, slot).filling.is_none(), "the kernel still writes to a body");
                peers[slot as usize] = None;
                self.site.forget_connection();
            }
        }
    }

    /// Tells the sequencer what the connections want, unless it is on this core and takes that
    /// itself.
    fn hand_on(&mut self) {
        let shared = self.site.shared();
        if self.site.index() > 0 {
            let tell = |message| shared.send(0, message);
            self.outbox.submissions.drain(..).map(Message::Submit).for_each(tell);
            self.outbox.gone.drain(..).map(Message::Gone).for_each(tell);
        }
    }

    /// On the sequencer's core: the requests that have come since the last time.
    pub(super) fn take_submissions(&mut self) -> std::vec::Drain<'_, Submission> {
        self.outbox.submissions.drain(..)
    }

    /// On the sequencer's core, behind the requests: connections that hear no answers any more.
    pub(super) fn take_gone(&mut self) -> Option<Source> {
        self.outbox.gone.pop()
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

    /// Whether any connection still waits for an answer or for its way out.
    pub(super) fn is_busy(&self) -> bool {
        self.connections.is_busy()
    }
}

fn peer(peers: &mut [Option<Peer>], slot: u32) -> &mut Peer {
    peers[slot as usize].as_mut().expect("the machine acts on sockets that it was given")
}

fn slot_of(tag: u64) -> u32 {
    u32::try_from(tag).expect("operations are tagged with slots")
}

/// Without its ring a core can serve nobody.
fn checked<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        fatal::stop(Reason::NetworkFailed, &format!("the ring of sockets: {error}"))
    })
}
