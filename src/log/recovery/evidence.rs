//! Gathering what the decision rests on: the shape of the first bytes without a next frame, and all
//! that stands behind them.

use crate::io::{Storage, to_u64};
use crate::log::frame::{
    FRAME_ALIGNMENT, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameError, FrameHeader, is_torn,
};
use crate::log::group::IN_FLIGHT_BYTES_MAX;
use crate::log::position::Position;
use crate::log::reader::{Chunk, LogIdentity, LogReader, ReadError, Stop};

use super::table::{Beyond, Shape};

/// How far behind a hole the remains of a crash can lie: all that may be in flight, and the end of a
/// segment that was left because the next frame didn't fit.
const WINDOW_BYTES: u64 = IN_FLIGHT_BYTES_MAX + FRAME_BYTES_MAX + FRAME_ALIGNMENT;

/// Bytes of one segment that aren't 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remains {
    /// Where to start: the cut, or the first frame of a later segment.
    pub(super) start: Position,
    /// After the last byte that isn't 0, rounded up to whole pages.
    pub(super) end: Position,
}

/// What was found from the first position without a next frame on.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) shape: Shape,
    pub(super) beyond: Beyond,
    /// The highest committed position that a later frame knows.
    pub(super) committed: Position,
    pub(super) remains: Vec<Remains>,
}

pub(super) fn gather<S: Storage>(reader: &LogReader<S>, stop: Stop) -> Evidence {
    let layout = reader.identity().layout;
    let cut = reader.progress().end;
    let shape = match shape(reader, stop) {
        Ok(shape) => shape,
        Err(_) => return unreadable(Shape::Altered),
    };
    let mut evidence =
        Evidence { shape, beyond: Beyond::Nothing, committed: Position::NONE, remains: Vec::new() };
    let first = layout.segment_of(layout.place(cut, FRAME_HEADER_BYTES));
    for segment in first..reader.segments() {
        let from = cut.max(layout.start_of_frames(segment));
        match scan(reader, segment, from, &mut evidence) {
            Ok(Some(remains)) => evidence.remains.push(remains),
            Ok(None) => {}
            Err(_) => return unreadable(shape),
        }
    }
    if let Some(last) = evidence.remains.last() {
        let reach = last.end.0 - cut.0;
        evidence.beyond = if reach <= WINDOW_BYTES { Beyond::InFlight } else { Beyond::TooFar };
    }
    evidence
}

const fn unreadable(shape: Shape) -> Evidence {
    Evidence { shape, beyond: Beyond::Unreadable, committed: Position::NONE, remains: Vec::new() }
}

/// Looks for bytes that aren't 0 and for frames that know of a committed position, whole or not, from
/// `from` to the end of its segment.
fn scan<S: Storage>(
    reader: &LogReader<S>,
    segment: u64,
    from: Position,
    evidence: &mut Evidence,
) -> Result<Option<Remains>, ReadError> {
    let layout = reader.identity().layout;
    let end = layout.start_of_segment(segment + 1);
    let mut chunk = Chunk::open(reader.storage(), segment)?;
    let mut last = None;
    let mut at = from;
    while at < end {
        let page = chunk.window(layout, at, FRAME_ALIGNMENT)?;
        if page.iter().any(|&byte| byte != 0) {
            last = Some(at.plus(to_u64(page.len())));
            if let Ok(header) = FrameHeader::parse(reader.identity().cluster, at, page) {
                evidence.committed = evidence.committed.max(header.committed);
            }
        }
        at = at.plus(FRAME_ALIGNMENT);
    }
    Ok(last.map(|end| Remains { start: from, end }))
}

/// What the bytes where the reader stopped look like.
fn shape<S: Storage>(reader: &LogReader<S>, stop: Stop) -> Result<Shape, ReadError> {
    let error = match stop {
        Stop::Discontinuous(_) => return Ok(Shape::Discontinuous),
        Stop::Frame(error) => error,
    };
    match error {
        FrameError::Unwritten => Ok(Shape::Unwritten),
        FrameError::Version(_) | FrameError::Kind(_) | FrameError::Rules(_) => Ok(Shape::Unknown),
        // A header lies in one sector: it is there as written, or not at all. The content of a frame
        // with right sums is as written, too.
        FrameError::Magic
        | FrameError::HeaderChecksum
        | FrameError::Fields
        | FrameError::Short
        | FrameError::Content => Ok(Shape::Altered),
        FrameError::Block(_) | FrameError::Trailer => {
            let LogIdentity { cluster, layout } = reader.identity();
            let at = reader.stop_position();
            let mut chunk = Chunk::open(reader.storage(), layout.segment_of(at))?;
            let head = chunk.window(layout, at, FRAME_HEADER_BYTES)?;
            let Ok(header) = FrameHeader::parse(cluster, at, head) else {
                return Ok(Shape::Altered);
            };
            let bytes = chunk.window(layout, at, header.frame_bytes)?;
            Ok(if is_torn(cluster, &header, bytes) { Shape::Torn } else { Shape::Altered })
        }
    }
}
