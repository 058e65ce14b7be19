//! Who goes on when what is scarce becomes free: room on the node, memory for answers, and room for
//! large bodies.

use super::*;
use crate::limits::LARGE_BODIES_KEPT_DIVISOR;

impl Connections {
    /// Lets a connection wait for what it needs next, on its socket or in a queue.
    pub(super) fn listen(&mut self, slot: u32, next: Next, view: &View, outbox: &mut Outbox) {
        let session = session_of(&mut self.sessions, slot);
        let place = session.place;
        match next {
            Next::Nothing => {}
            Next::Room | Next::Memory(_) if session.is_queued => {}
            Next::Room => {
                session.is_queued = true;
                self.waiting_for_room.push(place);
            }
            Next::Memory(bytes) => {
                session.is_queued = true;
                if session.is_granted() {
                    self.waiting_for_memory.push_front((place, bytes));
                } else {
                    self.waiting_for_memory.push_back((place, bytes));
                }
                self.pool.contended = true;
            }
            Next::Bytes { may_be_there } => {
                session.begin_receiving();
                self.actions.push_back(Action::Receive { slot, may_be_there });
            }
            Next::Body if session.has_body_room() => self.fill(slot, view, outbox),
            Next::Body => self.listen_for_body(slot, view, outbox),
        }
        session_of(&mut self.sessions, slot).is_chosen = false;
    }

    fn listen_for_body(&mut self, slot: u32, view: &View, outbox: &mut Outbox) {
        let session = session_of(&mut self.sessions, slot);
        let Session { place, is_proven, is_chosen, .. } = *session;
        let [proven, strangers] = &self.waiting_for_body;
        let nobody_first = proven.is_empty() && (is_proven || strangers.is_empty());
        let is_free = self.large_bodies < bodies_for(is_proven, self.bounds);
        if is_free && (is_chosen || nobody_first) {
            self.large_bodies += 1;
            self.fill(slot, view, outbox);
        } else if !session.is_queued {
            session.is_queued = true;
            let queue = &mut self.waiting_for_body[usize::from(!is_proven)];
            if is_chosen { queue.push_front(place) } else { queue.push_back(place) }
        }
    }

    /// Lets those go on that have waited for what is free now.
    pub(super) fn share(&mut self, has_room: bool) {
        if has_room && !self.waiting_for_room.is_empty() {
            let waiting = std::mem::take(&mut self.waiting_for_room);
            waiting.into_iter().for_each(|place| self.wake(place, |_| {}));
        }
        self.share_memory();
        self.share_bodies();
    }

    /// Lets as many of those that wait for memory go on as there is memory for, in their order.
    fn share_memory(&mut self) {
        let mut free = self.pool.free();
        while let Some(&(place, bytes)) = self.waiting_for_memory.front() {
            let lacking = self.waiting(place).map_or(0, |session| session.lacks(bytes));
            if lacking > free {
                break;
            }
            free -= lacking;
            self.waiting_for_memory.pop_front();
            self.wake(place, Session::grant);
        }
        self.pool.contended = !self.waiting_for_memory.is_empty();
    }

    /// Lets as many of those that wait to send a large body go on as there is room for.
    fn share_bodies(&mut self) {
        let mut taken = self.large_bodies;
        for (at, is_proven) in [(0, true), (1, false)] {
            while taken < bodies_for(is_proven, self.bounds)
                && let Some(place) = self.waiting_for_body[at].pop_front()
            {
                if self.waiting(place).is_some() {
                    taken += 1;
                    self.wake(place, |session| session.is_chosen = true);
                }
            }
        }
    }

    /// Connections that wait to send a large body.
    pub(super) fn bodies_waiting(&self) -> usize {
        self.waiting_for_body.iter().map(VecDeque::len).sum()
    }

    /// The connection that was queued, unless it is gone.
    fn waiting(&mut self, place: Place) -> Option<&mut Session> {
        let session = self.sessions[place.slot as usize].as_mut()?;
        (session.place == place).then_some(session)
    }

    /// What a connection has waited for is there.
    fn wake(&mut self, place: Place, tell: impl FnOnce(&mut Session)) {
        if let Some(session) = self.waiting(place) {
            session.is_queued = false;
            tell(session);
            self.mark(place.slot);
        }
    }
}

/// Large bodies that may be under way before one more of a connection begins: those that have never
/// sent one whole leave a few places to those that have.
const fn bodies_for(is_proven: bool, bounds: Bounds) -> usize {
    let kept = if is_proven { 0 } else { bounds.large_bodies / LARGE_BODIES_KEPT_DIVISOR };
    bounds.large_bodies - kept
}
