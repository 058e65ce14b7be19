//! The header of a frame: 256 bytes with their own CRC, in one disk sector.
//!
//! ```text
//!   0 │ magic "PARTITAf"                │ version │ kind    │ 0                 │
//!  16 │ position                        │ op                                    │
//!  32 │ epoch                           │ timestamp                             │
//!  48 │ committed                       │ frame_bytes       │ entries           │
//!  64 │ requests       │ amendments     │ refusals          │ history           │
//!  80 │ outcome_digest                  │ state_digest                          │
//!  96 │ previous_chain                                                          │
//! 112 │                                                                         │
//! 128 │ note_bytes     │ commit_rule    │ 0                                     │
//!     │ 0 …                                                                     │
//! 240 │ 0                                                   │ CRC of 0 … 252    │
//! ```
//! Both words at 128 are 0 in version 1, which is what they mean there.

use bytemuck::{Pod, Zeroable};

use crate::checksum;
use crate::ledger::{Op, Timestamp};
use crate::log::commit::CommitRule;
use crate::log::position::{Epoch, Position};

use super::error::FrameError;
use super::format::{
    FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameCounts, FrameKind, FrameVersion, NOTE_BYTES_MAX,
    Shape,
};

/// First bytes of every frame. A writer that stores into a mapping stores them last.
pub(crate) const FRAME_MAGIC: [u8; 8] = *b"PARTITAf";

/// The identity of a cluster. Its frames are invalid in any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClusterId(pub u128);

impl std::fmt::Display for ClusterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// BLAKE3 over everything the log says up to and with one frame, by way of the frames' CRCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainValue(pub [u8; 32]);

impl ChainValue {
    /// The value before the first frame.
    pub const START: Self = Self([0; 32]);
}

impl std::fmt::Display for ChainValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The header as it lies on the disk.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub(super) struct RawHeader {
    pub(super) magic: [u8; 8],
    pub(super) version: u16,
    pub(super) kind: u16,
    pub(super) reserved: u32,
    pub(super) position: u64,
    pub(super) op: u64,
    pub(super) epoch: u64,
    pub(super) timestamp: u64,
    pub(super) committed: u64,
    pub(super) frame_bytes: u32,
    pub(super) entries: u32,
    pub(super) requests: u32,
    pub(super) amendments: u32,
    pub(super) refusals: u32,
    pub(super) history: u32,
    pub(super) outcome_digest: u64,
    pub(super) state_digest: u64,
    pub(super) previous_chain: [u8; 32],
    pub(super) note_bytes: u32,
    pub(super) commit_rule: u32,
    pub(super) reserved_end: [u32; 29],
    pub(super) crc: u32,
}

pub(super) const RAW_HEADER_BYTES: usize = size_of::<RawHeader>();
const CRC_OFFSET: usize = RAW_HEADER_BYTES - 4;
const _: () = assert!(RAW_HEADER_BYTES as u64 == FRAME_HEADER_BYTES);
const _: () = assert!(std::mem::offset_of!(RawHeader, position) == 16);
const _: () = assert!(std::mem::offset_of!(RawHeader, frame_bytes) == 56);
const _: () = assert!(std::mem::offset_of!(RawHeader, outcome_digest) == 80);
const _: () = assert!(std::mem::offset_of!(RawHeader, previous_chain) == 96);
const _: () = assert!(std::mem::offset_of!(RawHeader, note_bytes) == 128);
const _: () = assert!(std::mem::offset_of!(RawHeader, commit_rule) == 132);
const _: () = assert!(std::mem::offset_of!(RawHeader, crc) == CRC_OFFSET);

/// What a header says, once it has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// By which version its bytes are laid out.
    pub version: FrameVersion,
    /// What the frame records.
    pub kind: FrameKind,
    /// Where it stands.
    pub position: Position,
    /// Its number.
    pub op: Op,
    /// The reign in which it was written.
    pub epoch: Epoch,
    /// The base of its events' timestamps.
    pub timestamp: Timestamp,
    /// Everything before this position was committed when the frame was written.
    pub committed: Position,
    /// By which rule it was.
    pub commit_rule: CommitRule,
    /// Its size, padding included.
    pub frame_bytes: u64,
    /// How much it holds.
    pub counts: FrameCounts,
    /// Digest of its outcomes.
    pub outcome_digest: u64,
    /// Digest of the state before it.
    pub state_digest: u64,
    /// The chain value of the frame before it.
    pub previous_chain: ChainValue,
}

impl FrameHeader {
    /// Where everything is in the frame.
    pub(crate) const fn shape(&self) -> Shape {
        self.counts.shape(self.version, self.kind)
    }

