//! The shape of a frame: which bytes are where, as a function of its kind and counts.
//!
//! ```text
//! 0        256                                                     frame_bytes
//! │ header │ entries │ requests │ amendments │ refusals │ history │ 0… │ CRCs │ trailer │
//! ```
//! Each section starts at a multiple of 16. Block `i` is the bytes `8192 i … 8192 (i + 1)` of the
//! frame, less the header at its start and the CRC table and trailer at its end. So everything
//! is under a checksum, the padding too.

use crate::io::{to_u64, to_usize};
use crate::log::position::Position;
use crate::{checksum, limits};

/// Version of the bytes of the log. A log with another one is refused.
pub const FORMAT_VERSION: u16 = 1;

/// Frames start at and are padded to multiples of this: no two frames share a disk block or page.
pub const FRAME_ALIGNMENT: u64 = 4096;

/// Bytes of a frame's header.
pub const FRAME_HEADER_BYTES: u64 = 256;

/// Bytes of a frame's trailer.
pub(crate) const TRAILER_BYTES: usize = 64;

/// The largest frame: a full batch of transfers in which each side of each has history.
pub const FRAME_BYTES_MAX: u64 = FrameCounts {
    entries: EVENTS_MAX,
    requests: EVENTS_MAX,
    amendments: EVENTS_MAX,
    refusals: EVENTS_MAX,
    history: 2 * EVENTS_MAX,
}
.shape(FrameKind::CreateTransfers)
.frame_bytes;

#[expect(clippy::cast_possible_truncation, reason = "asserted below")]
const EVENTS_MAX: u32 = limits::EVENTS_PER_BATCH_MAX as u32;

const _: () = assert!(limits::EVENTS_PER_BATCH_MAX < u16::MAX as usize);
const _: () = assert!(FRAME_BYTES_MAX + 4096 <= limits::SEGMENT_BYTES_MIN);

pub(super) const REQUEST_BYTES: u64 = 4;
pub(super) const AMENDMENT_BYTES: u64 = 32;
pub(super) const REFUSAL_BYTES: u64 = 8;
pub(super) const HISTORY_BYTES: u64 = 80;

/// What a frame records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum FrameKind {
    /// The configuration of the cluster; the first frame of a log.
    Genesis = 1,
    /// A batch of accounts.
    CreateAccounts = 2,
    /// A batch of transfers.
    CreateTransfers = 3,
    /// Transfer ids that may never be used.
    Fence = 4,
    /// Holds whose time is over.
    Expire = 5,
    /// A new reign over the log begins.
    Epoch = 6,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Genesis,
        Self::CreateAccounts,
        Self::CreateTransfers,
        Self::Fence,
        Self::Expire,
        Self::Epoch,
    ];

    /// The number in the header.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The kind with that number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name, as tools print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::CreateAccounts => "create_accounts",
            Self::CreateTransfers => "create_transfers",
            Self::Fence => "fence",
            Self::Expire => "expire",
            Self::Epoch => "epoch",
        }
    }

    /// Bytes of one entry.
    #[must_use]
    pub const fn entry_bytes(self) -> u64 {
        match self {
            Self::Genesis | Self::CreateAccounts => 128,
            Self::CreateTransfers => 144,
            Self::Fence | Self::Expire => 16,
            Self::Epoch => 64,
        }
    }
}

/// The position of an entry, given that of its frame.
#[must_use]
pub const fn entry_position(frame: Position, kind: FrameKind, index: u16) -> Position {
    Position(frame.0 + FRAME_HEADER_BYTES + index as u64 * kind.entry_bytes())
}

/// How many of each thing a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Events, or ids, or the one entry of a genesis or epoch frame.
    pub entries: u32,
    /// Requests that share the batch.
    pub requests: u32,
    /// Created events whose stored record differs from what was received.
    pub amendments: u32,
    /// Events that are not `created`.
    pub refusals: u32,
    /// Balances after a transfer, of accounts that keep history.
    pub history: u32,
}

