//! Sealing: the one pass in which a frame is copied to where it is written from and gets its sums.
//!
//! The magic is stored last, so that a writer that dies while storing into a mapping leaves a place
//! that reads as unwritten and not one that reads as damaged.

use std::sync::atomic::{Ordering, compiler_fence};

use crate::checksum;
use crate::io::to_usize;
use crate::log::position::{Epoch, Position};

use super::builder::Frame;
use super::format::{FRAME_HEADER_BYTES, FrameVersion, TRAILER_BYTES, Tail};
use super::header::{ChainValue, ClusterId, FRAME_MAGIC, FrameHeader, RAW_HEADER_BYTES, seed};

/// Chains frames to each other. There is one per log, in the hands of its writer.
#[derive(Debug, Clone)]
pub struct Sealer {
    cluster: ClusterId,
    chain: ChainValue,
}

impl Sealer {
    /// Continues the chain of `cluster` after `chain`.
    #[must_use]
    pub const fn new(cluster: ClusterId, chain: ChainValue) -> Self {
        Self { cluster, chain }
    }

    /// The chain value of the last sealed frame.
    #[must_use]
    pub const fn chain(&self) -> ChainValue {
        self.chain
    }

    /// Writes the whole of `frame` into the first `frame_bytes` of `target`. Everything before
    /// `committed` is durable and acknowledged where the cluster's rules ask for it.
    ///
    /// # Panics
    /// If `target` is too small, or the frame of an old version.
    pub fn seal_into(&mut self, frame: &Frame, committed: Position, target: &mut [u8]) {
        let version = frame.header().version;
        assert_eq!(version, FrameVersion::CURRENT, "a log goes on in the newest version");
        self.seal_any(frame, committed, target);
    }

    pub(super) fn seal_any(&mut self, frame: &Frame, committed: Position, target: &mut [u8]) {
        let header = FrameHeader { committed, previous_chain: self.chain, ..*frame.header() };
        let target = &mut target[..to_usize(header.frame_bytes)];
        let tail = Tail::of(header.frame_bytes);
        let body = frame.body();
        let seed = seed(self.cluster, header.epoch, header.position);
        for index in 0..tail.blocks {
            let block = tail.block(index);
            let source = &body[block.clone()];
            let crc = checksum::block(seed, source);
            target[block].copy_from_slice(source);
            let entry = tail.table + 4 * index;
            target[entry..entry + 4].copy_from_slice(&crc.to_le_bytes());
        }
        let header_bytes = header.to_bytes(self.cluster);
        let table = &target[tail.table..tail.trailer];
        let content = &target[to_usize(FRAME_HEADER_BYTES)..tail.trailer];
        self.chain = chain_value(&header_bytes, content);
        let trailer = trailer_bytes(
            self.cluster,
            header.epoch,
            header.position,
            &header_bytes,
            table,
            self.chain,
        );
        target[tail.trailer..].copy_from_slice(&trailer);
        target[FRAME_MAGIC.len()..to_usize(FRAME_HEADER_BYTES)]
            .copy_from_slice(&header_bytes[FRAME_MAGIC.len()..]);
        // Keeps the compiler from storing the magic before anything else of the frame.
        compiler_fence(Ordering::SeqCst);
        target[..FRAME_MAGIC.len()].copy_from_slice(&FRAME_MAGIC);
    }
}

/// The chain value after a frame. Its header holds the value before; `content` is all that stands
/// between header and trailer, the table of sums included.
pub(super) fn chain_value(header: &[u8], content: &[u8]) -> ChainValue {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(content);
    ChainValue(*hasher.finalize().as_bytes())
}

/// ```text
/// 0       32      40    60          64
/// │ chain │ magic │ 0 … │ frame CRC │
/// ```
pub(super) fn trailer_bytes(
    cluster: ClusterId,
    epoch: Epoch,
    position: Position,
    header: &[u8; RAW_HEADER_BYTES],
    table: &[u8],
    chain: ChainValue,
) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0_u8; TRAILER_BYTES];
    trailer[..32].copy_from_slice(&chain.0);
    trailer[32..40].copy_from_slice(&TRAILER_MAGIC);
    let crc = checksum::block(seed(cluster, epoch, position), header);
    let crc = checksum::block(crc, table);
    let crc = checksum::block(crc, &trailer[..TRAILER_BYTES - 4]);
    trailer[TRAILER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    trailer
}

/// Stands in every trailer, so that the last sector of a whole frame is never all zero.
const TRAILER_MAGIC: [u8; 8] = *b"PARTITAe";
