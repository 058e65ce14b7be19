//! What one client may ask and is owed: hello, principal, credit, deadlines, room, and the end.
//!
//! The end of a connection has a deadline, too. After an error of its own making the node sends
//! it, says that nothing more comes, and reads on without listening until the peer goes: closing
//! at once would destroy the error on its way. A peer that only ends its own side still gets the
//! answers to what it has asked.

use super::codec::{Cut, Filled, LargeBody, SMALL_BODY_BYTES_MAX, cut};
use super::credit::{Asked, Credit, REFUSAL_BYTES, reply_bytes_max, reply_bytes_of_large};
use super::outgoing::{Outgoing, Spare};
use super::pool::{Loan, Pool, is_too_slow};
use crate::engine::{Source, Submission};
use crate::ledger::Op;
use crate::limits::{ANSWER_BYTES_PER_CONNECTION, UNREAD_TIMEOUTS};
use crate::log::Principal;
use crate::node::{Action, Outbox, View};
use crate::wire::{
    BodyBuffer, ErrorCode, Header, Hello, Kind, Reply, ReplyTo, Request, RequestError,
    encode_error, encode_reply,
};

mod admit;
mod ending;

pub(crate) use ending::OthersWait;

/// What a session sees and changes besides itself.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) view: &'a View,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) pool: &'a mut Pool,
    pub(crate) spare: &'a mut Spare,
}

/// Where a connection is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) core: u16,
    pub(crate) slot: u32,
    /// Tells it from others that had the slot before.
    pub(crate) generation: u32,
}

/// What a session wants to receive next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, until something else happens to it.
    Nothing,
    /// Something, once there is room for more requests on this node.
    Room,
    /// Something, once so many bytes of the pool are free.
    Memory(usize),
    /// Whatever comes.
    Bytes {
        /// Whether that has probably come already.
        may_be_there: bool,
    },
    /// The rest of a large body.
    Body,
}

/// What the transport is receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    Nothing,
    Bytes,
    Body {
        /// Whether it was asked to stop.
        is_cancelled: bool,
    },
}

/// One connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the end of a connection")]
pub(crate) struct Session {
    pub(crate) place: Place,
    /// Whether it is among those to be settled this turn.
    pub(crate) is_marked: bool,
    /// Whether it waits for room of some kind.
    pub(crate) is_queued: bool,
    /// Whether its turn to send a large body has come, this turn.
    pub(crate) is_chosen: bool,
    /// Whether a large body of it has come whole: it is no stranger then.
    pub(crate) is_proven: bool,
    receiving: Receiving,
    /// The beginning of a frame, or whole frames that there is no room for yet.
    rest: Vec<u8>,
    /// A large body on its way. None is received before its room is there.
    large: Option<LargeBody>,
    /// Whether more is known to have come.
    has_more: bool,
    outgoing: Outgoing,
    credit: Credit,
    /// What it has of the pool for answers.
    loan: Loan,
    /// What the answer to the large body on its way may need; part of what is promised.
    body_promise: usize,
    /// What the hello agreed on; none before it.
    records_max: Option<u32>,
    /// Who asks. Nobody in particular until a hello can prove an identity.
    principal: Principal,
    /// The rest of a frame, a hello, or the end of a connection that is closing must be here by
    /// then; 0 when nothing is awaited.
    deadline_ns: u64,
    /// What the answer to the first of the whole frames in `rest` needs; 0 when none stand there.
    stalled_bytes: usize,
    /// The peer sends nothing more.
    ended: bool,
    /// No more requests are served.
    closing: bool,
    /// An error ended it: nothing follows that. Implies `closing`.
    failed: bool,
    /// Nothing more is sent. Implies `closing`.
    closed: bool,
}

impl Session {
    pub(crate) const fn new(place: Place, deadline_ns: u64) -> Self {
        Self {
            place,
            is_marked: false,
            is_queued: false,
            is_chosen: false,
            is_proven: false,
            receiving: Receiving::Nothing,
            rest: Vec::new(),
            large: None,
            has_more: true,
            outgoing: Outgoing::new(),
            credit: Credit::new(),
            loan: Loan::new(),
            body_promise: 0,
            records_max: None,
            principal: Principal::NOBODY,
            deadline_ns,
            stalled_bytes: 0,
            ended: false,
            closing: false,
            failed: false,
            closed: false,
        }
    }

    /// Bytes of answers that it has or was promised.
    const fn held_bytes(&self) -> usize {
        self.outgoing.bytes() + self.credit.promised_bytes() + self.body_promise
    }

