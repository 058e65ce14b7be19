//! The keeper's thread: it does what the machine says, on real files.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::machine::{KeeperAction, KeeperFailed, KeeperMachine, REST_NS};
use crate::fatal;
use crate::io::{Clock, Storage, SystemClock};
use crate::log::meta::{CommitHint, MetaError, MetaFile};
use crate::log::prepare::{Preparation, prepare_segment, remove_unfinished};
use crate::log::reader::LogIdentity;

/// How often it looks what the writer has noted, without being woken.
const TICK: Duration = Duration::from_nanos(REST_NS);

/// What the thread is made of.
pub(in crate::log) struct KeeperParts<S> {
    pub(in crate::log) storage: S,
    pub(in crate::log) identity: LogIdentity,
    /// Segments that are there.
    pub(in crate::log) segments: u64,
    /// The segment in which the log ends.
    pub(in crate::log) current: u64,
    pub(in crate::log) preparation: Preparation,
    /// The clock of the writer.
    pub(in crate::log) clock: SystemClock,
    /// Called when there are more segments, or none can be made any more, or again: with their
    /// number, and whether the disk is full.
    pub(in crate::log) tell: Box<dyn Fn(u64, bool) + Send>,
}

/// The keeper in the hands of the writer; ends the thread when dropped.
pub(in crate::log) struct Keeper {
    notes: Arc<Notes>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer leaves for the keeper.
#[derive(Default)]
struct Notes {
    /// Held for moments only, never while anything is written.
    news: Mutex<News>,
    /// Rung when a segment is begun and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct News {
    /// Segments that were begun since the keeper looked, and when.
    begun: Vec<(u64, u64)>,
    /// How far the log is committed, if that was noted since the keeper looked.
    hint: Option<CommitHint>,
    stop: bool,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the meta file can't be opened or what an interrupted preparation left can't be removed.
    pub(in crate::log) fn start<S: Storage>(parts: KeeperParts<S>) -> io::Result<Self> {
        remove_unfinished(&parts.storage)?;
        let meta = MetaFile::open(&parts.storage).map_err(io::Error::other)?;
        let notes = Arc::new(Notes::default());
        let machine = KeeperMachine::new(
            KeeperMachine::ready_ahead(parts.identity.layout),
            parts.segments,
            parts.current,
            meta.last().hint,
            parts.clock.now().monotonic_ns,
        );
        let work = Work { parts, meta, machine, notes: Arc::clone(&notes) };
        let thread =
            std::thread::Builder::new().name("log-keeper".to_owned()).spawn(move || match work
                .run()
            {
                Ok(()) => {}
                Err(failed) => {
                    fatal::stop(fatal::Reason::LogWriteFailed, &failed.to_string());
                }
            })?;
        Ok(Self { notes, thread: Some(thread) })
    }

    /// Notes that the writer has begun to use a segment.
    pub(in crate::log) fn begun(&self, segment: u64, now_ns: u64) {
        self.notes.lock().begun.push((segment, now_ns));
        self.notes.changed.notify_all();
    }

    /// Notes how far the log is committed. Wakes nobody.
    pub(in crate::log) fn note(&self, hint: CommitHint) {
        self.notes.lock().hint = Some(hint);
    }

    /// Writes `hint` as the last word and ends the thread.
    pub(in crate::log) fn stop(mut self, hint: CommitHint) {
        self.note(hint);
        self.end();
    }

    fn end(&mut self) {
        self.notes.lock().stop = true;
        self.notes.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the keeper has ended the process already.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

impl News {
    const fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come, at the latest after a tick.
    fn wait(&self) -> News {
        let mut news = self.lock();
        if news.begun.is_empty() && !news.stop {
            news = self.changed.wait_timeout(news, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *news)
    }
}

struct Work<S: Storage> {
    parts: KeeperParts<S>,
    meta: MetaFile<S::File>,
    machine: KeeperMachine,
    notes: Arc<Notes>,
}

impl<S: Storage> Work<S> {
    fn run(mut self) -> Result<(), KeeperFailed> {
        loop {
            // Between two things that take long it looks what has come.
            if let Some(action) = self.machine.poll_action(self.now_ns()) {
                self.perform(action)?;
                let news = std::mem::take(&mut *self.notes.lock());
                self.take_in(news);
            } else if self.machine.is_over() {
                assert!(!self.notes.lock().has_begun(), "nothing is written after the last word");
                return Ok(());
            } else {
                let news = self.notes.wait();
                self.take_in(news);
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.parts.clock.now().monotonic_ns
    }

    fn take_in(&mut self, news: News) {
        let now_ns = self.now_ns();
        assert!(
            news.begun.is_sorted_by(|(one, _), (next, _)| one < next),
            "segments are begun in their order"
        );
        for (segment, begun_ns) in news.begun {
            self.machine.handle_begun(segment, begun_ns);
        }
        if let Some(hint) = news.hint {
            self.machine.handle_committed(hint, now_ns);
        }
        if news.stop {
            self.machine.handle_end();
        }
    }

    fn perform(&mut self, action: KeeperAction) -> Result<(), KeeperFailed> {
        match action {
            KeeperAction::Hint(hint) => {
                let written = self.meta.write(hint).map_err(|error| match error {
                    MetaError::Io(error) => error,
                    other => io::Error::other(other),
                });
                self.machine.handle_hinted(written, self.now_ns())
            }
            KeeperAction::Prepare { segment, in_hurry } => self.prepare(segment, in_hurry),
        }
    }

    fn prepare(&mut self, segment: u64, in_hurry: bool) -> Result<(), KeeperFailed> {
        let KeeperParts { storage, identity, preparation, tell, .. } = &self.parts;
        let preparation = if in_hurry { Preparation::Reserved } else { *preparation };
        let made = prepare_segment(storage, *identity, segment, preparation);
        let why = made.as_ref().err().map(ToString::to_string);
        let was_full = self.machine.is_full();
        let now_ns = self.parts.clock.now().monotonic_ns;
        self.machine.handle_prepared(made, now_ns)?;
        let is_full = self.machine.is_full();
        assert_eq!(is_full, why.is_some(), "whatever else fails is the end");
        assert_eq!(
            self.machine.segments(),
            segment + u64::from(!is_full),
            "one segment is made at a time"
        );
        match why {
            Some(error) if !was_full => {
                tracing::error!(segment, %error, "the next segment of the log can't be made");
            }
            None if was_full => tracing::info!(segment, "the log has room again"),
            _ => {}
        }
        if !(was_full && is_full) {
            tell(self.machine.segments(), is_full);
        }
        Ok(())
    }
}
