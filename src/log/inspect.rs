//! Looking at a directory from outside, without changing it: which log is in it if its meta file
//! doesn't say.
//!
//! Frames are read with [`super::LogReader`], single ones with [`super::RecordReader`]; what the
//! end of a log is says [`super::LogReader::examine`].

use std::io;

use thiserror::Error;

use crate::io::{Open, Storage, StorageFile, to_usize};

use super::position::{Layout, SEGMENT_HEADER_BYTES};
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

impl LogIdentity {
    /// Which log is in `storage`, as its first segment says. A server goes by the meta file; this is
    /// for tools that must work without one.
    ///
    /// # Errors
    /// If there is no first segment, or its header is not whole.
    pub fn of_first_segment<S: Storage>(storage: &S) -> Result<Self, IdentityError> {
        let file = storage.open(&segment_name(0), Open::Read)?;
        let mut bytes = vec![0_u8; to_usize(SEGMENT_HEADER_BYTES)];
        let read = file.read_at(0, &mut bytes)?;
        let header = SegmentHeader::parse(&bytes[..read])?;
        let layout = Layout { segment_bytes: header.segment_bytes };
        Ok(Self { cluster: header.cluster, layout })
    }
}

/// Whether there is any segment of a log, in whatever state.
///
/// # Errors
/// If the directory can't be read.
pub fn has_segments<S: Storage>(storage: &S) -> io::Result<bool> {
    match storage.list(LOG_DIRECTORY) {
        Ok(names) => Ok(names.iter().any(|name| segment_of_name(name).is_some())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
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
        assert!(!has_segments(&disk).unwrap());
        create_log(&disk, config, Timestamp(1)).unwrap();
        disk.remove("meta").unwrap();
        let identity = LogIdentity::of_first_segment(&disk).unwrap();
        assert_eq!(identity, LogIdentity { cluster: ClusterId(9), layout: config.layout() });

        disk.damage(&segment_name(0), |bytes| bytes[9] ^= 1).unwrap();
        assert!(has_segments(&disk).unwrap());
        assert!(LogIdentity::of_first_segment(&disk).is_err());
    }
}
