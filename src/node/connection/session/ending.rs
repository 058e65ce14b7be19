//! How a session ends: by an error, by the peer, by a deadline, or because others wait.

use super::*;

/// What others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OthersWait {
    /// For memory for their answers.
    pub(crate) for_memory: bool,
    /// For the room of a large body.
    pub(crate) for_body: bool,
}

impl Session {
    /// Says what is wrong with the connection and ends it once that is sent.
    pub(super) fn fail(&mut self, at: &mut Surroundings<'_>, error: &RequestError) {
        tracing::debug!(%error, "closing a connection");
        self.refuse(at, 0, error);
        self.failed = true;
        self.close(at);
        self.tell_gone(at);
    }

    pub(super) fn fail_as_too_slow(&mut self, at: &mut Surroundings<'_>) {
        at.outbox.counts.connections_too_slow += 1;
        self.fail(at, &ErrorCode::TooSlow.into());
    }

    /// Nothing more is served. Whatever is still to be sent has to go soon.
    pub(super) fn close(&mut self, at: &Surroundings<'_>) {
        if !self.closing {
            self.closing = true;
            self.deadline_ns = at.view.deadline_ns();
            // What waits for room would never be served.
            self.rest = Vec::new();
            self.stalled_bytes = 0;
            if self.receiving == Receiving::Nothing {
                self.large = None;
                self.body_promise = 0;
            }
        }
    }

    /// Tells the node that nobody hears what it still works on for this connection. It may forget
    /// the reads; the writes happen all the same, and their answers are awaited.
    fn tell_gone(&mut self, at: &mut Surroundings<'_>) {
        if self.credit.used() > 0 {
            let Place { core, slot, generation } = self.place;
            at.outbox.gone.push(Source { core, slot, generation, correlation: 0 });
            self.credit.give_up_reads();
        }
    }

    /// So much more of `bytes` was sent; nothing more ever if it is none.
    pub(crate) fn sent(
        &mut self,
        at: &mut Surroundings<'_>,
        bytes: Vec<u8>,
        count: usize,
    ) -> Option<Action> {
        self.outgoing.sent(bytes, count, at.view.now_ns, at.spare);
        let breaks = count == 0;
        if breaks {
            self.outgoing.break_off();
            self.closed = true;
            self.close(at);
            if !self.failed {
                self.tell_gone(at);
            }
        }
        self.note_memory(at.pool);
        breaks.then_some(Action::ShutDown { slot: self.place.slot })
    }

    /// Says that nothing more comes, once all that was to come has been sent.
    pub(crate) fn end_writing_if_done(&mut self) -> Option<Action> {
        let answered = self.failed || self.credit.used() == 0;
        let sent = !self.outgoing.is_sending() && self.outgoing.bytes() == 0;
        if !self.closing || !answered || !sent || self.closed {
            return None;
        }
        self.closed = true;
        Some(Action::EndWriting { slot: self.place.slot })
    }

    /// Whether [`Self::tick`] has anything to do.
    pub(crate) fn is_due(&self, view: &View, others_wait: OthersWait) -> bool {
        let is_late = self.deadline_ns != 0 && view.now_ns >= self.deadline_ns;
        is_late || self.is_unread(view, others_wait) || self.is_body_late(view, others_wait)
    }

    /// Ends the connection if it has kept the node waiting for too long, or others.
    pub(crate) fn tick(
        &mut self,
        at: &mut Surroundings<'_>,
        others_wait: OthersWait,
    ) -> Option<Action> {
        if self.is_unread(at.view, others_wait) {
            // What is being sent ends with an error then, and with it all else.
            at.outbox.counts.connections_unread += 1;
            self.closed = true;
            self.close(at);
            self.tell_gone(at);
            return Some(Action::ShutDown { slot: self.place.slot });
        }
        if self.deadline_ns != 0 && at.view.now_ns >= self.deadline_ns {
            return self.pass_deadline(at);
        }
        // How much of a body has come isn't known before.
        if self.is_body_late(at.view, others_wait) { self.stop_filling() } else { None }
    }

    /// Whether its answers take memory that it does too little to give back.
    fn is_unread(&self, view: &View, others_wait: OthersWait) -> bool {
        let silence_ns_max = view.client_ns_max.saturating_mul(UNREAD_TIMEOUTS);
        let is_silent = self.outgoing.silence_ns(view.now_ns) >= silence_ns_max;
        let is_in_the_way = others_wait.for_memory && self.loan.is_something();
        !self.closed
            && self.outgoing.is_sending()
            && (is_silent || (is_in_the_way && self.outgoing.is_slow(view.now_ns)))
    }

    /// Whether its large body is worth a look, since others wait for its room.
    fn is_body_late(&self, view: &View, others_wait: OthersWait) -> bool {
        let passed_ns = self.large.as_ref().map_or(0, |large| large.progress(view.now_ns).1);
        others_wait.for_body
            && self.receiving == (Receiving::Body { is_cancelled: false })
            && is_too_slow(0, passed_ns)
    }

    fn pass_deadline(&mut self, at: &mut Surroundings<'_>) -> Option<Action> {
        if self.closing && !self.failed && !self.closed && self.credit.used() > 0 {
            // The peer waits for us: its time begins with the last answer.
            self.deadline_ns = at.view.deadline_ns();
            return None;
        }
        if self.closing {
            return Some(Action::ShutDown { slot: self.place.slot });
        }
        self.fail_as_too_slow(at);
        self.stop_filling()
    }

    /// Takes the room of a large body back from the transport.
    fn stop_filling(&mut self) -> Option<Action> {
        let Receiving::Body { is_cancelled } = &mut self.receiving else { return None };
        let asked = std::mem::replace(is_cancelled, true);
        (!asked).then_some(Action::Cancel { slot: self.place.slot })
    }

    /// Whether answers wait to be sent or to be made.
    pub(crate) const fn is_busy(&self) -> bool {
        !self.closed && (self.credit.used() > 0 || self.outgoing.bytes() > 0)
    }

    /// Whether nothing can happen to it any more. Its writes have to be answered, although nobody
    /// hears that: else a client that comes and goes could have any number of them served.
    pub(crate) fn is_over(&self) -> bool {
        let heard = self.ended || (self.closing && !self.failed);
        let answered = self.credit.used() == 0;
        let at_rest = self.receiving == Receiving::Nothing && !self.outgoing.is_sending();
        self.closed && heard && answered && at_rest
    }

    /// Gives back what it holds.
    pub(crate) fn leave(mut self, pool: &mut Pool) {
        assert!(self.is_over(), "a connection with something under way keeps its slot");
        self.outgoing.break_off();
        self.body_promise = 0;
        self.note_memory(pool);
    }
}
