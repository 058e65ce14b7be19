//! Reading single records and frames by position, for queries and tools.
//!
//! Every read checks the sums of the blocks that it touches, so a rotten record is an error and never
//! an answer. It reads with plain file reads: a bad sector is an error, not a signal.

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use crate::io::{Open, Storage, StorageFile, to_usize};

use super::frame::{
    ClusterId, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FrameBuf, FrameError, FrameHeader, FrameKind,
    FrameView, Links, TransferEntry, check_blocks,
};
use super::position::{Layout, Position};
use super::segment::segment_name;

/// Open segment files that a reader keeps.
const FILES_MAX: usize = 64;

/// Why a record or frame can't be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The operating system says no.
    #[error("reading the log at position {position} failed: {source}")]
    Io {
        /// Where.
        position: Position,
        /// Why.
        source: io::Error,
    },
    /// The frame there is not whole.
    #[error("the frame at position {position} is damaged: {source}")]
    Damaged {
        /// Where the frame starts.
        position: Position,
        /// What is wrong.
        source: FrameError,
    },
    /// No record of that kind starts there.
    #[error("no such record starts at position {0}")]
    NoRecord(Position),
}

/// A transfer read back, with its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredTransfer {
    /// The entry as it lies on the disk.
    pub entry: TransferEntry,
    /// Where its frame starts.
    pub frame: Position,
}

impl StoredTransfer {
    /// Where the previous records of its accounts are.
    #[must_use]
    pub const fn links(&self) -> Links {
        self.entry.links()
    }
}

/// Reads records by position. One per thread: it keeps open files and a buffer.
pub struct RecordReader<S: Storage> {
    storage: S,
    layout: Layout,
    cluster: ClusterId,
    files: BTreeMap<u64, S::File>,
    header: Option<FrameHeader>,
    scratch: FrameBuf,
}

impl<S: Storage> RecordReader<S> {
    /// A reader of the log of `cluster` in `storage`.
    #[must_use]
    pub fn new(storage: S, layout: Layout, cluster: ClusterId) -> Self {
        Self {
            storage,
            layout,
            cluster,
            files: BTreeMap::new(),
            header: None,
            scratch: FrameBuf::new(),
        }
    }

    /// The transfer whose record starts at `position`.
    ///
    /// # Errors
    /// If it can't be read whole, or no transfer starts there.
    pub fn read_transfer(&mut self, position: Position) -> Result<StoredTransfer, RecordError> {
        // The record itself names its frame; only then can its sums be found.
        let mut raw = [0_u8; size_of::<TransferEntry>()];
        self.read_at(position, &mut raw)?;
        let entry: TransferEntry = bytemuck::pod_read_unaligned(&raw);
        let before = u64::from(entry.index()) * FrameKind::CreateTransfers.entry_bytes()
            + FRAME_HEADER_BYTES;
        let frame = match position.0.checked_sub(before) {
            Some(frame) if frame.is_multiple_of(FRAME_ALIGNMENT) => Position(frame),
            _ => return Err(RecordError::NoRecord(position)),
        };
        let header = self.read_header(frame)?;
        if header.kind != FrameKind::CreateTransfers
            || u32::from(entry.index()) >= header.counts.entries
        {
            return Err(RecordError::NoRecord(position));
        }
        let checked = self.read_checked(&header, position, raw.len())?;
        Ok(StoredTransfer { entry: bytemuck::pod_read_unaligned(checked), frame })
    }

    /// The header of the frame that starts at `frame`, checked by its own sum.
    ///
    /// # Errors
    /// If it can't be read or is not whole.
    pub fn read_header(&mut self, frame: Position) -> Result<FrameHeader, RecordError> {
        if let Some(header) = self.header
            && header.position == frame
        {
            return Ok(header);
        }
        let mut bytes = [0_u8; 256];
        self.read_at(frame, &mut bytes)?;
        let header = FrameHeader::parse(self.cluster, frame, &bytes)
            .map_err(|source| RecordError::Damaged { position: frame, source })?;
        self.header = Some(header);
        Ok(header)
    }

    /// Reads the whole frame that starts at `frame` into `target` and checks every byte of it.
    ///
    /// # Errors
    /// If it can't be read or is not whole.
    pub fn read_frame<'a>(
        &mut self,
        frame: Position,
        target: &'a mut FrameBuf,
    ) -> Result<FrameView<'a>, RecordError> {
        let header = self.read_header(frame)?;
        target.resize(to_usize(header.frame_bytes));
        self.read_at(frame, target.bytes_mut())?;
        FrameView::parse(self.cluster, frame, target.bytes())
            .map_err(|source| RecordError::Damaged { position: frame, source })
    }

    /// The `length` bytes at `position` of a frame, after the sums of the blocks that hold them.
    fn read_checked(
        &mut self,
        header: &FrameHeader,
        position: Position,
        length: usize,
    ) -> Result<&[u8], RecordError> {
        let offset = to_usize(position.0 - header.position.0);
        let mut scratch = std::mem::take(&mut self.scratch);
        let checked = check_blocks(
            self.cluster,
            header,
            offset..offset + length,
            |at, target| self.read_at(header.position.plus(at), target),
            &mut scratch,
        );
        self.scratch = scratch;
        match checked {
            Ok(Ok(found)) => Ok(&self.scratch.bytes()[found]),
            Ok(Err(source)) => Err(RecordError::Damaged { position: header.position, source }),
            Err(error) => Err(error),
        }
    }

    fn read_at(&mut self, position: Position, target: &mut [u8]) -> Result<(), RecordError> {
        let failed = |source| RecordError::Io { position, source };
        let segment = self.layout.segment_of(position);
        if !self.files.contains_key(&segment) {
            if self.files.len() >= FILES_MAX {
                self.files.clear();
            }
            let file = self.storage.open(&segment_name(segment), Open::Read).map_err(failed)?;
            self.files.insert(segment, file);
        }
        let Some(file) = self.files.get(&segment) else {
            return Err(RecordError::NoRecord(position));
        };
        file.read_exact_at(self.layout.offset_in_segment(position), target).map_err(failed)
    }
}
