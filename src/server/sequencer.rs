//! The thread of the sequencer's core: it drives the machine with what comes from the sockets, the
//! mailbox and the log.
//!
//! It never waits while there is anything to do, serves the connections of its core in each turn,
//! and sleeps otherwise.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::Sender;

use super::clock::LedgerTime;
use super::core::Core;
use super::mailbox::Mail;
use super::query::Query;
use super::residence::Residence;
use super::shared::Shared;
use crate::engine::{Engine, Load, Polled};
use crate::fatal::{self, Reason};
use crate::io::phases::{Phase, lap};
use crate::log::LogHandle;
use crate::node::{CoreOwners, Released, Sequencer};
use crate::wire::StatusReport;

/// The engine as the server runs it.
pub(super) type ServerEngine = Engine<CoreOwners<Arc<Shared>>>;

/// The sequencer's machine as the server runs it.
type ServerSequencer = Sequencer<Arc<Shared>>;

/// The sequencer and all it talks to.
pub(super) struct SequencerThread {
    pub(super) machine: ServerSequencer,
    pub(super) time: LedgerTime,
    pub(super) log: LogHandle,
    pub(super) queries: Sender<Query>,
    /// Where old records are read.
    pub(super) loader: Sender<Vec<Load>>,
    pub(super) core: Core,
    /// Fills in what the engine doesn't know.
    pub(super) complete_status: Box<dyn Fn(&mut StatusReport)>,
    pub(super) residence: Residence,
}

impl SequencerThread {
    /// Runs until the server has been drained.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(self.core.site.shared());
        loop {
            let mut busy = self.core.take_events();
            let engine = self.machine.engine();
            let waiting = (engine.waiting_requests(), engine.waiting_answers());
            self.residence.note(self.core.now_ns(), waiting.0, waiting.1);
            lap(Phase::Check);
            busy |= self.take_in(&shared);
            busy |= self.order();
            lap(Phase::Route);
            busy |= self.release();
            self.machine.end_turn();
            self.core.settle();
            lap(Phase::Reply);
            if busy {
                self.core.submit();
                continue;
            }
            if shared.is_draining() && self.machine.poll_end(!self.core.is_busy()) {
                break;
            }
            self.core.sleep();
        }
        shared.drained.fetch_add(1, Ordering::Release);
        self.core.serve_until_the_end();
    }

    /// Takes in what has come from this core and from the others.
    fn take_in(&mut self, shared: &Shared) -> bool {
        let mut busy = shared.mailboxes[0].take_ring();
        while let Some(mail) = shared.mailboxes[0].receive() {
            busy = true;
            match mail {
                Mail::Connection(stream) => self.core.adopt(stream),
                Mail::Message(message) => {
                    if let Some(delivery) = self.machine.handle_message(message) {
                        self.core.deliver(&delivery);
                    }
                }
            }
        }
        for submission in self.core.take_submissions() {
            busy = true;
            self.machine.handle_submission(submission);
        }
        while let Some(source) = self.core.take_gone() {
            self.machine.handle_gone(source);
        }
        busy
    }

    /// Makes the next batch and hands it to the log.
    fn order(&mut self) -> bool {
        self.look_at_log();
        let now = self.time.at(self.core.site.now());
        let polled = self.machine.poll_frame(now);
        let mut busy = !matches!(polled, Polled::Nothing);
        if let Polled::Frame(frame) = polled {
            assert!(
                self.log.progress().holds(frame.position()),
                "room for a frame is made before it is ordered"
            );
            // The machine has made sure of room: this thread alone fills the queue.
            if self.log.submit(frame).is_err() {
                fatal::stop(Reason::LogWriteFailed, "the log's queue overflowed");
            }
            lap(Phase::Build);
        }
        while let Some(loads) = self.machine.poll_load() {
            busy = true;
            if self.loader.send(loads).is_err() {
                fatal::stop(Reason::DataUnreadable, "the thread that reads old records has ended");
            }
        }
        busy
    }

    /// Lets go what is committed.
    fn release(&mut self) -> bool {
        self.look_at_log();
        let Self { machine, queries, core, complete_status, residence, .. } = self;
        let complete = |report: &mut StatusReport| {
            complete_status(report);
            residence.report(report);
        };
        let mut busy = false;
        while let Some(released) = machine.poll_release(complete) {
            busy = true;
            let query = match released {
                Released::Own(delivery) => {
                    core.deliver(&delivery);
                    continue;
                }
                Released::Sent => continue,
                Released::Query { to, op, read } => Query::Read { to, op, read },
                Released::Gone(source) => Query::Gone(source),
            };
            if queries.send(query).is_err() {
                fatal::stop(Reason::DataUnreadable, "the query thread has ended");
            }
        }
        busy
    }

    fn look_at_log(&mut self) {
        let progress = self.log.progress();
        let end = self.machine.engine().end().position;
        self.machine.handle_log(progress.durable_op(), progress.room(end));
    }
}
