//! The one global order: op numbers, timestamps, and the frames that carry them.

use crate::ledger::{Op, Timestamp};
use crate::log::{
    Epoch, Frame, FrameBuilder, FrameCounts, FrameHeader, FrameKind, FramePool, FrameStart,
    FrameVersion, Layout, Position,
};

/// Buffers of frames that are kept for the next ones.
const POOL_FRAMES: usize = 64;

/// Where the log ends, as the engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The end of the last frame.
    pub position: Position,
    /// The last op.
    pub op: Op,
    /// The epoch in which frames are written.
    pub epoch: Epoch,
    /// The newest timestamp given.
    pub timestamp: Timestamp,
}

/// What gives batches their numbers and places.
///
/// Invariant: `tip` moves only forwards, one op for each frame, and is always the end of the frame
/// that was finished last. `version` is the current one but while an older frame of the log is decided
/// again. The newest timestamps of both kinds of records are at most the tip's.
#[derive(Debug)]
pub(super) struct Sequence {
    layout: Layout,
    /// Holds the entries of the frame that is being written, and nothing between two frames.
    pub(super) builder: FrameBuilder,
    tip: Tip,
    version: FrameVersion,
    /// Timestamp of the newest account, against which imported ones are judged.
    pub(super) newest_account: u64,
    /// Timestamp of the newest transfer.
    pub(super) newest_transfer: u64,
    /// When the next hold ends: never later than any does, maybe earlier.
    pub(super) next_expiry: Option<Timestamp>,
}

impl Sequence {
    pub(super) fn new(layout: Layout, tip: Tip) -> Self {
        let start = FrameStart {
            kind: FrameKind::CreateTransfers,
            op: tip.op,
            timestamp: tip.timestamp,
            epoch: tip.epoch,
        };
        Self {
            layout,
            builder: FrameBuilder::new(FramePool::new(POOL_FRAMES), start),
            tip,
            version: FrameVersion::CURRENT,
            newest_account: 0,
            newest_transfer: 0,
            next_expiry: None,
        }
    }

    pub(super) const fn tip(&self) -> Tip {
        self.tip
    }

    /// Goes on behind the end of a log that was replayed.
    pub(super) fn continue_from(&mut self, tip: Tip) {
        assert!(tip.op >= self.tip.op, "a log that was replayed to its end is not shorter");
        assert!(tip.timestamp >= self.tip.timestamp, "time doesn't run backwards");
        self.tip = tip;
    }

    /// The next frame is to be as this one of the log: of its version, and in its epoch, which lasts.
    pub(super) fn begin_replay(&mut self, recorded: &FrameHeader) {
        assert!(recorded.epoch.0 >= self.tip.epoch.0, "epochs only ascend");
        self.tip.epoch = recorded.epoch;
        self.version = recorded.version;
    }

    /// Frames are new ones again.
    pub(super) const fn end_replay(&mut self) {
        self.version = FrameVersion::CURRENT;
    }

    /// Takes note of a frame that others wrote and that changes no state.
    pub(super) fn step_over(&mut self, end: Position, op: Op, timestamp: Timestamp) {
        assert_eq!(op, self.tip.op.next(), "frames follow one another");
        self.tip.position = end;
        self.tip.op = op;
        self.tip.timestamp = self.tip.timestamp.max(timestamp);
    }

    /// The base of a batch that begins at this reading of the clock.
    pub(super) fn base(&self, now: Timestamp) -> Timestamp {
        self.tip.timestamp.max(now)
    }

    /// Begins the frame of the next op.
    pub(super) fn start(&mut self, kind: FrameKind, base: Timestamp) -> &mut FrameBuilder {
        let start =
            FrameStart { kind, op: self.tip.op.next(), timestamp: base, epoch: self.tip.epoch };
        self.builder.restart_in(self.version, start);
        &mut self.builder
    }

    /// Where the next frame will stand if it is of that kind and size.
    pub(super) fn place(&self, kind: FrameKind, counts: FrameCounts) -> Position {
        let bytes = FrameBuilder::frame_bytes_for(self.version, kind, counts);
        self.layout.place(self.tip.position, bytes)
    }

    /// Finishes the frame that was begun and moves the tip behind it. `last` is the last timestamp
    /// that the batch uses up.
    pub(super) fn finish(
        &mut self,
        last: Timestamp,
        outcome_digest: u64,
        state_digest: u64,
    ) -> Frame {
        let position = self.layout.place(self.tip.position, self.builder.frame_bytes());
        assert!(position >= self.tip.position, "a frame stands behind the one before");
        let frame = self.builder.finish(position, outcome_digest, state_digest);
        assert_eq!(frame.header().op, self.tip.op.next(), "one op for each frame");
        self.tip.position = frame.end();
        self.tip.op = self.tip.op.next();
        self.tip.timestamp = self.tip.timestamp.max(last);
        assert!(
            self.newest_account.max(self.newest_transfer) <= self.tip.timestamp.0,
            "no record is newer than the batch that created it"
        );
        frame
    }

    /// A hold ends then.
    pub(super) fn note_expiry(&mut self, at: Timestamp) {
        self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
    }
}
