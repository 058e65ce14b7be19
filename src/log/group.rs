//! Group commit: which frames are written together, when, and what is durable afterwards.
//!
//! A pure machine. It is told of frames and completions with the time, and says where in the staging
//! memory a frame is to be put and what to write. While a write is in flight the next group gathers;
//! a group goes out when nothing is in flight, when it is full, or when its oldest frame has waited
//! long enough. Only the contiguous prefix of completed writes is durable. A failure is for ever: the
//! machine never asks for another write after one.

use std::collections::VecDeque;

use thiserror::Error;

use crate::io::{to_u64, to_usize};
use crate::ledger::Op;

use super::frame::{FRAME_BYTES_MAX, FrameHeader};
use super::position::{Layout, Position};

/// No more of the log than this is written but not yet durable at any time. Recovery relies on it:
/// valid frames further beyond a hole can't be the remains of a crash.
pub const IN_FLIGHT_BYTES_MAX: u64 = 16 << 20;

/// The bounds of group commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    /// Size of the staging memory, used as a ring. Must hold two of the largest frames.
    pub staging_bytes: u64,
    /// Writes in flight at once.
    pub writes_max: usize,
    /// A group of this size goes out although a write is in flight.
    pub group_bytes: u64,
    /// A group whose oldest frame has waited this long goes out although a write is in flight.
    pub age_ns_max: u64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            // Fits under the usual limit of 8 MiB on locked memory, and two of the largest frames fit.
            staging_bytes: 6 << 20,
            writes_max: 4,
            group_bytes: 1 << 20,
            age_ns_max: 500_000,
        }
    }
}

const _: () = assert!(FRAME_BYTES_MAX < IN_FLIGHT_BYTES_MAX / 4);

/// How far the log is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// The end of the last durable frame.
    pub position: Position,
    /// Its number.
    pub op: Op,
}

/// A write to start: `bytes` of the staging memory from `staging_offset` go to `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRequest {
    /// To be handed back on completion. Ascending from 0.
    pub id: u64,
    /// Where in the log. A write never crosses the end of a segment.
    pub position: Position,
    /// Where in the staging memory.
    pub staging_offset: usize,
    /// How much.
    pub bytes: usize,
}

/// Why the machine will never write again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupError {
    /// A write failed, or wrote less than it should have.
    #[error("a write to the log failed")]
    Failed,
    /// A completion for no write in flight.
    #[error("a write to the log was completed that is not in flight")]
    UnknownWrite,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    position: Position,
    staging_offset: usize,
    /// Staging bytes that become free with this group: its own, and those skipped before it.
    staging_span: usize,
    bytes: usize,
    last_op: Op,
    oldest_ns: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Gathering,
    Closed,
    InFlight,
    Written,
}

/// The machine.
#[derive(Debug)]
pub struct GroupCommit {
    config: GroupConfig,
    layout: Layout,
    /// In log order, each in one segment, without gaps but for the ends of segments. Only the last may
    /// gather. The first `first_id` groups of all time are durable and gone; the first here isn't.
    groups: VecDeque<Group>,
    first_id: u64,
    /// How many of `groups` are in flight, at most `writes_max`.
    in_flight: usize,
    /// Where the next frame goes, and the bytes before it that `groups` hold: the sum of their spans.
    staging_head: usize,
    staging_used: usize,
    /// The end of the last group that is gone. Only ever grows.
    durable: Durable,
    /// For ever.
    failed: bool,
}

impl GroupCommit {
    /// A machine for a log that is durable up to `durable`.
    ///
    /// # Panics
    /// If the staging memory couldn't hold two of the largest frames, or is larger than recovery
    /// allows.
    #[must_use]
    pub fn new(config: GroupConfig, layout: Layout, durable: Durable) -> Self {
        // A frame never wraps around the end, so up to one frame less a page may be left unused.
        assert!(
            config.staging_bytes >= 2 * FRAME_BYTES_MAX.min(layout.segment_bytes),
            "the staging memory holds two of the largest frames"
        );
        assert!(
            config.staging_bytes <= IN_FLIGHT_BYTES_MAX,
            "no more is in flight than recovery looks at"
        );
        assert!(config.writes_max > 0, "a write can be in flight");
        Self {
            config,
            layout,
            groups: VecDeque::with_capacity(64),
            first_id: 0,
            in_flight: 0,
            staging_head: 0,
            staging_used: 0,
            durable,
            failed: false,
        }
    }

    /// How far the log is durable.
    #[must_use]
    pub const fn durable(&self) -> Durable {
        self.durable
    }

    /// Whether everything handed over is durable.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many writes are in flight.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether the staging memory can take a frame of that size now.
    #[must_use]
    pub fn has_room(&self, frame_bytes: u64) -> bool {
        let bytes = to_usize(frame_bytes);
        !self.failed && self.staging_used + self.skip_for(bytes) + bytes <= self.capacity()
    }

