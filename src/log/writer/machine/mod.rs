//! The log's writer without its thread, its ring and its files.
//!
//! It is told of frames, of segments that are there and of writes that have ended, with the time, and
//! says what is to be done: begin to use a segment, put a frame's sealed bytes somewhere, start a
//! write. It never waits: a frame for which there is no memory or no segment yet is held, and what was
//! written before it becomes durable meanwhile. It never writes to a segment that isn't there, says
//! nothing is durable before everything in front of it is, and asks for nothing after a failure.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::io::to_usize;
use crate::ledger::Op;
use crate::log::frame::{Frame, FrameHeader, Sealer};
use crate::log::group::{Durable, GroupCommit, GroupConfig, GroupError, WriteRequest};
use crate::log::meta::CommitHint;
use crate::log::position::{Epoch, Layout, Position};
use crate::log::reader::{LogIdentity, Progress};

/// Where a frame is to be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it belongs in the log.
    pub position: Position,
    /// Where it goes in the staging memory, for a writer that has one.
    pub staging_offset: usize,
    /// Its size.
    pub bytes: usize,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterAction {
    /// Begin to use a segment, which is there.
    Open {
        /// Which.
        segment: u64,
        /// No write to a segment before this one is in flight or will be started.
        oldest: u64,
    },
    /// Hand memory for a frame to [`WriterMachine::seal_into`], before anything else.
    Seal(Place),
    /// Start a write. Everything in it was sealed.
    Write(WriteRequest),
}

/// Why nothing is written any more. What the disk holds is unknown until it is read again.
#[derive(Debug, Error)]
pub enum WriteFailed {
    /// The disk says no.
    #[error("a write to the log failed: {0}")]
    Io(io::Error),
    /// It was not written whole, or nobody had started it.
    #[error(transparent)]
    Group(#[from] GroupError),
}

/// The machine.
#[derive(Debug)]
pub struct WriterMachine {
    layout: Layout,
    /// Which frames are written together, and what is durable. Every frame in it lies in `segment` or
    /// in one before.
    group: GroupCommit,
    /// Its chain is that of the frame sealed last.
    sealer: Sealer,
    /// The frame taken last, as long as it has no place. Nothing is taken behind it.
    held: Option<Arc<Frame>>,
    /// A frame that has its place, until it is sealed. Nothing is written meanwhile.
    placed: Option<(Arc<Frame>, Place)>,
    /// The segment in use.
    segment: Option<u64>,
    /// Segments that are there: all below this number.
    segments: u64,
    /// The end of the frame taken last, and its op and epoch.
    end: Position,
    op: Op,
    epoch: Epoch,
    /// How far [`Self::poll_durable`] has told. Only ever moves forwards.
    told: Durable,
}

impl WriterMachine {
    /// A writer that goes on at the end of a log with that many segments.
    #[must_use]
    pub fn new(
        identity: LogIdentity,
        progress: Progress,
        segments: u64,
        groups: GroupConfig,
    ) -> Self {
        let durable = Durable { position: progress.end, op: progress.op };
        Self {
            layout: identity.layout,
            group: GroupCommit::new(groups, identity.layout, durable),
            sealer: Sealer::new(identity.cluster, progress.chain),
            held: None,
            placed: None,
            segment: None,
            segments,
            end: progress.end,
            op: progress.op,
            epoch: progress.epoch,
            told: durable,
        }
    }

    /// Whether another frame can be handed over.
    #[must_use]
    pub const fn wants_frame(&self) -> bool {
        self.held.is_none()
    }

    /// Takes a frame.
    ///
    /// # Panics
    /// If the one before it is still held, or it doesn't follow that one.
    pub fn handle_frame(&mut self, frame: Arc<Frame>) {
        assert!(self.held.is_none(), "a frame is taken when the one before it has its place");
        let FrameHeader { position, op, epoch, frame_bytes, .. } = *frame.header();
        assert_eq!(op, self.op.next(), "frames come in the order of their ops");
        assert_eq!(
            position,
            self.layout.place(self.end, frame_bytes),
            "a frame stands where the one before it ends"
        );
        assert!(epoch >= self.epoch, "an epoch that has ended never writes again");
        self.end = frame.end();
        self.op = op;
        self.epoch = epoch;
        self.held = Some(frame);
    }

