//! The keeper: a thread that has the next segments ready before they are needed, and writes hints to
//! the meta file. Neither ever holds up the writer.
//!
//! A full disk shows here first, while there is still room in the segments that are ready: it is
//! reported by a flag, so that the engine can stop taking what couldn't be logged.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fatal;
use crate::io::{Clock, Storage, SystemClock};

use super::meta::{CommitHint, MetaFile};
use super::prepare::{Preparation, prepare_segment, remove_unfinished};
use super::reader::LogIdentity;

/// Segments that are ready behind the one in use.
const READY_AHEAD: u64 = 2;

/// How often the keeper looks whether the log has come to rest, and retries on a full disk.
const TICK: Duration = Duration::from_millis(100);

/// A hint is written when the log rests for a tick, and at least this often.
const HINT_EVERY: Duration = Duration::from_secs(1);

/// A segment that was used up faster than this is replaced in the quick way: zero-filling would
/// double what the disk has to write just when it is busiest.
const HURRY_BELOW_NS: u64 = 2_000_000_000;

/// Owned by the writer; ends the thread when dropped.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct State {
    /// Segments that exist.
    prepared: u64,
    /// The segment in use.
    current: u64,
    /// When that was begun.
    current_since_ns: u64,
    in_hurry: bool,
    hint: CommitHint,
    failure: Option<io::ErrorKind>,
    stop: bool,
}

