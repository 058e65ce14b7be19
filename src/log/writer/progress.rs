//! What the writer and the keeper tell everybody, and what the writer's thread shares with those who
//! hand it frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

use crate::io::phases::Published;
use crate::ledger::Op;
use crate::log::frame::Frame;
use crate::log::group::Durable;
use crate::log::position::{Layout, Position};
use crate::log::room::Room;

/// How far the log has come, and how far it can go.
#[derive(Debug)]
pub struct LogProgress {
    layout: Layout,
    /// Of a frame that is durable, and all before it. Only ever grow; written by the writer alone,
    /// the position first.
    durable_position: AtomicU64,
    durable_op: AtomicU64,
    /// Segments that are there. Only ever grows.
    segments: AtomicU64,
    /// The next one can't be made. Written by the keeper alone, as `segments`.
    full: AtomicBool,
    groups: AtomicU64,
    bytes: AtomicU64,
    phases: Published,
}

impl LogProgress {
    pub(super) fn new(layout: Layout, durable: Durable, segments: u64) -> Self {
        Self {
            layout,
            durable_position: AtomicU64::new(durable.position.0),
            durable_op: AtomicU64::new(durable.op.0),
            segments: AtomicU64::new(segments),
            full: AtomicBool::new(false),
            groups: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            phases: Published::default(),
        }
    }

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

    /// Whether there is room for a frame behind `end`, which is where the last one ordered ends. Ask
    /// before a batch is ordered, and order no more than one on each answer.
    #[must_use]
    pub fn room(&self, end: Position) -> Room {
        let is_full = self.full.load(Ordering::Relaxed);
        Room::behind(self.layout, end, self.segments(), is_full)
    }

    /// Whether the segment of `position` is there.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        self.layout.segment_of(position) < self.segments()
    }

    /// Segments that are there.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.segments.load(Ordering::SeqCst)
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
        assert!(durable.op > self.durable_op(), "more is durable each time");
        assert!(durable.position > self.durable_position(), "more is durable each time");
        assert!(self.holds(Position(durable.position.0 - 1)), "what is durable lies in a segment");
        // The position first: who sees the op may read the log up to it.
        self.durable_position.store(durable.position.0, Ordering::Release);
        self.durable_op.store(durable.op.0, Ordering::Release);
    }

    /// There are so many segments, and the next can't be made if the disk is full.
    pub(super) fn publish_room(&self, segments: u64, is_full: bool) {
        assert!(segments >= self.segments(), "a segment that is there stays there");
        self.segments.store(segments, Ordering::SeqCst);
        self.full.store(is_full, Ordering::Relaxed);
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
    /// The writer can't go on before there is another segment.
    pub(super) waits_for_segment: AtomicBool,
    pub(super) stop: AtomicBool,
}

/// What to call when things change.
pub struct Notices {
    /// More is durable. Called by the writer's thread.
    pub durable: Box<dyn Fn(Durable) + Send>,
    /// [`LogProgress::room`] may answer otherwise now. Called by the keeper's thread.
    pub room: Box<dyn Fn() + Send>,
}

impl Notices {
    /// Nobody wants to know.
    #[must_use]
    pub fn none() -> Self {
        Self { durable: Box::new(|_| ()), room: Box::new(|| ()) }
    }
}
