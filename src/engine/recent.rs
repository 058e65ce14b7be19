//! The newest frames, kept in memory: what may not be on the disk yet, and what is asked for most.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ledger::{Op, Transfer};
use crate::log::{Frame, Position};

/// A window over the end of the log.
#[derive(Debug)]
pub(super) struct Recent {
    frames: VecDeque<Arc<Frame>>,
    bytes: u64,
    bytes_max: u64,
}

impl Recent {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, frame: Arc<Frame>) {
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
    }

    /// The transfer whose record stands there, if the frame is still here.
    pub(super) fn transfer(&self, position: Position) -> Option<Transfer> {
        let entry = self.containing(position)?.transfer_at(position)?;
        Some(entry.transfer)
    }

    /// The frame that covers a position, if it is still here.
    pub(super) fn containing(&self, position: Position) -> Option<&Arc<Frame>> {
        let after = self.frames.partition_point(|frame| frame.position() <= position);
        let frame = self.frames.get(after.checked_sub(1)?)?;
        (position < frame.end()).then_some(frame)
    }
}
