//! The connections of one core as a machine: it is told what has happened on the sockets, and gives
//! what is to be done on them.
//!
//! Whatever happens to a connection only marks it. Once a turn all marked connections are settled:
//! their answers of the turn go out together, and they listen again.
//!
//! What is scarce goes round in the order in which it was asked for, and is taken back from those
//! who hold it and do nothing with it while others wait: room for large bodies, and memory for
//! answers (`limits.rs`).
//!
//! Invariants: a slot is given away only when nothing is under way on it, so that what the
//! transport tells of a slot is always meant for the connection there. A connection is marked at
//! most once, and waits in at most one queue. After a turn nobody waits for what is free.

use std::collections::VecDeque;

use super::connection::{Next, OthersWait, Place, Pool, Session, Spare, Surroundings};
use super::{Action, Bounds, Outbox, Usage, View};
use crate::engine::Source;
use crate::ledger::Op;
use crate::wire::{BodyBuffer, Reply};

mod sharing;

/// The connections of one core.
#[derive(Debug)]
pub struct Connections {
    core: u16,
    bounds: Bounds,
    sessions: Vec<Option<Session>>,
    free_slots: Vec<u32>,
    generation: u32,
    /// To be settled at the end of the turn.
    marked: Vec<u32>,
    /// Wait until there is room for more requests on this node.
    waiting_for_room: Vec<Place>,
    /// Wait for the memory of an answer of so many bytes.
    waiting_for_memory: VecDeque<(Place, usize)>,
    /// Wait until another large body may be received: those that have sent one before, and others.
    waiting_for_body: [VecDeque<Place>; 2],
    large_bodies: usize,
    pool: Pool,
    spare: Spare,
    actions: VecDeque<Action>,
}

