//! Positions in the log, and where a frame goes.
//!
//! A position is a byte offset in the logical log: `segment number × segment bytes + offset`. The
//! place of a frame follows from the end of the one before and its size alone, so that the engine
//! can know positions long before anything is written.

use crate::limits;

/// Bytes at the start of each segment that hold its header.
pub const SEGMENT_HEADER_BYTES: u64 = 4096;

/// Size of a segment unless the cluster was initialized with another.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// A byte offset in the logical log. 0 lies in the first segment's header and stands for "none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// The reign of one writer of the log; each start after damage or a fail-over begins a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Position {
    /// No position.
    pub const NONE: Self = Self(0);

    /// Whether this stands for "none".
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The position `bytes` further on.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How the log is cut into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Size of each segment in bytes, its header included.
    pub segment_bytes: u64,
}

impl Default for Layout {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT }
    }
}

impl Layout {
    /// A layout, if `segment_bytes` is a multiple of 4 KiB within the limits.
    #[must_use]
    pub const fn new(segment_bytes: u64) -> Option<Self> {
        if Self::is_sound(segment_bytes) && segment_bytes >= limits::SEGMENT_BYTES_MIN {
            Some(Self { segment_bytes })
        } else {
            None
        }
    }

    /// Whether a log could have such segments at all. Tests use smaller ones than a cluster may.
    pub(crate) const fn is_sound(segment_bytes: u64) -> bool {
        segment_bytes.is_multiple_of(SEGMENT_HEADER_BYTES)
            && segment_bytes > SEGMENT_HEADER_BYTES
            && segment_bytes <= limits::SEGMENT_BYTES_MAX
    }

    /// Where the first frame of the log stands.
    #[must_use]
    pub const fn first(&self) -> Position {
        Position(SEGMENT_HEADER_BYTES)
    }

    /// Where a frame of `frame_bytes` goes when the one before it ends at `end`: right there if the
    /// segment still holds it, else at the start of the next segment.
    #[must_use]
    pub const fn place(&self, end: Position, frame_bytes: u64) -> Position {
        assert!(frame_bytes <= self.segment_bytes - SEGMENT_HEADER_BYTES, "frames fit a segment");
        let offset = self.offset_in_segment(end);
        if offset >= SEGMENT_HEADER_BYTES && offset + frame_bytes <= self.segment_bytes {
            return end;
        }
        if offset < SEGMENT_HEADER_BYTES {
            // The end of a full segment is the start of the next one's header.
            return self.start_of_frames(self.segment_of(end));
        }
        self.start_of_frames(self.segment_of(end) + 1)
    }

    /// The segment that holds `position`.
    #[must_use]
    pub const fn segment_of(&self, position: Position) -> u64 {
        position.0 / self.segment_bytes
    }

    /// The offset of `position` in its segment's file.
    #[must_use]
    pub const fn offset_in_segment(&self, position: Position) -> u64 {
        position.0 % self.segment_bytes
    }

    /// The position of the first byte of a segment, which is its header.
    #[must_use]
    pub const fn start_of_segment(&self, segment: u64) -> Position {
        Position(segment * self.segment_bytes)
    }

    /// The position of the first frame of a segment.
    #[must_use]
    pub const fn start_of_frames(&self, segment: u64) -> Position {
        Position(segment * self.segment_bytes + SEGMENT_HEADER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { segment_bytes: limits::SEGMENT_BYTES_MIN };

    #[test]
    fn a_frame_follows_the_one_before_until_the_segment_is_full() {
        let first = LAYOUT.first();
        assert_eq!(LAYOUT.place(first, 4096), first);
        assert_eq!(LAYOUT.place(first.plus(4096), 8192), first.plus(4096));
        let rest = LAYOUT.segment_bytes - SEGMENT_HEADER_BYTES - 4096;
        assert_eq!(LAYOUT.place(first.plus(4096), rest), first.plus(4096));
        assert_eq!(LAYOUT.place(first.plus(4096), rest + 4096), LAYOUT.start_of_frames(1));
    }

    #[test]
    fn a_full_segment_ends_where_the_next_header_starts() {
        let end = LAYOUT.start_of_segment(1);
        assert_eq!(LAYOUT.offset_in_segment(end), 0);
        assert_eq!(LAYOUT.place(end, 4096), LAYOUT.start_of_frames(1));
    }

    #[test]
    fn a_layout_keeps_to_the_limits() {
        assert!(Layout::new(limits::SEGMENT_BYTES_MIN).is_some());
        assert!(Layout::new(limits::SEGMENT_BYTES_MIN + 1).is_none());
        assert!(Layout::new(limits::SEGMENT_BYTES_MIN - 4096).is_none());
        assert!(Layout::new(limits::SEGMENT_BYTES_MAX + 4096).is_none());
        assert!(Layout::new(SEGMENT_BYTES_DEFAULT).is_some());
    }
}