    /// Whether an answer of that size may be promised.
    const fn has_memory(&self, pool: &Pool, bytes: usize) -> bool {
        pool.allows(&self.loan, self.held_bytes() + bytes)
    }

    /// Tells the pool what it holds now.
    fn note_memory(&mut self, pool: &mut Pool) {
        let held = self.held_bytes();
        pool.note(&mut self.loan, held);
    }

    /// Bytes of the pool that it needs for an answer of that size.
    pub(crate) const fn lacks(&self, bytes: usize) -> usize {
        self.loan.lacks(self.held_bytes() + bytes)
    }

    /// Its turn for memory has come.
    pub(crate) const fn grant(&mut self) {
        self.loan.is_granted = true;
    }

    /// Whether its turn for memory has come, and it hasn't used it.
    pub(crate) const fn is_granted(&self) -> bool {
        self.loan.is_granted
    }

    /// Whether an answer to `to` is for this connection.
    pub(crate) const fn is(&self, to: &Source) -> bool {
        self.place.generation == to.generation && self.place.slot == to.slot
    }

    /// The client's own number for a request that waits.
    pub(crate) fn correlation(&self, ticket: u64) -> Option<u64> {
        self.credit.correlation(ticket)
    }

    /// Queues the answer to a request. Gives when that request was taken, if anybody waits for it.
    pub(crate) fn answer(
        &mut self,
        at: &mut Surroundings<'_>,
        ticket: u64,
        op: Op,
        reply: &Reply,
    ) -> Option<u64> {
        let answered = self.credit.give_back(ticket)?;
        at.outbox.counts.requests_answered += 1;
        if !self.closed && !self.failed {
            let to = ReplyTo { correlation: answered.correlation, op, epoch: at.view.epoch };
            let tail = self.outgoing.tail(at.spare, reply.records_bytes());
            encode_reply(to, reply, tail);
        }
        self.note_memory(at.pool);
        Some(answered.taken_ns)
    }

    /// What to receive next. Also goes on with what was received before there was room.
    pub(crate) fn next(&mut self, at: &mut Surroundings<'_>) -> Next {
        let listens = !self.closing || self.failed;
        if self.receiving != Receiving::Nothing || self.ended || !listens {
            return Next::Nothing;
        }
        if self.failed {
            return Next::Bytes { may_be_there: true };
        }
        // The time until there is room is not the client's.
        if self.held_bytes() >= ANSWER_BYTES_PER_CONNECTION {
            self.await_until(0);
            return Next::Nothing;
        }
        if !at.view.has_room {
            self.await_until(0);
            return Next::Room;
        }
        if self.stalled_bytes > 0 {
            if !self.has_memory(at.pool, self.stalled_bytes) {
                self.await_until(0);
                return Next::Memory(self.stalled_bytes);
            }
            self.stalled_bytes = 0;
            let bytes = std::mem::take(&mut self.rest);
            self.take_in(at, bytes);
            return self.next(at);
        }
        if let Some(large) = &self.large {
            let bytes = reply_bytes_of_large(large.header());
            // Nor is the time until the body may come.
            if !large.has_room() {
                self.await_until(0);
            }
            if self.body_promise == 0 && !self.has_memory(at.pool, bytes) {
                return Next::Memory(bytes);
            }
            return Next::Body;
        }
        let awaited = !self.rest.is_empty() || self.records_max.is_none();
        self.await_until(if awaited { at.view.deadline_ns() } else { 0 });
        Next::Bytes { may_be_there: self.has_more }
    }

    /// A running deadline stays as it is: each new byte must not buy more time.
    const fn await_until(&mut self, deadline_ns: u64) {
        if !self.closing && (deadline_ns == 0 || self.deadline_ns == 0) {
            self.deadline_ns = deadline_ns;
        }
    }

    /// The transport waits for bytes from now on.
    pub(crate) fn begin_receiving(&mut self) {
        assert!(self.receiving == Receiving::Nothing, "two receives would share the bytes");
        self.receiving = Receiving::Bytes;
        self.has_more = false;
        self.loan.is_granted = false;
    }

    /// Whether a large body has its room.
    pub(crate) fn has_body_room(&self) -> bool {
        self.large.as_ref().is_some_and(LargeBody::has_room)
    }

    /// The room for a large body, to be filled from which byte on.
    pub(crate) fn begin_filling(&mut self, at: &mut Surroundings<'_>) -> (BodyBuffer, usize) {
        assert!(self.receiving == Receiving::Nothing, "two receives would share the bytes");
        let large = self.large.as_mut().expect("only who announces a large body asks for its room");
        if self.deadline_ns == 0 {
            self.deadline_ns = at.view.deadline_ns();
        }
        let lent = large.lend(at.view.now_ns);
        self.receiving = Receiving::Body { is_cancelled: false };
        self.body_promise = reply_bytes_of_large(large.header());
        self.loan.is_granted = false;
        self.note_memory(at.pool);
        lent
    }