    /// Where the frame ends.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.position.plus(self.frame_bytes)
    }

    /// Reads and checks the first 256 bytes of what should be a frame at `position`.
    ///
    /// # Errors
    /// The first thing wrong with them.
    pub fn parse(cluster: ClusterId, position: Position, bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes = bytes.get(..RAW_HEADER_BYTES).ok_or(FrameError::Short)?;
        let raw: RawHeader = bytemuck::pod_read_unaligned(bytes);
        if raw.magic != FRAME_MAGIC {
            return Err(if raw.magic == [0; 8] {
                FrameError::Unwritten
            } else {
                FrameError::Magic
            });
        }
        // The sum comes before the version: rot in the version must not pass for a newer format.
        // That freezes the place of the header's CRC for all versions.
        let seed = seed(cluster, Epoch(raw.epoch), position);
        if checksum::block(seed, &bytes[..CRC_OFFSET]) != raw.crc {
            return Err(FrameError::HeaderChecksum);
        }
        let version =
            FrameVersion::from_code(raw.version).ok_or(FrameError::Version(raw.version))?;
        let kind = FrameKind::from_code(raw.kind)
            .filter(|kind| kind.since() <= version)
            .ok_or(FrameError::Kind(raw.kind))?;
        let header = Self {
            version,
            kind,
            position: Position(raw.position),
            op: Op(raw.op),
            epoch: Epoch(raw.epoch),
            timestamp: Timestamp(raw.timestamp),
            committed: Position(raw.committed),
            commit_rule: CommitRule::from_code(raw.commit_rule).ok_or(FrameError::Fields)?,
            frame_bytes: u64::from(raw.frame_bytes),
            counts: FrameCounts {
                entries: raw.entries,
                requests: raw.requests,
                amendments: raw.amendments,
                refusals: raw.refusals,
                history: raw.history,
                note_bytes: raw.note_bytes,
            },
            outcome_digest: raw.outcome_digest,
            state_digest: raw.state_digest,
            previous_chain: ChainValue(raw.previous_chain),
        };
        let is_reserved_used = raw.reserved != 0
            || raw.reserved_end.iter().any(|&word| word != 0)
            || (version == FrameVersion::One && (raw.note_bytes != 0 || raw.commit_rule != 0));
        if header.position != position || is_reserved_used || !header.is_sized() {
            return Err(FrameError::Fields);
        }
        Ok(header)
    }

    /// Whether its size is that of what it holds, and within the bounds.
    fn is_sized(&self) -> bool {
        let note_bytes_max = if self.kind.has_notes() { NOTE_BYTES_MAX } else { 0 };
        self.counts.note_bytes <= note_bytes_max
            && self.frame_bytes == self.shape().frame_bytes
            && self.frame_bytes <= FRAME_BYTES_MAX
    }

    pub(super) fn to_bytes(self, cluster: ClusterId) -> [u8; RAW_HEADER_BYTES] {
        let raw = RawHeader {
            magic: FRAME_MAGIC,
            version: self.version.code(),
            kind: self.kind.code(),
            reserved: 0,
            position: self.position.0,
            op: self.op.0,
            epoch: self.epoch.0,
            timestamp: self.timestamp.0,
            committed: self.committed.0,
            // A frame has at most FRAME_BYTES_MAX bytes, which the builder asserts.
            frame_bytes: u32::try_from(self.frame_bytes).unwrap_or(u32::MAX),
            entries: self.counts.entries,
            requests: self.counts.requests,
            amendments: self.counts.amendments,
            refusals: self.counts.refusals,
            history: self.counts.history,
            outcome_digest: self.outcome_digest,
            state_digest: self.state_digest,
            previous_chain: self.previous_chain.0,
            note_bytes: self.counts.note_bytes,
            commit_rule: self.commit_rule.code(),
            reserved_end: [0; 29],
            crc: 0,
        };
        let mut bytes: [u8; RAW_HEADER_BYTES] = bytemuck::cast(raw);
        let crc = checksum::block(seed(cluster, self.epoch, self.position), &bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// What all CRCs of a frame start from. The same bytes elsewhere, in another cluster or left over
/// from another epoch, don't check out.
pub(super) fn seed(cluster: ClusterId, epoch: Epoch, position: Position) -> u32 {
    let mut bytes = [0_u8; 32];
    bytes[..16].copy_from_slice(&cluster.0.to_le_bytes());
    bytes[16..24].copy_from_slice(&epoch.0.to_le_bytes());
    bytes[24..].copy_from_slice(&position.0.to_le_bytes());
    checksum::block(0, &bytes)
}