impl Keeper {
    /// Starts the thread. `prepared` segments exist; the log ends in `current`.
    pub(super) fn start<S: Storage>(
        storage: S,
        identity: LogIdentity,
        (prepared, current): (u64, u64),
        preparation: Preparation,
        full: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        remove_unfinished(&storage)?;
        let meta = MetaFile::open(&storage).map_err(io::Error::other)?;
        let state = State {
            prepared,
            current,
            current_since_ns: 0,
            in_hurry: false,
            hint: meta.last().hint,
            failure: None,
            stop: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), full });
        let work = Work {
            storage,
            identity,
            preparation,
            meta,
            clock: SystemClock::new(),
            shared: Arc::clone(&shared),
        };
        let thread =
            std::thread::Builder::new().name("log-keeper".to_owned()).spawn(move || work.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Waits until `segment` is ready, and makes it the one in use.
    ///
    /// # Errors
    /// If it couldn't be made.
    pub(super) fn take(&self, segment: u64, now_ns: u64) -> io::Result<()> {
        let mut state = self.shared.lock();
        if segment > state.current {
            state.in_hurry = now_ns.saturating_sub(state.current_since_ns) < HURRY_BELOW_NS;
            state.current = segment;
            state.current_since_ns = now_ns;
            self.shared.changed.notify_all();
        }
        while state.prepared <= segment {
            if let Some(kind) = state.failure {
                return Err(io::Error::new(kind, format!("segment {segment} can't be made")));
            }
            state = self.shared.wait(state, None);
        }
        Ok(())
    }

    /// Notes how far the log is committed.
    pub(super) fn note(&self, hint: CommitHint) {
        // The lock is never held while something is written, so this waits for a moment at most; a
        // hint that was skipped might have been the last one for long.
        self.shared.lock().hint = hint;
    }

    /// Writes `hint` as the last word and ends the thread.
    pub(super) fn stop(mut self, hint: CommitHint) {
        self.shared.lock().hint = hint;
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
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

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match timeout {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

struct Work<S: Storage> {
    storage: S,
    identity: LogIdentity,
    preparation: Preparation,
    meta: MetaFile<S::File>,
    clock: SystemClock,
    shared: Arc<Shared>,
}

impl<S: Storage> Work<S> {
    fn run(mut self) {
        let mut seen = self.meta.last().hint;
        let mut hinted_ns = 0;
        loop {
            let (hint, stop, next) = {
                let state = self.shared.lock();
                let behind = state.prepared <= state.current + READY_AHEAD;
                let next =
                    (behind && state.failure.is_none()).then_some((state.prepared, state.in_hurry));
                (state.hint, state.stop, next)
            };
            let now_ns = self.clock.now().monotonic_ns;
            let at_rest = hint == seen;
            let overdue = u128::from(now_ns - hinted_ns) >= HINT_EVERY.as_nanos();
            seen = hint;
            if stop || at_rest || overdue {
                self.write_hint(hint);
                hinted_ns = now_ns;
            }
            if stop {
                return;
            }
            if let Some((segment, in_hurry)) = next {
                self.prepare(segment, in_hurry);
                continue;
            }
            let state = self.shared.lock();
            if !state.stop {
                let mut state = self.shared.wait(state, Some(TICK));
                // A full disk may have room again.
                state.failure = None;
            }
        }
    }

    fn write_hint(&mut self, hint: CommitHint) {
        if let Err(error) = self.meta.write(hint) {
            fatal::stop(fatal::Reason::LogWriteFailed, &format!("the meta file: {error}"));
        }
    }

    fn prepare(&self, segment: u64, in_hurry: bool) {
        let preparation = if in_hurry { Preparation::Reserved } else { self.preparation };
        match prepare_segment(&self.storage, self.identity, segment, preparation) {
            Ok(()) => {
                self.shared.lock().prepared = segment + 1;
                if self.shared.full.swap(false, Ordering::Relaxed) {
                    tracing::info!(segment, "the log has room again");
                }
            }
            Err(error) if is_full(&error) => {
                self.shared.lock().failure = Some(error.kind());
                if !self.shared.full.swap(true, Ordering::Relaxed) {
                    tracing::error!(segment, %error, "the next segment of the log can't be made");
                }
            }
            // Whatever else it is, waiting doesn't mend it.
            Err(error) => {
                let detail = format!("segment {segment} can't be made: {error}");
                fatal::stop(fatal::Reason::LogWriteFailed, &detail);
            }
        }
        self.shared.changed.notify_all();
    }
}

/// Whether there may be room later: the disk or a quota is full.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::{Fault, MemoryStorage};
    use crate::ledger::{Op, Timestamp};
    use crate::log::frame::ClusterId;
    use crate::log::meta::{ClusterConfig, Meta};
    use crate::log::position::{Epoch, Position};
    use crate::log::prepare::create_log;
    use crate::log::segment::segment_name;

    const CONFIG: ClusterConfig = ClusterConfig {
        cluster: ClusterId(1),
        segment_bytes: 64 * 1024,
        accounts_max: 1,
        holds_max: 1,
        rules_version: 1,
    };
    const ZEROED: Preparation = Preparation::Zeroed { piece_bytes: 4096, keep_cached: true };

    fn start(disk: &MemoryStorage) -> (Keeper, Arc<AtomicBool>) {
        create_log(disk, CONFIG, Timestamp(1)).unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let identity = LogIdentity { cluster: CONFIG.cluster, layout: CONFIG.layout() };
        let keeper =
            Keeper::start(disk.clone(), identity, (1, 0), ZEROED, Arc::clone(&full)).unwrap();
        (keeper, full)
    }

    #[test]
    fn only_a_lack_of_room_is_waited_for() {
        use rustix::io::Errno;
        let full = |errno: Errno| is_full(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert!(full(Errno::NOSPC) && full(Errno::DQUOT));
        assert!(!full(Errno::IO) && !full(Errno::ROFS) && !full(Errno::NOENT));
    }

    fn eventually(mut condition: impl FnMut() -> bool) {
        for _ in 0..1_000 {
            if condition() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nothing happened within ten seconds");
    }

    #[test]
    fn segments_are_ready_ahead_and_the_last_hint_is_written() {
        let disk = MemoryStorage::new();
        let (keeper, _) = start(&disk);
        keeper.take(1, 0).unwrap();
        eventually(|| disk.bytes(&segment_name(3)).is_ok());
        assert!(disk.bytes(&segment_name(4)).is_err());
        let hint = CommitHint { committed: Position(16_384), op: Op(3), epoch: Epoch(1) };
        keeper.stop(hint);
        let after = disk.crash(|_, _| false);
        assert_eq!(Meta::load(&after).unwrap().unwrap().hint, hint);
        assert!(after.bytes(&segment_name(3)).is_ok());
    }

    #[test]
    fn a_hint_is_written_when_the_log_rests() {
        let disk = MemoryStorage::new();
        let (keeper, _) = start(&disk);
        let hint = CommitHint { committed: Position(16_384), op: Op(3), epoch: Epoch(1) };
        eventually(|| {
            keeper.note(hint);
            Meta::load(&disk).unwrap().unwrap().hint == hint
        });
    }

    #[test]
    fn a_full_disk_is_reported_while_there_is_room_and_forgotten_when_it_has_some() {
        let disk = MemoryStorage::new();
        disk.plant(Fault::Full(3 * CONFIG.segment_bytes));
        let (keeper, full) = start(&disk);
        eventually(|| full.load(Ordering::Relaxed));
        keeper.take(1, 0).unwrap();
        assert_eq!(keeper.take(7, 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.heal();
        eventually(|| !full.load(Ordering::Relaxed));
        eventually(|| keeper.take(7, 0).is_ok());
    }
}