    /// Bytes have come; none is the end.
    pub(crate) fn received(&mut self, at: &mut Surroundings<'_>, bytes: &[u8], has_more: bool) {
        assert!(self.receiving == Receiving::Bytes, "bytes that nobody waits for");
        self.receiving = Receiving::Nothing;
        self.has_more = has_more;
        if bytes.is_empty() {
            self.ended = true;
            self.close(at);
        } else if self.rest.is_empty() {
            let used = self.serve_all(at, bytes);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(bytes);
            self.take_in(at, joined);
        }
        self.note_memory(at.pool);
    }

    /// Serves bytes that are ours, and keeps the rest of them.
    fn take_in(&mut self, at: &mut Surroundings<'_>, mut bytes: Vec<u8>) {
        let used = self.serve_all(at, &bytes);
        if used < bytes.len() {
            bytes.drain(..used);
            self.rest = bytes;
        }
    }

    /// A large body has come, or as much of it as ever will, or as had when it was asked to stop.
    pub(crate) fn filled(&mut self, at: &mut Surroundings<'_>, body: BodyBuffer, added: usize) {
        let Receiving::Body { is_cancelled } = self.receiving else {
            panic!("a body that nobody waits for");
        };
        self.receiving = Receiving::Nothing;
        self.has_more = true;
        let large = self.large.take().expect("a body is filled only while it is announced");
        match large.filled(body, added) {
            Filled::Whole(header, body) => {
                self.body_promise = 0;
                if !self.closing {
                    self.is_proven = true;
                    self.deadline_ns = 0;
                    let waits = self.serve(at, &header, body.into_request(&header));
                    assert!(waits.is_none(), "its answer was promised room before it came");
                }
            }
            Filled::Part(_) if self.closing => self.body_promise = 0,
            Filled::Part(large) if is_cancelled => {
                let (have, passed_ns) = large.progress(at.view.now_ns);
                if is_too_slow(have, passed_ns) {
                    self.body_promise = 0;
                    self.fail_as_too_slow(at);
                } else {
                    self.large = Some(large);
                }
            }
            Filled::Part(_) => {
                self.body_promise = 0;
                self.ended = true;
                self.close(at);
            }
        }
        self.note_memory(at.pool);
    }

    /// Serves the whole frames at the start of `bytes`. Gives how many bytes are used up.
    fn serve_all(&mut self, at: &mut Surroundings<'_>, bytes: &[u8]) -> usize {
        let mut used = 0;
        while !self.closing {
            let (header, body, length) = match cut(&bytes[used..]) {
                Cut::Incomplete => return used,
                Cut::Broken(error) => {
                    self.fail(at, &error.into());
                    break;
                }
                Cut::Whole { header, .. } | Cut::Large { header, .. }
                    if self.records_max.is_none() && header.body_len() > SMALL_BODY_BYTES_MAX =>
                {
                    self.fail(at, &ErrorCode::HelloExpected.into());
                    break;
                }
                Cut::Large { header, start } => {
                    self.large = Some(LargeBody::new(header, start));
                    return bytes.len();
                }
                Cut::Whole { header, body, length } => (header, body, length),
            };
            let is_full = self.held_bytes() >= ANSWER_BYTES_PER_CONNECTION;
            if is_full || !self.has_memory(at.pool, REFUSAL_BYTES) {
                self.stalled_bytes = REFUSAL_BYTES;
                return used;
            }
            if self.records_max.is_none() {
                self.greet(at, &header, body);
            } else if let Some(bytes) = self.serve(at, &header, Request::decode(&header, body)) {
                self.stalled_bytes = bytes;
                return used;
            }
            used += length;
            if !self.closing {
                // What came until now was in time.
                self.deadline_ns = 0;
            }
        }
        // Nothing behind the end of a connection is of any use.
        if self.closing { bytes.len() } else { used }
    }

    /// Whether there is something to send and no send is under way.
    pub(crate) const fn is_to_send(&self) -> bool {
        !self.closed && self.outgoing.is_due()
    }

    /// What to send, and from which byte of it on.
    pub(crate) fn begin_sending(&mut self, now_ns: u64) -> (Vec<u8>, usize) {
        assert!(!self.closed, "nothing is sent after the end");
        self.outgoing.take(now_ns)
    }
}
