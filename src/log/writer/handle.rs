//! The writer as others see it: a queue in front, atomics and a notification behind.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use crossbeam::queue::ArrayQueue;
use thiserror::Error;

use super::device::Device;
use super::direct::Direct;
use super::machine::WriterMachine;
use super::mapped::Mapped;
use super::progress::{LogProgress, Notices, Shared};
use super::run::{Runner, URGENCY_FRAME, URGENCY_LARGE_FRAME, URGENCY_SEGMENT};
use crate::fatal;
use crate::io::{Directory, Sleeper, SystemClock, Waker, phases, sleeper};
use crate::log::frame::Frame;
use crate::log::group::{Durable, GroupConfig};
use crate::log::keeper::{Keeper, KeeperParts};
use crate::log::prepare::Preparation;
use crate::log::recovery::LogEnd;

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
    /// Starts the writer's thread at the end of a recovered log.
    ///
    /// # Errors
    /// If the kernel doesn't allow what it needs, or the directory can't be written.
    pub fn start(
        end: LogEnd<Directory>,
        options: WriterOptions,
        notices: Notices,
    ) -> Result<Self, StartError> {
        let (sleeper, waker) = sleeper()?;
        let last = end.progress();
        let layout = end.identity().layout;
        let durable = Durable { position: last.end, op: last.op };
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(options.queue_frames.max(1)),
            progress: Arc::new(LogProgress::new(layout, durable, end.segments())),
            waits_for_segment: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let handle = LogHandle { shared: Arc::clone(&shared), waker };
        let clock = SystemClock::new();
        let keeper = Keeper::start(KeeperParts {
            storage: end.storage().clone(),
            identity: end.identity(),
            segments: end.segments(),
            current: layout.segment_of(last.end),
            preparation: preparation(options.kind),
            clock,
            tell: tell_room(handle.clone(), notices.room),
        })?;
        let parts =
            Parts { end, options, shared, sleeper, keeper, durable: notices.durable, clock };
        let (started, is_started) = mpsc::channel();
        // The ring belongs to the thread that makes it.
        let thread = std::thread::Builder::new().name("log-writer".to_owned()).spawn(
            move || match options.kind {
                LogWriterKind::Direct => {
                    run(Direct::new(layout, &options.groups), parts, &started);
                }
                LogWriterKind::Mapped => run(Mapped::new(layout), parts, &started),
            },
        )?;
        let writer = Self { handle, thread: Some(thread) };
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

/// What the thread is made of.
struct Parts {
    end: LogEnd<Directory>,
    options: WriterOptions,
    shared: Arc<Shared>,
    sleeper: Sleeper,
    keeper: Keeper,
    durable: Box<dyn Fn(Durable) + Send>,
    clock: SystemClock,
}

/// The thread's body.
fn run<D: Device>(
    device: io::Result<D>,
    parts: Parts,
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
    let Parts { end, options, shared, sleeper, keeper, durable, clock } = parts;
    let mut runner = Runner {
        machine: WriterMachine::new(end.identity(), end.progress(), end.segments(), options.groups),
        device,
        directory: end.storage().clone(),
        shared,
        sleeper,
        keeper,
        on_durable: durable,
        clock,
        age_ns_max: options.groups.age_ns_max,
        polling: false,
    };
    let _ = started.send(Ok(()));
    phases::start();
    match runner.run() {
        Ok(()) => runner.stop(),
        Err(error) => fatal::stop(fatal::Reason::LogWriteFailed, &error.to_string()),
    }
}

/// What the keeper does when there is more room, or none.
fn tell_room(handle: LogHandle, room: Box<dyn Fn() + Send>) -> Box<dyn Fn(u64, bool) + Send> {
    Box::new(move |segments, is_full| {
        handle.shared.progress.publish_room(segments, is_full);
        if handle.shared.waits_for_segment.load(Ordering::SeqCst) {
            handle.waker.wake(URGENCY_SEGMENT);
        }
        room();
    })
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
