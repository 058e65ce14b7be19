//! Writing frames: header and body contiguous in one buffer, so that one write sends many.

use bytemuck::{AnyBitPattern, NoUninit};

use super::header::{HEADER_BYTES, Header, MAGIC, VERSION, VERSION_FIXED};
use super::kind::{BODY_BYTES_MAX, Kind};

/// The fields of a header that its writer chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFields {
    /// What the frame is.
    pub kind: Kind,
    /// Flags of the operation.
    pub flags: u32,
    /// The request's own mark.
    pub correlation: u64,
    /// In a reply, the op that it reflects.
    pub op: u64,
    /// In a reply, the epoch of that op.
    pub epoch: u64,
}

impl FrameFields {
    /// A request without flags.
    #[must_use]
    pub const fn request(kind: Kind, correlation: u64) -> Self {
        Self { kind, flags: 0, correlation, op: 0, epoch: 0 }
    }
}

/// Leaves room for a header at the end of `out` and says where; the caller appends the body behind
/// it and then calls [`seal_frame`]. So a body can be written in place, without a copy.
#[must_use]
pub fn begin_frame(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    start
}

/// Completes the frame that [`begin_frame`] started at `start`: its body is the rest of `out`.
///
/// # Panics
/// When the body exceeds [`BODY_BYTES_MAX`] or `start` is not where a frame was begun: a bug of
/// the caller, who knows the bounds.
pub fn seal_frame(out: &mut [u8], start: usize, fields: FrameFields) {
    let (head, body) = out[start..].split_at_mut(HEADER_BYTES);
    let body_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
    assert!(body_bytes <= BODY_BYTES_MAX, "a {} of {} bytes", fields.kind, body.len());
    let header = Header {
        magic: MAGIC,
        version: if fields.kind.is_fixed() { VERSION_FIXED } else { VERSION },
        kind: fields.kind.code(),
        flags: fields.flags,
        body_bytes,
        correlation: fields.correlation,
        op: fields.op,
        epoch: fields.epoch,
        reserved: [0; 2],
        body_checksum: 0,
        header_checksum: 0,
    };
    head.copy_from_slice(bytemuck::bytes_of(&header.sealed(body)));
}

/// Appends a whole frame: one copy of the body and one pass of its checksum.
///
/// # Panics
/// As [`seal_frame`].
pub fn append_frame(out: &mut Vec<u8>, fields: FrameFields, body: &[u8]) {
    out.reserve(HEADER_BYTES + body.len());
    let start = begin_frame(out);
    out.extend_from_slice(body);
    seal_frame(out, start, fields);
}

/// Copies records out of a body that stands at any address.
pub(super) fn records<T: AnyBitPattern + NoUninit>(body: &[u8]) -> Vec<T> {
    match bytemuck::try_cast_slice(body) {
        Ok(aligned) => aligned.to_vec(),
        Err(_) => bytemuck::pod_collect_to_vec(body),
    }
}
