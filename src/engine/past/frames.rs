//! Which frame holds the transfers of a time.

use crate::log::Position;

/// Frames that are remembered at most: 16 bytes each.
const FRAMES_MAX: usize = 1 << 16;

/// The newest timestamp and the position of the frames that created transfers: every `step`-th of
/// them, and the newest.
///
/// Invariant: timestamps and positions ascend, and there are at most [`FRAMES_MAX`]. Who looks for a
/// timestamp gets a frame at or before the one that he looks for, and walks on from there.
#[derive(Debug)]
pub(in crate::engine) struct TransferFrames {
    kept: Vec<Kept>,
    frames_max: usize,
    /// How many frames each kept one stands for. A power of two.
    step: u64,
    /// Frames since the last kept one, that one included.
    since: u64,
    /// The newest timestamp of the newest frame.
    newest: u64,
}

/// A frame, and those behind it up to the next that is kept.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Newest timestamp of the frame before; every transfer from here on is later.
    after: u64,
    /// Where it starts.
    position: Position,
}

impl Default for TransferFrames {
    fn default() -> Self {
        Self::new(FRAMES_MAX)
    }
}

impl TransferFrames {
    fn new(frames_max: usize) -> Self {
        Self { kept: Vec::new(), frames_max, step: 1, since: 0, newest: 0 }
    }

    /// The newest frame, with its newest timestamp.
    pub(in crate::engine) fn push(&mut self, newest: u64, position: Position) {
        assert!(newest > self.newest, "each frame creates later transfers than the one before");
        if self.since == 0 || self.since == self.step {
            if self.kept.len() == self.frames_max {
                self.thin_out();
            }
            self.keep(position);
        }
        self.since += 1;
        self.newest = newest;
    }

    /// A frame at or before the first one that can hold transfers of that timestamp or later, with the
    /// newest timestamp of all frames up to the next that is kept.
    pub(in crate::engine) fn first_since(&self, timestamp: u64) -> Option<(u64, Position)> {
        if timestamp > self.newest {
            return None;
        }
        let after = self.kept.partition_point(|kept| kept.after < timestamp);
        // Nothing lies before the first frame, so timestamps from 0 on are its own.
        let at = after.saturating_sub(1);
        let newest = self.kept.get(at + 1).map_or(self.newest, |next| next.after);
        self.kept.get(at).map(|kept| (newest, kept.position))
    }

    fn keep(&mut self, position: Position) {
        let last = self.kept.last().map_or(Position::NONE, |kept| kept.position);
        assert!(position > last, "frames come in the order of the log");
        self.kept.push(Kept { after: self.newest, position });
        assert!(self.kept.len() <= self.frames_max, "their number is bounded");
        self.since = 0;
    }

    /// Forgets every second frame.
    fn thin_out(&mut self) {
        let mut number = 0_usize;
        self.kept.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.step *= 2;
    }
}
