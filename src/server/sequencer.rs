//! The engine on its core: the one task that orders, decides and releases.
//!
//! It never waits while there is anything to do, serves the connections of its core in each turn,
//! and sleeps otherwise. It lets requests gather while the log is busy: the busier the disk, the
//! larger the batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::Sender;

use super::clock::LedgerTime;
use super::core::Core;
use super::mailbox::{Mailbox, Message};
use super::owners::CoreOwners;
use super::pace::permit;
use super::query::Query;
use super::residence::Residence;
use crate::engine::{Engine, Load, Permit, Polled, Release, Source};
use crate::fatal::{self, Reason};
use crate::io::phases::{Phase, lap};
use crate::ledger::Op;
use crate::limits::PARKED_EVENTS_MAX;
use crate::log::LogHandle;
use crate::wire::{ErrorCode, Reply, RequestError};

/// The engine as the server runs it.
pub(super) type ServerEngine = Engine<CoreOwners>;

/// What writes are told while there is no space for more of the log.
pub(super) const LOG_FULL: &str = "the disk of the log is full; reads are still served";

/// The sequencer and all it talks to.
pub(super) struct Sequencer {
    pub(super) engine: ServerEngine,
    pub(super) time: LedgerTime,
    pub(super) log: LogHandle,
    pub(super) queries: Sender<Query>,
    /// Where old records are read.
    pub(super) loader: Sender<Vec<Load>>,
    pub(super) core: Core,
    /// Fills in what the engine doesn't know.
    pub(super) complete_status: Box<dyn Fn(&mut crate::wire::StatusReport)>,
    pub(super) residence: Residence,
}

impl Sequencer {
    /// Runs until the server has been drained.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(self.core.site.shared());
        loop {
            // Looked at first: what is taken in afterwards is then the last.
            let refusing = shared.is_refusing();
            let mut busy = self.core.take_events();
            let waiting = (self.engine.waiting_requests(), self.engine.waiting_answers());
            self.residence.note(self.core.now_ns(), waiting.0, waiting.1);
            lap(Phase::Check);
            busy |= self.take_in();
            busy |= self.order();
            lap(Phase::Route);
            busy |= self.release();
            shared.log_full.store(self.log.progress().is_full(), Ordering::Relaxed);
            let parked = self.engine.parked_events().saturating_sub(PARKED_EVENTS_MAX);
            let waiting = (self.engine.waiting_events() + parked) as u64;
            let had_room = shared.has_room();
            shared.waiting_events.store(waiting, Ordering::Relaxed);
            if !had_room && shared.has_room() {
                // Connections of the other cores wait for this.
                shared.mailboxes.iter().skip(1).for_each(Mailbox::ring);
            }
            self.core.settle();
            lap(Phase::Reply);
            if busy {
                self.core.submit();
                continue;
            }
            if refusing && shared.is_draining() && self.engine.is_idle() && !self.core.is_busy() {
                break;
            }
            self.core.sleep();
        }
        // The engine needs the other cores no more. They still have answers to send.
        for mailbox in shared.mailboxes.iter().skip(1) {
            mailbox.send(Message::Drain);
        }
        shared.drained.fetch_add(1, Ordering::Release);
        self.core.serve_until_the_end();
    }

    /// Takes in what has come from this core and from the others.
    fn take_in(&mut self) -> bool {
        let shared = Arc::clone(self.core.site.shared());
        let mut busy = shared.mailboxes[0].take_ring();
        while let Some(message) = shared.mailboxes[0].receive() {
            busy = true;
            match message {
                Message::Connection(stream) => self.core.adopt(stream),
                Message::Submit(submission) => self.engine.submit(submission),
                Message::Gone(source) => self.forget(source),
                Message::Reply { to, op, reply } => self.deliver(to, op, reply),
                Message::Done(owner, job) => self.engine.handle_done(owner, job),
                Message::Loaded(loaded) => self.engine.handle_loaded(&loaded),
                Message::Job(_) | Message::Drain => unreachable!("only owners are told this"),
            }
        }
        for submission in self.core.take_submissions() {
            busy = true;
            self.engine.submit(submission);
        }
        while let Some(source) = self.core.take_gone() {
            self.forget(source);
        }
        busy
    }

    /// Nobody waits for the answers to a connection's reads any more.
    fn forget(&mut self, gone: Source) {
        self.engine.handle_gone(gone);
        self.ask(Query::Gone(gone));
    }

    fn ask(&self, query: Query) {
        if self.queries.send(query).is_err() {
            fatal::stop(Reason::DataUnreadable, "the query thread has ended");
        }
    }

    /// Makes the next batch and hands it to the log.
    fn order(&mut self) -> bool {
        if self.log.progress().is_full() {
            let error = RequestError::new(ErrorCode::CapacityExceeded);
            self.engine.refuse_writes(&error.with_detail(LOG_FULL));
        }
        let now = self.time.at(self.core.site.now());
        let polled = self.engine.poll(now, self.permit());
        let mut busy = !matches!(polled, Polled::Nothing);
        if let Polled::Frame(frame) = polled {
            // The permit has made sure of room: this thread alone fills the queue.
            if self.log.submit(frame).is_err() {
                fatal::stop(Reason::LogWriteFailed, "the log's queue overflowed");
            }
            lap(Phase::Build);
        }
        while let Some(loads) = self.engine.poll_load() {
            busy = true;
            if self.loader.send(loads).is_err() {
                fatal::stop(Reason::DataUnreadable, "the thread that reads old records has ended");
            }
        }
        busy
    }

    fn permit(&self) -> Permit {
        let ahead = self.engine.end().op.0 - self.log.progress().durable_op().0;
        if self.log.progress().is_full() {
            return Permit::Reads;
        }
        permit(ahead, self.engine.waiting_events())
    }

    /// Lets go what is committed.
    fn release(&mut self) -> bool {
        let durable = self.log.progress().durable_op();
        if durable > self.engine.committed() {
            self.engine.handle_committed(durable);
            self.core.site.shared().committed.store(durable.0, Ordering::Release);
        }
        let mut busy = false;
        while let Some(release) = self.engine.poll_release() {
            busy = true;
            match release {
                Release::Reply { to, op, reply } => self.deliver(to, op, reply),
                Release::Query { to, op, read } => self.ask(Query::Read { to, op, read }),
            }
        }
        busy
    }

    fn deliver(&mut self, to: Source, op: Op, mut reply: Reply) {
        if let Reply::Status(report) = &mut reply {
            (self.complete_status)(report);
            self.residence.report(report);
            let requests = self.engine.waiting_requests() + self.engine.waiting_answers();
            report.requests_in_flight = requests as u64;
        }
        if to.core == 0 {
            self.core.deliver(to, op, &reply);
        } else {
            let mailbox = &self.core.site.shared().mailboxes[usize::from(to.core)];
            mailbox.send(Message::Reply { to, op, reply });
        }
    }
}
