//! The writer as others see it: a queue in front, atomics and a notification behind.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use crossbeam::queue::ArrayQueue;
use thiserror::Error;

use crate::fatal;
use crate::io::phases::{self, Published};
use crate::io::{Directory, Waker, sleeper};
use crate::ledger::Op;
use crate::log::frame::Frame;
use crate::log::group::{Durable, GroupConfig};
use crate::log::keeper::Keeper;
use crate::log::position::Position;
use crate::log::prepare::Preparation;
use crate::log::recovery::LogEnd;

use super::direct::Direct;
use super::mapped::Mapped;
use super::run::{Runner, URGENCY_FRAME, URGENCY_LARGE_FRAME};

/// A frame of this size wakes the writer even while it waits for the disk, so that it is sealed
/// meanwhile.
const LARGE_FRAME_BYTES: u64 = 64 * 1024;

/// Which writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogWriterKind {
    /// `O_DIRECT` writes from registered memory.
    #[default]
    Direct,
    /// Stores into a mapping.
    Mapped,
}

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Which writer.
    pub kind: LogWriterKind,
    /// The bounds of group commit.
    pub groups: GroupConfig,
    /// Frames that can wait for the writer.
    pub queue_frames: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { kind: LogWriterKind::Direct, groups: GroupConfig::default(), queue_frames: 256 }
    }
}

/// Why the writer can't start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The kernel doesn't allow `io_uring`.
    #[error(
        "io_uring is not permitted ({0}); allow it (sysctl kernel.io_uring_disabled=0, and in a \
         container a seccomp profile that has io_uring_setup, io_uring_enter and io_uring_register)"
    )]
    RingRefused(io::Error),
    /// Something else.
    #[error("the log's writer can't start: {0}")]
    Io(#[from] io::Error),
}

/// What the writer tells everybody.
#[derive(Debug, Default)]
pub struct LogProgress {
    durable_position: AtomicU64,
    durable_op: AtomicU64,
    full: Arc<AtomicBool>,
    groups: AtomicU64,
    bytes: AtomicU64,
    phases: Published,
}

impl LogProgress {
    /// The last op that is durable on this disk. All before it are, too.
    #[must_use]
    pub fn durable_op(&self) -> Op {
        Op(self.durable_op.load(Ordering::Acquire))
    }

    /// The end of the last durable frame.
    #[must_use]
    pub fn durable_position(&self) -> Position {
        Position(self.durable_position.load(Ordering::Acquire))
    }

    /// Whether there is no space for another segment. What is logged already is safe, and there is
    /// room for some more; new writes should be refused until this is over.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Groups made durable since the start.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Bytes made durable since the start.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where the time of the writer's thread goes.
    #[must_use]
    pub const fn phases(&self) -> &Published {
        &self.phases
    }

    pub(super) fn publish(&self, durable: Durable) {
        // The position first: who sees the op may read the log up to it.
        self.durable_position.store(durable.position.0, Ordering::Release);
        self.durable_op.store(durable.op.0, Ordering::Release);
    }

    pub(super) fn count(&self, bytes: u64) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What handle and thread share.
pub(super) struct Shared {
    pub(super) queue: ArrayQueue<Arc<Frame>>,
    pub(super) progress: Arc<LogProgress>,
    pub(super) stop: AtomicBool,
}

/// Where frames are handed over. Cheap to clone; frames must come in log order.
#[derive(Clone)]
pub struct LogHandle {
    shared: Arc<Shared>,
    waker: Arc<Waker>,
}

impl LogHandle {
    /// Hands a frame over. Frames must come in the order of their positions.
    ///
    /// # Errors
    /// Gives the frame back if the queue is full: the disk is behind.
    pub fn submit(&self, frame: Arc<Frame>) -> Result<(), Arc<Frame>> {
        let large = frame.header().frame_bytes >= LARGE_FRAME_BYTES;
        self.shared.queue.push(frame)?;
        self.waker.wake(if large { URGENCY_LARGE_FRAME } else { URGENCY_FRAME });
        Ok(())
    }

