//! Whether the log has room for what would be ordered next.
//!
//! A frame that is ordered must find its place on the disk, whatever happens: nothing can be taken
//! back then. So room is made first, as whole segments, and asked for before anything is ordered.

use super::frame::FRAME_BYTES_MAX;
use super::position::{Layout, Position, SEGMENT_HEADER_BYTES};

/// What the log says to whoever wants to order a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A frame of any size has its place in a segment that is there.
    Ready,
    /// The segment that it may need is being made.
    Awaited,
    /// The segment that it may need can't be made: the disk or a quota is full. It is tried again.
    Full,
}

impl Room {
    /// The room behind a log that ends at `end` and has that many segments, the next of which can't
    /// be made if the disk `is_full`.
    #[must_use]
    pub fn behind(layout: Layout, end: Position, segments: u64, is_full: bool) -> Self {
        // Of all frames the largest one leads furthest, wherever the log ends.
        assert!(layout.segment_bytes > SEGMENT_HEADER_BYTES, "a segment holds a frame");
        assert!(end.0 >= SEGMENT_HEADER_BYTES, "a log ends behind its first header");
        let most = FRAME_BYTES_MAX.min(layout.segment_bytes - SEGMENT_HEADER_BYTES);
        if layout.segment_of(layout.place(end, most)) < segments {
            Self::Ready
        } else if is_full {
            Self::Full
        } else {
            Self::Awaited
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEGMENT_BYTES_MIN;

    const LAYOUT: Layout = Layout { segment_bytes: SEGMENT_BYTES_MIN };

    #[test]
    fn there_is_room_exactly_while_the_largest_frame_has_a_place() {
        let last = Position(SEGMENT_BYTES_MIN - FRAME_BYTES_MAX);
        assert_eq!(Room::behind(LAYOUT, LAYOUT.first(), 1, true), Room::Ready);
        assert_eq!(Room::behind(LAYOUT, last, 1, false), Room::Ready);
        assert_eq!(Room::behind(LAYOUT, last.plus(4096), 1, false), Room::Awaited);
        assert_eq!(Room::behind(LAYOUT, last.plus(4096), 1, true), Room::Full);
        assert_eq!(Room::behind(LAYOUT, last.plus(4096), 2, true), Room::Ready);
        let end = LAYOUT.start_of_segment(1);
        assert_eq!(Room::behind(LAYOUT, end, 1, false), Room::Awaited);
        assert_eq!(Room::behind(LAYOUT, end, 2, false), Room::Ready);
    }

    #[test]
    fn whatever_is_placed_after_room_was_found_lies_in_a_segment_that_is_there() {
        for pages in 1..2 * SEGMENT_BYTES_MIN / 4096 {
            let end = Position(pages * 4096);
            for segments in 1..4 {
                if Room::behind(LAYOUT, end, segments, true) != Room::Ready {
                    continue;
                }
                for frame in [4096, FRAME_BYTES_MAX / 8192 * 4096, FRAME_BYTES_MAX] {
                    assert!(LAYOUT.segment_of(LAYOUT.place(end, frame)) < segments);
                }
            }
        }
    }
}