impl FrameCounts {
    /// Where everything is in a frame with these counts.
    pub(crate) const fn shape(self, kind: FrameKind) -> Shape {
        let requests = FRAME_HEADER_BYTES + self.entries as u64 * kind.entry_bytes();
        let amendments = align16(requests + self.requests as u64 * REQUEST_BYTES);
        let refusals = amendments + self.amendments as u64 * AMENDMENT_BYTES;
        let history = align16(refusals + self.refusals as u64 * REFUSAL_BYTES);
        let content_end = history + self.history as u64 * HISTORY_BYTES;
        let mut frame_bytes = content_end.next_multiple_of(FRAME_ALIGNMENT);
        while content_end + tail_bytes(frame_bytes) > frame_bytes {
            frame_bytes += FRAME_ALIGNMENT;
        }
        Shape { requests, amendments, refusals, history, content_end, frame_bytes }
    }
}

/// Where the parts of a frame are. Offsets in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) requests: u64,
    pub(super) amendments: u64,
    pub(super) refusals: u64,
    pub(super) history: u64,
    /// The end of the last section; from here to the CRC table everything is 0.
    pub(crate) content_end: u64,
    /// The whole frame, padding included.
    pub(crate) frame_bytes: u64,
}

impl Shape {
    pub(crate) const fn tail(&self) -> Tail {
        Tail::of(self.frame_bytes)
    }
}

/// The end of a frame, which follows from its size alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// Where the table of block CRCs starts; what the blocks cover ends here.
    pub(crate) table: usize,
    /// Where the trailer starts.
    pub(crate) trailer: usize,
    /// Number of blocks.
    pub(crate) blocks: usize,
}

impl Tail {
    pub(crate) const fn of(frame_bytes: u64) -> Self {
        let frame_bytes = to_usize(frame_bytes);
        let blocks = frame_bytes.div_ceil(checksum::BLOCK_BYTES);
        let trailer = frame_bytes - TRAILER_BYTES;
        Self { table: trailer - 4 * blocks, trailer, blocks }
    }

    /// The bytes under the CRC of block `index`.
    pub(crate) fn block(&self, index: usize) -> std::ops::Range<usize> {
        let start = (index * checksum::BLOCK_BYTES).max(to_usize(FRAME_HEADER_BYTES));
        let end = ((index + 1) * checksum::BLOCK_BYTES).min(self.table);
        start.min(end)..end
    }
}

const fn tail_bytes(frame_bytes: u64) -> u64 {
    let blocks = frame_bytes.div_ceil(to_u64(checksum::BLOCK_BYTES));
    to_u64(TRAILER_BYTES) + 4 * blocks
}

const fn align16(offset: u64) -> u64 {
    offset.next_multiple_of(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_any_frame_cover_everything_but_header_and_tail() {
        for pages in 1..=FRAME_BYTES_MAX / FRAME_ALIGNMENT {
            let tail = Tail::of(pages * FRAME_ALIGNMENT);
            let mut next = to_usize(FRAME_HEADER_BYTES);
            for index in 0..tail.blocks {
                let block = tail.block(index);
                assert_eq!(block.start, next);
                assert!(block.len() <= checksum::BLOCK_BYTES);
                next = block.end;
            }
            assert_eq!(next, tail.table, "a frame of {pages} pages");
        }
    }

    #[test]
    fn a_full_batch_of_plain_transfers_stays_below_150_bytes_each() {
        let counts = FrameCounts { entries: 8_189, requests: 1, ..FrameCounts::default() };
        let shape = counts.shape(FrameKind::CreateTransfers);
        assert!(shape.frame_bytes < 8_189 * 145);
        assert_eq!(shape.requests, 256 + 8_189 * 144);
        assert_eq!(shape.content_end % 16, 0);
    }

    #[test]
    fn one_small_entry_fits_one_page() {
        for kind in FrameKind::ALL {
            let counts = FrameCounts { entries: 1, requests: 1, ..FrameCounts::default() };
            assert_eq!(counts.shape(kind).frame_bytes, FRAME_ALIGNMENT);
            assert_eq!(FrameKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(FrameKind::from_code(0), None);
        assert_eq!(FrameKind::from_code(7), None);
    }
}