    /// How far the log is durable.
    #[must_use]
    pub fn progress(&self) -> &Arc<LogProgress> {
        &self.shared.progress
    }
}

/// The running writer. Dropping it stops it as [`Self::stop`] does.
pub struct LogWriter {
    handle: LogHandle,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Starts the writer's thread at the end of a recovered log. `on_durable` is called on that
    /// thread whenever more is durable.
    ///
    /// # Errors
    /// If the kernel doesn't allow what it needs, or the directory can't be written.
    pub fn start(
        end: LogEnd<Directory>,
        options: WriterOptions,
        on_durable: Box<dyn Fn(Durable) + Send>,
    ) -> Result<Self, StartError> {
        let (sleeper, waker) = sleeper()?;
        let progress = Arc::new(LogProgress::default());
        let last = end.progress();
        progress.publish(Durable { position: last.end, op: last.op });
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(options.queue_frames.max(1)),
            progress: Arc::clone(&progress),
            stop: AtomicBool::new(false),
        });
        let layout = end.identity().layout;
        let keeper = Keeper::start(
            end.storage().clone(),
            end.identity(),
            (end.segments(), layout.segment_of(last.end)),
            preparation(options.kind),
            Arc::clone(&progress.full),
        )?;
        let (started, is_started) = mpsc::channel();
        let runner_shared = Arc::clone(&shared);
        // The ring belongs to the thread that makes it.
        let thread =
            std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
                let parts = (runner_shared, sleeper, keeper, on_durable);
                match options.kind {
                    LogWriterKind::Direct => {
                        run(Direct::new(layout, &options.groups), &end, options, parts, &started);
                    }
                    LogWriterKind::Mapped => {
                        run(Mapped::new(layout), &end, options, parts, &started);
                    }
                }
            })?;
        let writer = Self { handle: LogHandle { shared, waker }, thread: Some(thread) };
        match is_started.recv() {
            Ok(Ok(())) => Ok(writer),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Io(io::Error::other("the log's writer ended at once"))),
        }
    }

    /// Where to hand frames over.
    #[must_use]
    pub const fn handle(&self) -> &LogHandle {
        &self.handle
    }

    /// Makes everything that was handed over durable, notes the end in the meta file, and ends the
    /// thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.handle.shared.stop.store(true, Ordering::SeqCst);
        self.handle.waker.wake(URGENCY_LARGE_FRAME);
        if let Some(thread) = self.thread.take() {
            // A panic has ended the process already.
            let _ = thread.join();
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.end();
    }
}

type Parts = (Arc<Shared>, crate::io::Sleeper, Keeper, Box<dyn Fn(Durable) + Send>);

/// The thread's body.
fn run<D: super::device::Device>(
    device: io::Result<D>,
    end: &LogEnd<Directory>,
    options: WriterOptions,
    (shared, sleeper, keeper, on_durable): Parts,
    started: &mpsc::Sender<Result<(), StartError>>,
) {
    let device = match device {
        Ok(device) => device,
        Err(error) => {
            // The receiver waits in `start`.
            let _ = started.send(Err(ring_error(error)));
            return;
        }
    };
    let mut runner = Runner::new(device, end, options.groups, shared, sleeper, keeper, on_durable);
    let _ = started.send(Ok(()));
    phases::start();
    match runner.run() {
        Ok(()) => runner.stop(),
        Err(error) => fatal::stop(fatal::Reason::LogWriteFailed, &error.to_string()),
    }
}

fn ring_error(error: io::Error) -> StartError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => {
            StartError::RingRefused(error)
        }
        _ => StartError::Io(error),
    }
}

const fn preparation(kind: LogWriterKind) -> Preparation {
    match kind {
        LogWriterKind::Direct => {
            Preparation::Zeroed { piece_bytes: 256 * 1024, keep_cached: false }
        }
        // Small pieces give small folios, and what is not cached must be read before it is stored to.
        LogWriterKind::Mapped => Preparation::Zeroed { piece_bytes: 4096, keep_cached: true },
    }
}
