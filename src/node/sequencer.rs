//! The core that orders, decides and releases, without its thread.
//!
//! It lets requests gather while the log is busy: the busier the disk, the larger the batches. It
//! refuses writes while the log has no room. Answers go to the core that serves their connection,
//! and none goes before its op is committed. A drain ends only when every core refuses new requests
//! and all that was taken before is answered.

use std::collections::VecDeque;

use super::message::{Delivery, Message, Post, Shown};
use super::owners::CoreOwners;
use super::pace::{has_room, permit};
use crate::engine::{Engine, Load, LongRead, Permit, Polled, Release, Source, Submission};
use crate::ledger::{Op, Timestamp};
use crate::limits::PARKED_EVENTS_MAX;
use crate::log::Room;
use crate::wire::{ErrorCode, Reply, RequestError, StatusReport};

/// What writes are told while there is no space for more of the log.
pub const LOG_FULL: &str = "the disk of the log is full; reads are still served";

/// What the sequencer lets go.
#[derive(Debug)]
pub enum Released {
    /// An answer for a connection of its own core.
    Own(Delivery),
    /// An answer for another core, which is on its way there.
    Sent,
    /// A read that walks the committed log, for another thread.
    Query {
        /// Whom it is for.
        to: Source,
        /// The op that it reflects.
        op: Op,
        /// What is to be read.
        read: LongRead,
    },
    /// Nobody waits for the reads of this connection any more, to the same thread.
    Gone(Source),
}

/// The sequencer.
pub struct Sequencer<P: Post> {
    engine: Engine<CoreOwners<P>>,
    post: P,
    /// What the other cores see. Its op is never beyond what the log has said.
    shown: Shown,
    /// Whether the log has room for the next frame, as it said last. One answer is for one frame.
    room: Room,
    /// Cores besides this one that refuse every new request.
    refusing: usize,
    /// Connections that hear no answers any more, on their way to whoever reads for them.
    gone: VecDeque<Source>,
}

impl<P: Post> Sequencer<P> {
    /// The sequencer of an engine that was replayed, whose owners are reached by `post`.
    #[must_use]
    pub const fn new(engine: Engine<CoreOwners<P>>, post: P) -> Self {
        let shown = Shown { committed: engine.committed(), waiting_events: 0, log_full: false };
        Self { engine, post, shown, room: Room::Awaited, refusing: 0, gone: VecDeque::new() }
    }

    /// The engine, to look at.
    pub const fn engine(&self) -> &Engine<CoreOwners<P>> {
        &self.engine
    }

    /// Takes a request of a connection of this core.
    pub fn handle_submission(&mut self, submission: Submission) {
        self.engine.submit(submission);
    }

    /// A connection hears no answers any more. To be told behind all that it has submitted.
    pub fn handle_gone(&mut self, source: Source) {
        self.engine.handle_gone(source);
        self.gone.push_back(source);
    }

    /// Takes a message. Gives the answer in it, if it is for a connection of this core.
    ///
    /// # Panics
    /// If the message is for an owner, or for another core's connection.
    pub fn handle_message(&mut self, message: Message) -> Option<Delivery> {
        match message {
            Message::Submit(submission) => self.engine.submit(submission),
            Message::Done(owner, job) => self.engine.handle_done(owner, job),
            Message::Loaded(loaded) => self.engine.handle_loaded(&loaded),
            Message::Gone(source) => self.handle_gone(source),
            Message::Refusing => {
                self.refusing += 1;
                assert!(self.refusing < self.post.cores(), "each core refuses once");
            }
            Message::Reply(delivery) => {
                assert_eq!(delivery.to.core, 0, "an answer goes to the core of its connection");
                return Some(delivery);
            }
            Message::Job(_) | Message::Drain => unreachable!("only owners are sent this"),
        }
        None
    }

    /// The log says how far it is committed, and whether it has room behind the engine's end. To be
    /// told before each [`Self::poll_frame`]: what the log said holds for one frame.
    pub fn handle_log(&mut self, committed: Op, room: Room) {
        self.room = room;
        if committed > self.engine.committed() {
            self.engine.handle_committed(committed);
            self.show();
        }
    }

    /// Does one piece of work. A frame belongs into the log, behind the one before. Ask again until
    /// there is nothing, and take in what has come meanwhile.
    pub fn poll_frame(&mut self, now: Timestamp) -> Polled {
        if self.room == Room::Full {
            let error = RequestError::new(ErrorCode::CapacityExceeded);
            self.engine.refuse_writes(&error.with_detail(LOG_FULL));
        }
        let polled = self.engine.poll(now, self.permit());
        if matches!(polled, Polled::Frame(_)) {
            self.room = Room::Awaited;
        }
        polled
    }

    /// Old records to be read from the committed log and handed in, all of them; ask again until there
    /// is nothing.
    pub fn poll_load(&mut self) -> Option<Vec<Load>> {
        self.engine.poll_load()
    }

    fn permit(&self) -> Permit {
        if self.room != Room::Ready {
            // What was ordered goes on, and so do reads.
            return Permit::Reads;
        }
        let ahead = self.engine.end().op.0 - self.engine.committed().0;
        permit(ahead, self.engine.waiting_events())
    }

    /// The next thing that may be let go. `complete` fills into the status what the engine doesn't
    /// know.
    pub fn poll_release(&mut self, complete: impl FnOnce(&mut StatusReport)) -> Option<Released> {
        if let Some(source) = self.gone.pop_front() {
            return Some(Released::Gone(source));
        }
        let (to, op, mut reply) = match self.engine.poll_release()? {
            Release::Reply { to, op, reply } => (to, op, reply),
            Release::Query { to, op, read } => return Some(Released::Query { to, op, read }),
        };
        assert!(op <= self.engine.committed(), "an answer waits for its op");
        if let Reply::Status(report) = &mut reply {
            complete(report);
            let requests = self.engine.waiting_requests() + self.engine.waiting_answers();
            report.requests_in_flight = requests as u64;
        }
        let delivery = Delivery { to, op, reply };
        if to.core == 0 {
            return Some(Released::Own(delivery));
        }
        self.post.send(usize::from(to.core), Message::Reply(delivery));
        Some(Released::Sent)
    }

    /// Ends a turn: lets the other cores see how things are, and wakes those that wait for room.
    pub fn end_turn(&mut self) {
        let had_room = has_room(self.shown.waiting_events);
        self.show();
        if !had_room && has_room(self.shown.waiting_events) {
            (1..self.post.cores()).for_each(|core| self.post.ring(core));
        }
    }

    fn show(&mut self) {
        // A few may wait for old records without holding up others.
        let parked = self.engine.parked_events().saturating_sub(PARKED_EVENTS_MAX);
        let shown = Shown {
            committed: self.engine.committed(),
            waiting_events: (self.engine.waiting_events() + parked) as u64,
            log_full: self.room == Room::Full,
        };
        if shown != self.shown {
            self.shown = shown;
            self.post.show(shown);
        }
    }

    /// Whether everything is answered and nothing can come any more. `own_idle` says that the node
    /// is draining and the connections of this core have nothing under way. Then the other cores are
    /// told, once; this machine is of no more use.
    pub fn poll_end(&mut self, own_idle: bool) -> bool {
        let all_refuse = self.refusing + 1 == self.post.cores();
        if !own_idle || !all_refuse || !self.engine.is_idle() {
            return false;
        }
        // The engine needs the other cores no more. They still have answers to send.
        (1..self.post.cores()).for_each(|core| self.post.send(core, Message::Drain));
        true
    }
}
