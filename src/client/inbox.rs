//! Where callers leave their calls for the client's thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::slot::{Call, Completion};
use crate::ledger::{Account, Transfer};

/// What to do with the end of a call. Runs on the client's thread and must not block.
pub(super) type Sink = Box<dyn FnOnce(Completion) + Send>;

/// What a caller wants.
pub(super) enum Job {
    /// Send this request.
    Call { call: Call, sink: Sink },
    /// Create these, sharing a request with others.
    Accounts { events: Vec<Account>, deadline_ns: u64, sink: Sink },
    /// Create these, sharing a request with others.
    Transfers { events: Vec<Transfer>, deadline_ns: u64, sink: Sink },
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Calls that were taken on and aren't completed.
    outstanding: usize,
    closed: bool,
}

/// The callers' side and the thread's side of one queue.
pub(super) struct Inbox {
    state: Mutex<State>,
    room: Condvar,
    outstanding_max: usize,
    /// The thread sleeps, or is about to: the next job has to wake it.
    asleep: AtomicBool,
    waker: mio::Waker,
    correlation: AtomicU64,
}

impl Inbox {
    pub(super) fn new(waker: mio::Waker, outstanding_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            room: Condvar::new(),
            outstanding_max: outstanding_max.max(1),
            asleep: AtomicBool::new(false),
            waker,
            correlation: AtomicU64::new(1),
        }
    }

    /// A correlation that no call of this client had before.
    pub(super) fn correlation(&self) -> u64 {
        self.correlation.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves a job; with `wait`, waits for room first.
    ///
    /// # Errors
    /// The job, when the client is closed.
    pub(super) fn push(&self, job: Job, wait: bool) -> Result<(), Job> {
        let mut state = self.lock();
        while wait && state.outstanding >= self.outstanding_max && !state.closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(job);
        }
        state.outstanding += 1;
        state.jobs.push(job);
        drop(state);
        self.wake();
        Ok(())
    }

    /// Lets no job in any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.wake();
    }

    /// Takes all jobs, into `jobs`, and says whether the client is closed.
    pub(super) fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut state = self.lock();
        std::mem::swap(&mut state.jobs, jobs);
        state.closed
    }

    /// So many calls are completed.
    pub(super) fn completed(&self, calls: usize) {
        if calls > 0 {
            self.lock().outstanding -= calls;
            self.room.notify_all();
        }
    }

    /// Announces sleep; `false` when there is something to do instead. A job that is pushed after
    /// this wakes the thread, one that was pushed before is seen here: none is missed.
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let state = self.lock();
        state.jobs.is_empty() && !state.closed
    }

    /// The thread is awake.
    pub(super) fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) && self.waker.wake().is_err() {
            // The wake-up is a write to our own event descriptor; should it ever fail, the thread
            // still looks here at its next timer, so a call is late but not lost.
            tracing::warn!("the client's thread could not be woken");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
