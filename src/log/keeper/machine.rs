//! The keeper without its thread and its files: what it does next, and when.
//!
//! It is told which segment the writer has begun, how far the log is committed, and what came of what
//! it asked for. It keeps segments ready ahead of the writer and the commit hint near the truth. A
//! full disk is waited for; whatever else goes wrong is the end.

use std::io;

use thiserror::Error;

use crate::log::meta::CommitHint;
use crate::log::position::Layout;

/// Segments that are ready behind the one in use, at least.
const READY_SEGMENTS: u64 = 2;

/// Room that is ready behind the segment in use, at least: what can be on its way to the disk, so
/// that small segments hold nothing up.
const READY_BYTES: u64 = 24 << 20;

/// So long the log has to be at rest before a hint is written. A full disk is tried again as often.
pub(super) const REST_NS: u64 = 100_000_000;

/// A log that never rests gets a hint this often.
const HINT_EVERY_NS: u64 = 1_000_000_000;

/// A segment that was used up faster than this is replaced in the quick way: zero-filling would
/// double what the disk has to write just when it is busiest.
const HURRY_BELOW_NS: u64 = 2_000_000_000;

/// What is to be done next. One thing at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperAction {
    /// Write a hint, then say so with [`KeeperMachine::handle_hinted`].
    Hint(CommitHint),
    /// Make a segment, then say what came of it with [`KeeperMachine::handle_prepared`].
    Prepare {
        /// Which.
        segment: u64,
        /// Whether the quick way is better.
        in_hurry: bool,
    },
}

/// Why the log can't go on.
#[derive(Debug, Error)]
pub enum KeeperFailed {
    /// Waiting doesn't mend it.
    #[error("segment {segment} can't be made: {source}")]
    Prepare {
        /// Which.
        segment: u64,
        /// Why.
        source: io::Error,
    },
    /// What the meta file holds is unknown.
    #[error("the meta file: {0}")]
    Hint(io::Error),
}

/// The machine.
#[derive(Debug)]
pub struct KeeperMachine {
    /// Segments that are to be ready behind the one in use.
    ready_ahead: u64,
    /// Segments that are there, whole and with a durable name: all below this number.
    segments: u64,
    /// The segment in use, and since when.
    current: u64,
    current_since_ns: u64,
    in_hurry: bool,
    /// The last try to make a segment found no space.
    is_full: bool,
    /// Before this nothing is tried again.
    retry_ns: u64,
    /// How far the log is committed, and since when that is known. Never behind `written`.
    hint: CommitHint,
    hint_since_ns: u64,
    /// The hint in the meta file, and since when there is a newer one.
    written: CommitHint,
    newer_since_ns: u64,
    /// What was asked for and hasn't been answered.
    under_way: Option<KeeperAction>,
    /// No more segments are wanted, and the last hint is to be written at once.
    ending: bool,
}

impl KeeperMachine {
    /// A keeper of a log that has that many segments and ends in `current`; `hint` is in the meta
    /// file.
    #[must_use]
    pub const fn new(
        ready_ahead: u64,
        segments: u64,
        current: u64,
        hint: CommitHint,
        now_ns: u64,
    ) -> Self {
        assert!(ready_ahead > 0, "the next segment is made before it is needed");
        assert!(segments > 0, "a log has a segment");
        // A log that ends with its last segment goes on in the next one.
        assert!(current <= segments, "a log ends in a segment that is there, or right behind it");
        Self {
            ready_ahead,
            segments,
            current,
            current_since_ns: now_ns,
            in_hurry: false,
            is_full: false,
            retry_ns: 0,
            hint,
            hint_since_ns: now_ns,
            written: hint,
            newer_since_ns: now_ns,
            under_way: None,
            ending: false,
        }
    }

    /// How many segments a log of that layout should have ready.
    #[must_use]
    pub const fn ready_ahead(layout: Layout) -> u64 {
        let for_bytes = READY_BYTES.div_ceil(layout.segment_bytes);
        if for_bytes > READY_SEGMENTS { for_bytes } else { READY_SEGMENTS }
    }

    /// The writer has begun to use a segment.
    ///
    /// # Panics
    /// If it isn't there.
    pub fn handle_begun(&mut self, segment: u64, begun_ns: u64) {
        assert!(segment < self.segments, "only a segment that is there is used");
        if segment > self.current {
            self.in_hurry = begun_ns.saturating_sub(self.current_since_ns) < HURRY_BELOW_NS;
            self.current = segment;
            self.current_since_ns = begun_ns;
        }
    }

