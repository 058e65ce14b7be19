//! The shape of a frame: which bytes are where, as a function of its kind and counts.
//!
//! ```text
//! 0        256                                                             frame_bytes
//! │ header │ entries │ requests │ amendments │ refusals │ history │ notes │ 0… │ CRCs │ trailer │
//! ```
//! Version 1 has 4 bytes for each request instead of 16, no notes and no commands. Each section starts
//! at a multiple of 16. Block `i` is the bytes `8192 i … 8192 (i + 1)` of the
//! frame, less the header at its start and the CRC table and trailer at its end. So everything
//! is under a checksum, the padding too.

use crate::io::{to_u64, to_usize};
use crate::log::position::Position;
use crate::{checksum, limits};

/// The version of frames that this program writes.
pub const FORMAT_VERSION: u16 = FrameVersion::CURRENT.code();

/// The versions of a frame's bytes that this program reads. A log begins with frames of one version
/// and may go on with later ones, never with earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum FrameVersion {
    /// A request is its number of events and nothing more.
    One = 1,
    /// A request knows its principal; there are commands, notes, and a rule of commitment.
    Two = 2,
}

impl FrameVersion {
    /// What is written.
    pub const CURRENT: Self = Self::Two;

    /// The number in the header.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The version with that number.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    /// Bytes of one request in the section of requests.
    pub(super) const fn request_bytes(self) -> u64 {
        match self {
            Self::One => 4,
            Self::Two => REQUEST_BYTES,
        }
    }
}

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
    note_bytes: 0,
}
.shape(FrameVersion::CURRENT, FrameKind::CreateTransfers)
.frame_bytes;

/// The notes of one frame: text of commands, which are few. Such a frame stays smaller than the largest.
pub const NOTE_BYTES_MAX: u32 = 64 << 10;

#[expect(clippy::cast_possible_truncation, reason = "asserted below")]
const EVENTS_MAX: u32 = limits::EVENTS_PER_BATCH_MAX as u32;

const _: () = assert!(limits::EVENTS_PER_BATCH_MAX < u16::MAX as usize);
const _: () = assert!(FRAME_BYTES_MAX + 4096 <= limits::SEGMENT_BYTES_MIN);

pub(super) const REQUEST_BYTES: u64 = 16;
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
    /// What operators decided. Since version 2.
    Command = 7,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Genesis,
        Self::CreateAccounts,
        Self::CreateTransfers,
        Self::Fence,
        Self::Expire,
        Self::Epoch,
        Self::Command,
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

    /// The first version of frames that knows it.
    #[must_use]
    pub const fn since(self) -> FrameVersion {
        match self {
            Self::Command => FrameVersion::Two,
            Self::Genesis
            | Self::CreateAccounts
            | Self::CreateTransfers
            | Self::Fence
            | Self::Expire
            | Self::Epoch => FrameVersion::One,
        }
    }

    /// Whether its frames may have notes.
    #[must_use]
    pub const fn has_notes(self) -> bool {
        matches!(self, Self::Command)
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
            Self::Command => "command",
        }
    }

    /// Bytes of one entry.
    #[must_use]
    pub const fn entry_bytes(self) -> u64 {
        match self {
            Self::Genesis | Self::CreateAccounts => 128,
            Self::CreateTransfers => 144,
            Self::Fence | Self::Expire => 16,
            Self::Epoch | Self::Command => 64,
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
    /// Bytes of the notes.
    pub note_bytes: u32,
}

impl FrameCounts {
    /// Where everything is in a frame with these counts.
    pub(crate) const fn shape(self, version: FrameVersion, kind: FrameKind) -> Shape {
        let requests = FRAME_HEADER_BYTES + self.entries as u64 * kind.entry_bytes();
        let amendments = align16(requests + self.requests as u64 * version.request_bytes());
        let refusals = amendments + self.amendments as u64 * AMENDMENT_BYTES;
        let history = align16(refusals + self.refusals as u64 * REFUSAL_BYTES);
        let notes = history + self.history as u64 * HISTORY_BYTES;
        let content_end = align16(notes + self.note_bytes as u64);
        let mut frame_bytes = content_end.next_multiple_of(FRAME_ALIGNMENT);
        while content_end + tail_bytes(frame_bytes) > frame_bytes {
            frame_bytes += FRAME_ALIGNMENT;
        }
        Shape { requests, amendments, refusals, history, notes, content_end, frame_bytes }
    }
}

/// Where the parts of a frame are. Offsets in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) requests: u64,
    pub(super) amendments: u64,
    pub(super) refusals: u64,
    pub(super) history: u64,
    pub(super) notes: u64,
    /// The end of the last section; from here to the CRC table everything is 0.
    pub(crate) content_end: u64,
    /// The whole frame, padding included.
    pub(crate) frame_bytes: u64,
}

impl Shape {
    /// Where the rows of the requests are.
    pub(super) const fn requests_range(
        &self,
        version: FrameVersion,
        counts: FrameCounts,
    ) -> std::ops::Range<usize> {
        let bytes = counts.requests as u64 * version.request_bytes();
        to_usize(self.requests)..to_usize(self.requests + bytes)
    }

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
        let shape = counts.shape(FrameVersion::CURRENT, FrameKind::CreateTransfers);
        assert!(shape.frame_bytes < 8_189 * 145);
        assert_eq!(shape.requests, 256 + 8_189 * 144);
        assert_eq!(shape.content_end % 16, 0);
    }

    #[test]
    fn one_small_entry_fits_one_page() {
        for kind in FrameKind::ALL {
            let counts = FrameCounts { entries: 1, requests: 1, ..FrameCounts::default() };
            assert_eq!(counts.shape(kind.since(), kind).frame_bytes, FRAME_ALIGNMENT);
            assert_eq!(counts.shape(FrameVersion::CURRENT, kind).frame_bytes, FRAME_ALIGNMENT);
            assert_eq!(FrameKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(FrameKind::from_code(0), None);
        assert_eq!(FrameKind::from_code(8), None);
        for version in [FrameVersion::One, FrameVersion::Two] {
            assert_eq!(FrameVersion::from_code(version.code()), Some(version));
        }
        assert_eq!(FrameVersion::from_code(FORMAT_VERSION + 1), None);
    }
}
