//! Looking at a log from outside, without changing it: for tools, on a stopped or copied directory.
//!
//! Frames are read with [`super::LogReader`], single ones with [`super::RecordReader`]; what the
//! end of a log is says [`super::LogReader::examine`].

use std::io;

use thiserror::Error;

use crate::io::{Open, Storage, StorageFile, to_usize};

use super::position::SEGMENT_HEADER_BYTES;
use super::reader::LogIdentity;
use super::segment::{LOG_DIRECTORY, SegmentError, SegmentHeader, segment_name, segment_of_name};

/// Why a directory doesn't say which log it holds.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The operating system says no.
    #[error("the first segment of the log can't be read: {0}")]
    Io(#[from] io::Error),
    /// The header of the first segment is damaged, or of a newer format.
    #[error("the first segment of the log: {0}")]
    Segment(#[from] SegmentError),
}

/// What stands at the start of one segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number, after its name.
    pub segment: u64,
    /// Length of the file.
    pub file_bytes: u64,
    /// What it says about itself.
    pub header: Result<SegmentHeader, SegmentError>,
}

impl LogIdentity {
    /// Which log is in `storage`, as its first segment says. A server goes by the meta file; this is
    /// for tools that must work without one.
    ///
    /// # Errors
    /// If there is no first segment, or its header is not whole.
    pub fn of_first_segment<S: Storage>(storage: &S) -> Result<Self, IdentityError> {
        let info = segment_info(storage, 0)?;
        let header = info.header?;
        let layout = super::Layout { segment_bytes: header.segment_bytes };
        Ok(Self { cluster: header.cluster, layout })
    }
}

/// The segment files of a log, in order, whatever state they are in.
///
/// # Errors
/// If the directory or a file of it can't be read.
pub fn list_segments<S: Storage>(storage: &S) -> io::Result<Vec<SegmentInfo>> {
    let names = storage.list(LOG_DIRECTORY)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of_name(name)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|segment| segment_info(storage, segment)).collect()
}

fn segment_info<S: Storage>(storage: &S, segment: u64) -> io::Result<SegmentInfo> {
    let file = storage.open(&segment_name(segment), Open::Read)?;
    let mut bytes = vec![0_u8; to_usize(SEGMENT_HEADER_BYTES)];
    let read = file.read_at(0, &mut bytes)?;
    Ok(SegmentInfo {
        segment,
        file_bytes: file.len()?,
        header: SegmentHeader::parse(&bytes[..read]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::MemoryStorage;
    use crate::ledger::Timestamp;
    use crate::log::frame::ClusterId;
    use crate::log::meta::ClusterConfig;
    use crate::log::prepare::create_log;

    #[test]
    fn a_log_says_what_it_is_without_a_meta_file_and_with_a_broken_segment() {
        let disk = MemoryStorage::new();
        let config = ClusterConfig {
            cluster: ClusterId(9),
            segment_bytes: 32_768,
            accounts_max: 1,
            holds_max: 1,
            rules_version: 1,
        };
        create_log(&disk, config, Timestamp(1)).unwrap();
        disk.remove("meta").unwrap();
        let identity = LogIdentity::of_first_segment(&disk).unwrap();
        assert_eq!(identity, LogIdentity { cluster: ClusterId(9), layout: config.layout() });

        disk.damage(&segment_name(0), |bytes| bytes[9] ^= 1).unwrap();
        let found = list_segments(&disk).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].segment, found[0].file_bytes), (0, 32_768));
        assert_eq!(found[0].header, Err(SegmentError::Checksum));
        assert!(LogIdentity::of_first_segment(&disk).is_err());
    }
}