    /// The log is committed so far.
    ///
    /// # Panics
    /// If it was further before.
    pub fn handle_committed(&mut self, hint: CommitHint, now_ns: u64) {
        assert!(hint >= self.hint, "what is committed stays committed");
        if hint == self.hint {
            return;
        }
        if self.hint == self.written {
            self.newer_since_ns = now_ns;
        }
        self.hint = hint;
        self.hint_since_ns = now_ns;
    }

    /// Nothing more comes: what is committed now is the last word.
    pub const fn handle_end(&mut self) {
        self.ending = true;
    }

    /// The hint asked for is written, or isn't.
    ///
    /// # Errors
    /// If it isn't: it must not be tried again.
    ///
    /// # Panics
    /// If none was asked for.
    pub fn handle_hinted(
        &mut self,
        result: io::Result<()>,
        now_ns: u64,
    ) -> Result<(), KeeperFailed> {
        let Some(KeeperAction::Hint(hint)) = self.under_way.take() else {
            unreachable!("a hint is written after it was asked for")
        };
        result.map_err(KeeperFailed::Hint)?;
        assert!(hint > self.written, "each hint says more than the one before");
        assert!(hint <= self.hint, "the file never says more than is committed");
        self.written = hint;
        self.newer_since_ns = now_ns;
        Ok(())
    }

    /// The segment asked for is made, or isn't.
    ///
    /// # Errors
    /// If waiting won't help.
    ///
    /// # Panics
    /// If none was asked for.
    pub fn handle_prepared(
        &mut self,
        result: io::Result<()>,
        now_ns: u64,
    ) -> Result<(), KeeperFailed> {
        let Some(KeeperAction::Prepare { segment, .. }) = self.under_way.take() else {
            unreachable!("a segment is made after it was asked for")
        };
        assert_eq!(segment, self.segments, "segments are made in their order");
        match result {
            Ok(()) => {
                self.segments = segment + 1;
                self.is_full = false;
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.is_full = true;
                self.retry_ns = now_ns + REST_NS;
                Ok(())
            }
            Err(source) => Err(KeeperFailed::Prepare { segment, source }),
        }
    }

    /// What is to be done now. Nothing, while something is under way.
    pub fn poll_action(&mut self, now_ns: u64) -> Option<KeeperAction> {
        if self.under_way.is_some() {
            return None;
        }
        assert!(self.written <= self.hint, "the file never says more than is committed");
        self.under_way = if self.is_hint_due(now_ns) {
            Some(KeeperAction::Hint(self.hint))
        } else if self.wants_segment() && now_ns >= self.retry_ns {
            Some(KeeperAction::Prepare { segment: self.segments, in_hurry: self.in_hurry })
        } else {
            None
        };
        let is_last = matches!(self.under_way, Some(KeeperAction::Prepare { .. }));
        assert!(!(is_last && self.ending), "no segment is made at the end");
        self.under_way
    }

    fn is_hint_due(&self, now_ns: u64) -> bool {
        let rests = now_ns.saturating_sub(self.hint_since_ns) >= REST_NS;
        let overdue = now_ns.saturating_sub(self.newer_since_ns) >= HINT_EVERY_NS;
        self.hint != self.written && (rests || overdue || self.ending)
    }

    const fn wants_segment(&self) -> bool {
        !self.ending && self.segments <= self.current + self.ready_ahead
    }

    /// Whether the end was asked for and the last word is written.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ending && self.under_way.is_none() && self.hint == self.written
    }

    /// Segments that are there.
    #[must_use]
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// Whether the last try to make a segment found no space.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }
}