/// What a method of a session needs besides it, from the fields of the machine.
macro_rules! surroundings {
    ($self:ident, $view:ident, $outbox:ident) => {
        Surroundings {
            view: $view,
            outbox: $outbox,
            pool: &mut $self.pool,
            spare: &mut $self.spare,
        }
    };
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(core: u16, bounds: Bounds) -> Self {
        Self {
            core,
            bounds,
            sessions: Vec::new(),
            free_slots: Vec::new(),
            generation: 0,
            marked: Vec::new(),
            waiting_for_room: Vec::new(),
            waiting_for_memory: VecDeque::new(),
            waiting_for_body: [VecDeque::new(), VecDeque::new()],
            large_bodies: 0,
            pool: Pool::new(bounds.answer_bytes),
            spare: Spare::default(),
            actions: VecDeque::new(),
        }
    }

    /// A connection was accepted. Gives its slot.
    pub fn handle_accepted(&mut self, view: &View) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            u32::try_from(self.sessions.len() - 1).expect("fewer connections than 2^32")
        });
        assert!(self.sessions[slot as usize].is_none(), "a slot is given away once");
        let place = Place { core: self.core, slot, generation: self.generation };
        self.sessions[slot as usize] = Some(Session::new(place, view.deadline_ns()));
        self.mark(slot);
        slot
    }

    /// Bytes have come; none means that nothing more comes.
    pub fn handle_received(
        &mut self,
        slot: u32,
        bytes: &[u8],
        has_more: bool,
        view: &View,
        outbox: &mut Outbox,
    ) {
        self.touch(slot, view, outbox, |session, at| session.received(at, bytes, has_more));
    }

    /// A large body is full, or as full as it gets, with so many bytes more.
    pub fn handle_filled(
        &mut self,
        slot: u32,
        body: BodyBuffer,
        added: usize,
        view: &View,
        outbox: &mut Outbox,
    ) {
        self.touch(slot, view, outbox, |session, at| session.filled(at, body, added));
    }

    /// So many bytes were sent. None means that nothing more can be sent.
    pub fn handle_sent(
        &mut self,
        slot: u32,
        bytes: Vec<u8>,
        count: usize,
        view: &View,
        outbox: &mut Outbox,
    ) {
        let action = self.touch(slot, view, outbox, |session, at| session.sent(at, bytes, count));
        self.actions.extend(action);
    }

    /// The node has answered a request. Gives when it was taken, if its connection still lives.
    pub fn handle_answer(
        &mut self,
        to: &Source,
        op: Op,
        reply: &Reply,
        view: &View,
        outbox: &mut Outbox,
    ) -> Option<u64> {
        let at = &mut surroundings!(self, view, outbox);
        let session = self.sessions.get_mut(to.slot as usize)?.as_mut()?;
        if !session.is(to) {
            return None;
        }
        let taken_ns = session.answer(at, to.correlation, op, reply);
        self.mark(to.slot);
        taken_ns
    }

    /// Ends connections that have kept the node, or others, waiting for too long. To be called a few
    /// times a second, after all that has come by the time of the view was handled.
    pub fn handle_tick(&mut self, view: &View, outbox: &mut Outbox) {
        let others_wait = OthersWait {
            for_memory: !self.waiting_for_memory.is_empty(),
            for_body: self.bodies_waiting() > 0,
        };
        for slot in (0..).take(self.sessions.len()) {
            if self.sessions[slot as usize].as_ref().is_some_and(|s| s.is_due(view, others_wait)) {
                let tick = |session: &mut Session, at: &mut Surroundings<'_>| {
                    session.tick(at, others_wait)
                };
                let action = self.touch(slot, view, outbox, tick);
                self.actions.extend(action);
            }
        }
    }

    /// Lets every connection that something has happened to go on: listen, send, or end.
    pub fn settle(&mut self, view: &View, outbox: &mut Outbox) {
        loop {
            self.share(view.has_room);
            if self.marked.is_empty() {
                break;
            }
            let marked = std::mem::take(&mut self.marked);
            for &slot in &marked {
                let at = &mut surroundings!(self, view, outbox);
                let Some(session) = self.sessions[slot as usize].as_mut() else { continue };
                session.is_marked = false;
                // Before sending: it may serve what was stalled, and so have something to say.
                let next = session.next(at);
                self.listen(slot, next, view, outbox);
                self.send_or_end(slot, view);
            }
            assert!(self.marked.is_empty(), "settling one connection touches no other");
            self.marked = marked;
            self.marked.clear();
        }
    }

    /// What is to be done on a socket, until there is nothing.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether any connection still waits for an answer or for its way out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.sessions.iter().flatten().any(Session::is_busy)
    }

    /// The client's own number for a request that waits for its answer.
    #[must_use]
    pub fn correlation_of(&self, source: &Source) -> Option<u64> {
        let session = self.sessions.get(source.slot as usize)?.as_ref()?;
        if session.is(source) { session.correlation(source.correlation) } else { None }
    }

    /// What is taken at the moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            connections: self.sessions.len() - self.free_slots.len(),
            answer_bytes: self.pool.used(),
            large_bodies: self.large_bodies,
            waiting_for_memory: self.waiting_for_memory.len(),
            waiting_for_body: self.bodies_waiting(),
        }
    }

    /// Lets something happen to a connection, and settles it at the end of the turn.
    fn touch<R>(
        &mut self,
        slot: u32,
        view: &View,
        outbox: &mut Outbox,
        happen: impl FnOnce(&mut Session, &mut Surroundings<'_>) -> R,
    ) -> R {
        let at = &mut surroundings!(self, view, outbox);
        let session = session_of(&mut self.sessions, slot);
        let had_room = session.has_body_room();
        let result = happen(session, at);
        if had_room && !session.has_body_room() {
            assert!(self.large_bodies > 0, "the room of a large body is given back once");
            self.large_bodies -= 1;
        }
        self.mark(slot);
        result
    }

    fn mark(&mut self, slot: u32) {
        if let Some(session) = self.sessions[slot as usize].as_mut()
            && !session.is_marked
        {
            session.is_marked = true;
            self.marked.push(slot);
        }
    }

    fn fill(&mut self, slot: u32, view: &View, outbox: &mut Outbox) {
        let at = &mut surroundings!(self, view, outbox);
        let (body, from) = session_of(&mut self.sessions, slot).begin_filling(at);
        self.actions.push_back(Action::Fill { slot, body, from });
    }

    fn send_or_end(&mut self, slot: u32, view: &View) {
        let session = session_of(&mut self.sessions, slot);
        if session.is_to_send() {
            let (bytes, from) = session.begin_sending(view.now_ns);
            self.actions.push_back(Action::Send { slot, bytes, from });
        }
        self.actions.extend(session.end_writing_if_done());
        if session.is_over()
            && let Some(session) = self.sessions[slot as usize].take()
        {
            session.leave(&mut self.pool);
            self.free_slots.push(slot);
            self.actions.push_back(Action::Forget { slot });
        }
    }
}

fn session_of(sessions: &mut [Option<Session>], slot: u32) -> &mut Session {
    sessions[slot as usize].as_mut().expect("what is under way keeps a connection in its slot")
}

#[cfg(test)]
mod tests;