    /// Takes a frame, which must follow the one before. The caller puts its sealed bytes at the
    /// offset of the staging memory that this gives, before it polls for writes.
    ///
    /// # Panics
    /// If there is no room: ask [`Self::has_room`] first.
    pub fn handle_frame(&mut self, frame: &FrameHeader, now_ns: u64) -> usize {
        assert!(self.has_room(frame.frame_bytes), "the staging memory is full");
        let bytes = to_usize(frame.frame_bytes);
        assert!(bytes > 0, "a frame has bytes");
        let (end, op) = self.last_taken();
        assert!(frame.position >= end, "a frame stands behind the one before");
        assert!(frame.op > op, "frames come in the order of their ops");
        assert!(
            self.layout.offset_in_segment(frame.position) + frame.frame_bytes
                <= self.layout.segment_bytes,
            "a frame lies in one segment"
        );
        let skip = self.skip_for(bytes);
        if let Some(group) = self.groups.back_mut()
            && group.state == State::Gathering
        {
            let next = group.position.plus(to_u64(group.bytes));
            let joins = skip == 0
                && group.staging_offset + group.bytes == self.staging_head
                && next == frame.position
                && self.layout.segment_of(next) == self.layout.segment_of(group.position)
                && to_u64(group.bytes) < self.config.group_bytes;
            if joins {
                let offset = group.staging_offset + group.bytes;
                group.bytes += bytes;
                group.staging_span += bytes;
                group.last_op = frame.op;
                self.staging_used += bytes;
                self.staging_head = (offset + bytes) % self.capacity();
                return offset;
            }
            group.state = State::Closed;
        }
        let offset = (self.staging_head + skip) % self.capacity();
        self.groups.push_back(Group {
            position: frame.position,
            staging_offset: offset,
            staging_span: skip + bytes,
            bytes,
            last_op: frame.op,
            oldest_ns: now_ns,
            state: State::Gathering,
        });
        self.staging_used += skip + bytes;
        assert!(self.staging_used <= self.capacity(), "memory in use is not used again");
        self.staging_head = (offset + bytes) % self.capacity();
        offset
    }

    /// The next write to start now, if there is one. Ask until there is none.
    pub fn poll_write(&mut self, now_ns: u64) -> Option<WriteRequest> {
        let idle = self.in_flight == 0;
        self.next_write(now_ns, idle)
    }

    /// As [`Self::poll_write`], while more frames are at hand: only a group that is full or old goes
    /// out, even if nothing is in flight.
    pub fn poll_full_write(&mut self, now_ns: u64) -> Option<WriteRequest> {
        self.next_write(now_ns, false)
    }

    fn next_write(&mut self, now_ns: u64, any: bool) -> Option<WriteRequest> {
        if self.failed || self.in_flight >= self.config.writes_max {
            return None;
        }
        let index = self.first_unsubmitted()?;
        let group = self.groups[index];
        let due = any
            || group.state == State::Closed
            || to_u64(group.bytes) >= self.config.group_bytes
            || now_ns.saturating_sub(group.oldest_ns) >= self.config.age_ns_max;
        if !due {
            return None;
        }
        assert!(
            group.staging_offset + group.bytes <= self.capacity(),
            "a write is one piece of the memory"
        );
        let last = group.position.plus(to_u64(group.bytes) - 1);
        assert_eq!(
            self.layout.segment_of(group.position),
            self.layout.segment_of(last),
            "a write stays in its segment"
        );
        self.groups[index].state = State::InFlight;
        self.in_flight += 1;
        Some(WriteRequest {
            id: self.first_id + to_u64(index),
            position: group.position,
            staging_offset: group.staging_offset,
            bytes: group.bytes,
        })
    }

    /// When [`Self::poll_write`] will have something although nothing else happens.
    #[must_use]
    pub fn deadline_ns(&self) -> Option<u64> {
        if self.failed || self.in_flight >= self.config.writes_max {
            return None;
        }
        let group = &self.groups[self.first_unsubmitted()?];
        Some(group.oldest_ns + self.config.age_ns_max)
    }

    /// Write `id` is over, having made `written` bytes durable. Gives the new durable end if it
    /// moved.
    ///
    /// # Errors
    /// If it wrote less than asked (pass 0 for an error): then, and from then on.
    pub fn handle_completed(
        &mut self,
        id: u64,
        written: usize,
    ) -> Result<Option<Durable>, GroupError> {
        if self.failed {
            return Err(GroupError::Failed);
        }
        let group = id.checked_sub(self.first_id).and_then(|at| self.groups.get_mut(to_usize(at)));
        let Some(group) = group.filter(|group| group.state == State::InFlight) else {
            self.failed = true;
            return Err(GroupError::UnknownWrite);
        };
        if written != group.bytes {
            self.failed = true;
            return Err(GroupError::Failed);
        }
        group.state = State::Written;
        assert!(self.in_flight > 0, "what ends was in flight");
        self.in_flight -= 1;
        let mut moved = None;
        while let Some(group) = self.groups.front()
            && group.state == State::Written
        {
            assert!(group.position >= self.durable.position, "what is durable only grows");
            assert!(group.last_op > self.durable.op, "each group holds a frame");
            self.durable =
                Durable { position: group.position.plus(to_u64(group.bytes)), op: group.last_op };
            assert!(self.staging_used >= group.staging_span, "memory is given back once");
            self.staging_used -= group.staging_span;
            self.groups.pop_front();
            self.first_id += 1;
            moved = Some(self.durable);
        }
        assert!(
            !self.groups.is_empty() || self.staging_used == 0,
            "nothing under way holds no memory"
        );
        Ok(moved)
    }

    /// The end of the frame taken last, and its op.
    fn last_taken(&self) -> (Position, Op) {
        self.groups.back().map_or((self.durable.position, self.durable.op), |group| {
            (group.position.plus(to_u64(group.bytes)), group.last_op)
        })
    }

    fn first_unsubmitted(&self) -> Option<usize> {
        self.groups.iter().position(|group| matches!(group.state, State::Gathering | State::Closed))
    }

    fn capacity(&self) -> usize {
        to_usize(self.config.staging_bytes)
    }

    /// How much of the staging memory is left unused so that a frame doesn't wrap around its end.
    fn skip_for(&self, bytes: usize) -> usize {
        if self.staging_head + bytes <= self.capacity() {
            0
        } else {
            self.capacity() - self.staging_head
        }
    }
}

#[cfg(test)]
mod tests;