/// Whether there may be room later: the disk or a quota is full.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Op;
    use crate::log::position::{Epoch, Position};

    const SECOND: u64 = 1_000_000_000;

    fn hint(op: u64) -> CommitHint {
        CommitHint { committed: Position(op * 4096), op: Op(op), epoch: Epoch(1) }
    }

    fn keeper() -> KeeperMachine {
        KeeperMachine::new(2, 1, 0, hint(1), 0)
    }

    fn prepare(segment: u64, in_hurry: bool) -> Option<KeeperAction> {
        Some(KeeperAction::Prepare { segment, in_hurry })
    }

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    #[test]
    fn small_segments_are_kept_ready_in_numbers() {
        let ahead = |mib: u64| KeeperMachine::ready_ahead(Layout { segment_bytes: mib << 20 });
        assert_eq!([4, 5, 8, 12, 64, 1024].map(ahead), [6, 5, 3, 2, 2, 2]);
    }

    #[test]
    fn segments_are_ready_ahead_one_after_the_other() {
        let mut keeper = keeper();
        assert_eq!(keeper.poll_action(0), prepare(1, false));
        assert_eq!(keeper.poll_action(0), None, "one thing at a time");
        keeper.handle_prepared(Ok(()), 5).unwrap();
        assert_eq!(keeper.poll_action(5), prepare(2, false));
        keeper.handle_prepared(Ok(()), 9).unwrap();
        assert_eq!((keeper.poll_action(9), keeper.segments()), (None, 3));
        keeper.handle_begun(1, 3 * SECOND);
        assert_eq!(keeper.poll_action(3 * SECOND), prepare(3, false), "there is time");
        keeper.handle_prepared(Ok(()), 3 * SECOND).unwrap();
        keeper.handle_begun(2, 4 * SECOND);
        assert_eq!(keeper.poll_action(4 * SECOND), prepare(4, true), "there is none");
    }

    #[test]
    fn a_full_disk_is_tried_again_and_forgotten_when_it_has_room() {
        let mut keeper = keeper();
        for round in 0..3 {
            assert_eq!(keeper.poll_action(round * REST_NS), prepare(1, false));
            keeper.handle_prepared(Err(full()), round * REST_NS).unwrap();
            assert!(keeper.is_full());
            assert_eq!(keeper.poll_action(round * REST_NS + REST_NS - 1), None);
        }
        assert_eq!(keeper.poll_action(3 * REST_NS), prepare(1, false));
        keeper.handle_prepared(Ok(()), 3 * REST_NS).unwrap();
        assert!(!keeper.is_full());
        assert_eq!(keeper.poll_action(3 * REST_NS), prepare(2, false));
    }

    #[test]
    fn only_a_lack_of_room_is_waited_for() {
        use rustix::io::Errno;
        let outcome = |errno: Errno| {
            let mut keeper = keeper();
            keeper.poll_action(0);
            keeper.handle_prepared(Err(io::Error::from_raw_os_error(errno.raw_os_error())), 0)
        };
        assert!(outcome(Errno::NOSPC).is_ok() && outcome(Errno::DQUOT).is_ok());
        for errno in [Errno::IO, Errno::ROFS, Errno::NOENT, Errno::FBIG] {
            assert!(outcome(errno).unwrap_err().to_string().starts_with("segment 1 can't be made"));
        }
    }

    #[test]
    fn a_hint_is_written_when_the_log_rests_and_now_and_then() {
        let mut keeper = KeeperMachine::new(1, 9, 0, hint(1), 0);
        assert_eq!(keeper.poll_action(9 * SECOND), None, "nothing new");
        keeper.handle_committed(hint(3), 9 * SECOND + 1);
        assert_eq!(keeper.poll_action(9 * SECOND + REST_NS), None);
        keeper.handle_committed(hint(3), 9 * SECOND + REST_NS);
        let rested = 9 * SECOND + REST_NS + 1;
        assert_eq!(keeper.poll_action(rested), Some(KeeperAction::Hint(hint(3))));
        keeper.handle_hinted(Ok(()), rested).unwrap();
        let begun = 20 * SECOND;
        for step in 0..10 {
            keeper.handle_committed(hint(4 + step), begun + step * REST_NS);
            assert_eq!(keeper.poll_action(begun + step * REST_NS), None, "it is at work");
        }
        keeper.handle_committed(hint(20), begun + SECOND);
        assert_eq!(keeper.poll_action(begun + SECOND), Some(KeeperAction::Hint(hint(20))));
    }

    #[test]
    fn the_end_is_the_last_hint_and_no_more_segments() {
        let mut keeper = keeper();
        keeper.handle_committed(hint(7), 1);
        keeper.handle_end();
        assert!(!keeper.is_over());
        assert_eq!(keeper.poll_action(2), Some(KeeperAction::Hint(hint(7))));
        assert!(!keeper.is_over(), "it is not written yet");
        keeper.handle_hinted(Ok(()), 3).unwrap();
        assert!(keeper.is_over());
        assert_eq!(keeper.poll_action(3), None);
    }

    #[test]
    fn a_hint_that_fails_is_the_end() {
        let mut keeper = keeper();
        keeper.handle_committed(hint(2), 0);
        assert_eq!(keeper.poll_action(SECOND), Some(KeeperAction::Hint(hint(2))));
        let failed = keeper.handle_hinted(Err(io::ErrorKind::StorageFull.into()), SECOND);
        assert!(matches!(failed, Err(KeeperFailed::Hint(_))), "even for want of room");
    }

    #[test]
    #[should_panic(expected = "what is committed stays committed")]
    fn the_log_never_shrinks() {
        keeper().handle_committed(hint(0), 1);
    }
}
