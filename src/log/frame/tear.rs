//! Telling a frame that never wholly arrived from one that was changed later.
//!
//! Segments are zero before they are written to. A disk loses writes by whole sectors, so where a
//! write is missing there is a sector of zeros. A damaged block without one was written and then
//! changed, which no crash does.

use crate::checksum;
use crate::io::to_usize;

use super::format::{FRAME_ALIGNMENT, Tail};
use super::header::{ChainValue, ClusterId, FrameHeader, RAW_HEADER_BYTES, seed};
use super::seal::trailer_bytes;

/// The unit in which a disk loses writes.
const SECTOR: usize = 512;

/// A page that was written back while its second part was still being stored ends with at least so
/// many zeros, more than stand in a row in any record that was created. Only a writer through a
/// mapping leaves such pages.
const PAGE_TAIL: usize = 128;

/// Whether what is wrong with a frame, whose header is whole, can be explained by parts of it that
/// are still 0. `bytes` is the frame as found.
pub(in crate::log) fn is_torn(cluster: ClusterId, header: &FrameHeader, bytes: &[u8]) -> bool {
    if bytes.len() < to_usize(header.frame_bytes) {
        return false;
    }
    let tail = Tail::of(header.frame_bytes);
    let seed = seed(cluster, header.epoch, header.position);
    let table = &bytes[tail.table..tail.trailer];
    let Some(header_bytes) = bytes.first_chunk::<RAW_HEADER_BYTES>() else {
        return false;
    };
    // The content may lack parts, so the chain value can't be computed; as it was stored it still
    // has to agree with the trailer's own sum.
    let Some(&stored) = bytes[tail.trailer..].first_chunk::<32>() else { return false };
    let chain = ChainValue(stored);
    let trailer = trailer_bytes(cluster, header.epoch, header.position, header_bytes, table, chain);
    if bytes[tail.trailer..] != trailer {
        // Nothing says which block is wrong. The sums themselves must be missing somewhere.
        return has_gap(bytes, tail.table, bytes.len());
    }
    // The sums are right, so they say which blocks are wrong: each must lack something.
    let content_end = to_usize(header.shape().content_end);
    let mut damaged = (0..tail.blocks)
        .map(|index| (tail.block(index), tail.table + 4 * index))
        .filter(|(block, entry)| {
            let sum = checksum::block(seed, &bytes[block.clone()]).to_le_bytes();
            sum != bytes[*entry..entry + 4]
        })
        .peekable();
    // If none is wrong, all bytes arrived, and still they contradict each other: that is no tear.
    damaged.peek().is_some()
        && damaged.all(|(block, _)| has_gap(bytes, block.start, block.end.min(content_end)))
}

/// Whether some sector that holds bytes of `start..end` is zero, or a page within it was cut short.
fn has_gap(bytes: &[u8], start: usize, end: usize) -> bool {
    let zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
    let page = to_usize(FRAME_ALIGNMENT);
    let sector_missing = (start / SECTOR..end.div_ceil(SECTOR))
        .any(|index| zero(&bytes[index * SECTOR..(index + 1) * SECTOR]));
    let page_cut_short = (start / page..end / page)
        .any(|index| zero(&bytes[(index + 1) * page - PAGE_TAIL..(index + 1) * page]));
    sector_missing || page_cut_short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Op, Timestamp, Transfer};
    use crate::log::frame::{
        ChainValue, FrameBuf, FrameBuilder, FrameKind, FramePool, FrameStart, FrameView, Links,
        Principal, RequestEntry, Sealer,
    };
    use crate::log::position::{Epoch, Position};

    const CLUSTER: ClusterId = ClusterId(3);
    const PLACE: Position = Position(4096);

    fn sealed(count: u16) -> FrameBuf {
        let start = FrameStart {
            kind: FrameKind::CreateTransfers,
            op: Op(1),
            timestamp: Timestamp(5),
            epoch: Epoch(1),
        };
        let mut builder = FrameBuilder::new(FramePool::new(1), start);
        for index in 0..count {
            let transfer = Transfer { id: 7, timestamp: 9, ..Transfer::default() };
            builder.push_transfer(&transfer, index, Links::default());
        }
        builder.push_request(RequestEntry::new(u32::from(count), Principal(3)));
        let frame = builder.finish(PLACE, 0, 0);
        let mut bytes = FrameBuf::new();
        bytes.resize(to_usize(frame.header().frame_bytes));
        Sealer::new(CLUSTER, ChainValue::START).seal_into(&frame, PLACE, bytes.bytes_mut());
        bytes
    }

    fn torn(bytes: &FrameBuf) -> bool {
        let header = FrameHeader::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
        is_torn(CLUSTER, &header, bytes.bytes())
    }

    #[test]
    fn a_missing_sector_is_a_tear_wherever_it_would_have_held_something() {
        let whole = sealed(100);
        let length = whole.bytes().len();
        for index in 1..length / SECTOR {
            let mut bytes = sealed(100);
            let sector = index * SECTOR..(index + 1) * SECTOR;
            if bytes.bytes()[sector.clone()].iter().all(|&byte| byte == 0) {
                continue;
            }
            bytes.bytes_mut()[sector].fill(0);
            assert!(FrameView::parse(CLUSTER, PLACE, bytes.bytes()).is_err());
            assert!(torn(&bytes), "sector {index}");
        }
    }

    #[test]
    fn a_flipped_bit_is_never_a_tear() {
        let mut bytes = sealed(100);
        for at in RAW_HEADER_BYTES..bytes.bytes().len() {
            bytes.bytes_mut()[at] ^= 1 << (at % 8);
            assert!(!torn(&bytes), "byte {at}");
            bytes.bytes_mut()[at] ^= 1 << (at % 8);
        }
    }

    #[test]
    fn a_frame_whose_sums_are_right_is_not_torn() {
        assert!(!torn(&sealed(100)));
    }

    #[test]
    fn a_tear_and_a_flip_together_are_not_a_tear() {
        let mut bytes = sealed(200);
        bytes.bytes_mut()[1024..2048].fill(0);
        assert!(torn(&bytes));
        bytes.bytes_mut()[10_000] ^= 1;
        assert!(!torn(&bytes), "the second block was changed");
    }

    #[test]
    fn a_page_that_was_stored_half_is_a_tear() {
        let mut bytes = sealed(100);
        bytes.bytes_mut()[4096 + 1000..8192].fill(0);
        assert!(torn(&bytes));
        let mut bytes = sealed(100);
        bytes.bytes_mut()[8192 - 140..8192].fill(0);
        assert!(torn(&bytes));
    }
}
