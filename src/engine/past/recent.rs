//! The newest frames, kept in memory: what may not be on the disk yet, and what is asked for most.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ledger::{Op, Transfer};
use crate::log::{Frame, Position};

/// A window over the end of the log.
///
/// Invariant: frames stand in the order of their positions without a gap, and none that isn't committed
/// is missing.
#[derive(Debug)]
pub(super) struct Recent {
    frames: VecDeque<Arc<Frame>>,
    /// The end of the newest frame that was here.
    end: Position,
    bytes: u64,
    bytes_max: u64,
}

impl Recent {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { frames: VecDeque::new(), end: Position::NONE, bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, frame: Arc<Frame>) {
        assert!(
            frame.position() >= self.end,
            "frames come in the order in which they stand in the log"
        );
        self.end = frame.end();
        self.bytes += frame.memory_bytes();
        self.frames.push_back(frame);
    }

    /// Forgets the oldest frames down to the bound, but none that is not committed.
    pub(super) fn trim(&mut self, committed: Op) {
        while self.bytes > self.bytes_max
            && self.frames.front().is_some_and(|oldest| oldest.header().op <= committed)
        {
            if let Some(oldest) = self.frames.pop_front() {
                self.bytes -= oldest.memory_bytes();
            }
        }
        assert!(!self.frames.is_empty() || self.bytes == 0, "no frame, no memory");
    }

    /// The transfer whose record stands there, if the frame is still here.
    pub(super) fn transfer(&self, position: Position) -> Option<Transfer> {
        let entry = self.containing(position)?.transfer_at(position)?;
        Some(entry.transfer)
    }

    /// Where the oldest frame stands; the end of the last one that was here if there is none. Everything
    /// before is committed.
    pub(super) fn oldest(&self) -> Position {
        self.frames.front().map_or(self.end, |frame| frame.position())
    }

    /// Whether a transfer was created at exactly that timestamp, in the frame at `first` or behind it,
    /// if the frames here are enough to tell.
    pub(super) fn created_at(&self, first: Position, timestamp: u64) -> Option<bool> {
        let from = self.frames.partition_point(|frame| frame.position() < first);
        let mut is_enough = self.frames.get(from)?.position() == first;
        for frame in self.frames.range(from..) {
            let created = frame.transfers().iter().filter(|entry| !frame.is_refused(entry.index()));
            for entry in created {
                let at = entry.transfer.timestamp;
                // Transfers are created in the order of their timestamps.
                if at > timestamp {
                    return is_enough.then_some(false);
                }
                is_enough = true;
                if at == timestamp {
                    return Some(true);
                }
            }
        }
        is_enough.then_some(false)
    }

    /// The frame that covers a position, if it is still here.
    fn containing(&self, position: Position) -> Option<&Arc<Frame>> {
        let after = self.frames.partition_point(|frame| frame.position() <= position);
        let frame = self.frames.get(after.checked_sub(1)?)?;
        (position < frame.end()).then_some(frame)
    }
}
