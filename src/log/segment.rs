//! Segments: files of one fixed size, each with a header of 4 KiB that says which part of which log
//! it holds. Bytes that no frame was written to are 0.

use bytemuck::{Pod, Zeroable};
use thiserror::Error;

use crate::checksum;
use crate::io::to_usize;

use super::frame::ClusterId;
use super::position::{Layout, Position, SEGMENT_HEADER_BYTES};

/// The subdirectory of the segments.
pub(crate) const LOG_DIRECTORY: &str = "log";

/// The version of a segment's header. The frames in it have a version of their own.
const SEGMENT_VERSION: u16 = 1;
const SEGMENT_SUFFIX: &str = ".segment";
const SEGMENT_MAGIC: [u8; 8] = *b"PARTITAs";

/// The name of a segment's file in the data directory.
#[must_use]
pub fn segment_name(segment: u64) -> String {
    format!("{LOG_DIRECTORY}/{segment:012}{SEGMENT_SUFFIX}")
}

/// The number of the segment whose file, within the log's directory, has this name.
pub(crate) fn segment_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT_SUFFIX)?;
    let all = digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all { digits.parse().ok() } else { None }
}

/// Why the first bytes of a segment are not those of the segment that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SegmentError {
    /// The bytes end before the header does.
    #[error("the segment's header is cut short")]
    Short,
    /// Not a segment.
    #[error("the first bytes are not those of a segment")]
    Magic,
    /// Not what was written.
    #[error("the checksum of the segment's header is wrong")]
    Checksum,
    /// A whole header of another format.
    #[error("format version {0} of the segment is not known")]
    Version(u16),
    /// A segment of another cluster.
    #[error("the segment belongs to cluster {0}")]
    Cluster(ClusterId),
    /// Another segment, or one of another size.
    #[error("the header is that of segment {0}, or of another segment size")]
    Place(u64),
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Whose log.
    pub cluster: ClusterId,
    /// Which part of it.
    pub segment: u64,
    /// Its size, this header included.
    pub segment_bytes: u64,
}

#[repr(C, align(16))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct RawSegmentHeader {
    magic: [u8; 8],
    version: u16,
    reserved: [u16; 3],
    cluster: u128,
    segment: u64,
    segment_bytes: u64,
    first_position: u64,
    reserved_end: [u32; 1],
    crc: u32,
}

const RAW_BYTES: usize = size_of::<RawSegmentHeader>();
const _: () = assert!(RAW_BYTES == 64);

impl SegmentHeader {
    /// Where the segment's first frame stands.
    #[must_use]
    pub const fn first_position(&self) -> Position {
        Layout { segment_bytes: self.segment_bytes }.start_of_frames(self.segment)
    }

    /// The whole header, padded with zeros.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut raw = RawSegmentHeader {
            magic: SEGMENT_MAGIC,
            version: SEGMENT_VERSION,
            reserved: [0; 3],
            cluster: self.cluster.0,
            segment: self.segment,
            segment_bytes: self.segment_bytes,
            first_position: self.first_position().0,
            reserved_end: [0; 1],
            crc: 0,
        };
        raw.crc = checksum::block(0, &bytemuck::bytes_of(&raw)[..RAW_BYTES - 4]);
        let mut bytes = vec![0_u8; to_usize(SEGMENT_HEADER_BYTES)];
        bytes[..RAW_BYTES].copy_from_slice(bytemuck::bytes_of(&raw));
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SegmentError> {
        let header = bytes.get(..to_usize(SEGMENT_HEADER_BYTES)).ok_or(SegmentError::Short)?;
        let (fields, rest) = header.split_at(RAW_BYTES);
        let raw: RawSegmentHeader = bytemuck::pod_read_unaligned(fields);
        if raw.magic != SEGMENT_MAGIC {
            return Err(SegmentError::Magic);
        }
        if checksum::block(0, &fields[..RAW_BYTES - 4]) != raw.crc {
            return Err(SegmentError::Checksum);
        }
        if raw.version != SEGMENT_VERSION {
            return Err(SegmentError::Version(raw.version));
        }
        let found = Self {
            cluster: ClusterId(raw.cluster),
            segment: raw.segment,
            segment_bytes: raw.segment_bytes,
        };
        let padding =
            raw.reserved == [0; 3] && raw.reserved_end == [0] && rest.iter().all(|&b| b == 0);
        if !padding {
            return Err(SegmentError::Checksum);
        }
        if !Layout::is_sound(raw.segment_bytes) || raw.first_position != found.first_position().0 {
            return Err(SegmentError::Place(raw.segment));
        }
        Ok(found)
    }

    /// Reads a header that should be this one.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn check(&self, bytes: &[u8]) -> Result<(), SegmentError> {
        let found = Self::parse(bytes)?;
        if found.cluster != self.cluster {
            return Err(SegmentError::Cluster(found.cluster));
        }
        if found != *self {
            return Err(SegmentError::Place(found.segment));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader =
        SegmentHeader { cluster: ClusterId(7), segment: 3, segment_bytes: 64 << 20 };

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_noticed() {
        let mut bytes = HEADER.to_bytes();
        assert_eq!(SegmentHeader::parse(&bytes), Ok(HEADER));
        assert_eq!(HEADER.check(&bytes), Ok(()));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(SegmentHeader::parse(&bytes).is_err(), "byte {at} bit {bit}");
                bytes[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn a_segment_of_another_place_is_told_apart() {
        let other = SegmentHeader { cluster: ClusterId(8), ..HEADER };
        assert_eq!(HEADER.check(&other.to_bytes()), Err(SegmentError::Cluster(ClusterId(8))));
        let other = SegmentHeader { segment: 4, ..HEADER };
        assert_eq!(HEADER.check(&other.to_bytes()), Err(SegmentError::Place(4)));
    }

    #[test]
    fn names_and_numbers_agree() {
        for segment in [0, 1, 999_999_999_999, 1_000_000_000_000] {
            let name = segment_name(segment);
            let name = name.strip_prefix("log/").unwrap();
            assert_eq!(segment_of_name(name), Some(segment));
        }
        assert_eq!(segment_of_name("000000000001.preparing"), None);
        assert_eq!(segment_of_name("1.segment"), None);
        assert_eq!(segment_of_name("+00000000001.segment"), None);
    }
}