    /// So many segments are there now.
    ///
    /// # Panics
    /// If there were more before.
    pub fn handle_segments(&mut self, segments: u64) {
        assert!(segments >= self.segments, "a segment that is there stays there");
        self.segments = segments;
    }

    /// A write has ended and made so many bytes durable.
    ///
    /// # Errors
    /// If it failed or was not whole: then, and from then on.
    pub fn handle_completed(
        &mut self,
        id: u64,
        result: io::Result<usize>,
    ) -> Result<(), WriteFailed> {
        let written = match &result {
            Ok(bytes) => *bytes,
            Err(_) => 0,
        };
        let moved = self.group.handle_completed(id, written);
        match (result, moved) {
            (Err(error), _) => Err(WriteFailed::Io(error)),
            (Ok(_), Err(error)) => Err(error.into()),
            (Ok(_), Ok(_)) => Ok(()),
        }
    }

    /// What is to be done now; ask until there is nothing. `more` says that other frames are at hand:
    /// then what could share a write with them waits for them.
    ///
    /// # Panics
    /// If the frame placed last was not sealed.
    pub fn poll_action(&mut self, now_ns: u64, more: bool) -> Option<WriterAction> {
        assert!(self.placed.is_none(), "what has its place is sealed before anything is written");
        if let Some(action) = self.place_held(now_ns) {
            return Some(action);
        }
        let write = if more && self.held.is_none() {
            self.group.poll_full_write(now_ns)
        } else {
            self.group.poll_write(now_ns)
        };
        if let Some(write) = &write {
            let segment = self.layout.segment_of(write.position);
            assert!(segment < self.segments, "nothing is written to a segment that isn't there");
        }
        write.map(WriterAction::Write)
    }

    fn place_held(&mut self, now_ns: u64) -> Option<WriterAction> {
        let header = *self.held.as_ref()?.header();
        let segment = self.layout.segment_of(header.position);
        if segment >= self.segments || !self.group.has_room(header.frame_bytes) {
            return None;
        }
        if self.segment != Some(segment) {
            assert!(self.segment.is_none_or(|open| open < segment), "segments are used in order");
            self.segment = Some(segment);
            let oldest = self.layout.segment_of(self.group.durable().position);
            return Some(WriterAction::Open { segment, oldest });
        }
        let place = Place {
            position: header.position,
            staging_offset: self.group.handle_frame(&header, now_ns),
            bytes: to_usize(header.frame_bytes),
        };
        self.placed = self.held.take().map(|frame| (frame, place));
        Some(WriterAction::Seal(place))
    }

    /// Writes the frame placed last, whole, into `target`.
    ///
    /// # Panics
    /// If there is none, or `target` is not as large.
    pub fn seal_into(&mut self, target: &mut [u8]) {
        let Some((frame, place)) = self.placed.take() else {
            unreachable!("a frame is sealed once, after it got its place")
        };
        assert_eq!(target.len(), place.bytes, "a frame gets just the memory of its size");
        self.sealer.seal_into(&frame, self.group.durable().position, target);
    }

    /// How far the log is durable, if that is further than when this was asked before.
    pub fn poll_durable(&mut self) -> Option<Durable> {
        let durable = self.group.durable();
        if durable == self.told {
            return None;
        }
        assert!(durable.op > self.told.op, "what is durable stays durable");
        assert!(durable.op <= self.op, "nothing is durable that was not written");
        self.told = durable;
        Some(durable)
    }

    /// How far the log is durable.
    #[must_use]
    pub const fn durable(&self) -> Durable {
        self.group.durable()
    }

    /// What may be noted as committed.
    #[must_use]
    pub const fn hint(&self) -> CommitHint {
        let Durable { position, op } = self.group.durable();
        CommitHint { committed: position, op, epoch: self.epoch }
    }

    /// The segment that must be there before anything more can be taken.
    #[must_use]
    pub fn needed_segment(&self) -> Option<u64> {
        let segment = self.layout.segment_of(self.held.as_ref()?.position());
        (segment >= self.segments).then_some(segment)
    }

    /// Whether everything taken is durable.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.held.is_none() && self.group.is_idle()
    }

    /// How many writes are in flight.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.group.in_flight()
    }

    /// When [`Self::poll_action`] will have something although nothing else happens.
    #[must_use]
    pub fn deadline_ns(&self) -> Option<u64> {
        self.group.deadline_ns()
    }
}

#[cfg(test)]
mod tests;
