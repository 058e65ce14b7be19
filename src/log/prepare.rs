//! Preparing segments, and creating a log.
//!
//! A segment gets its name only when it is whole: allocated, with its header, all else 0, and
//! synced. So a segment file that is short or without a header is damage, never a crash.

use std::io;

use thiserror::Error;

use crate::io::{Open, Storage, StorageFile, to_u64, to_usize};
use crate::ledger::{Op, Timestamp};

use super::frame::{ChainValue, FrameBuf, FrameBuilder, FrameKind, FramePool, FrameStart, Sealer};
use super::meta::{ClusterConfig, CommitHint, META_NAME, META_NEW_NAME, Meta, MetaError, MetaFile};
use super::position::{Epoch, Position, SEGMENT_HEADER_BYTES};
use super::reader::LogIdentity;
use super::recovery::QUARANTINE_DIRECTORY;
use super::segment::{LOG_DIRECTORY, SegmentHeader, segment_name};

/// The ending of a segment's name until it is whole.
const PREPARING_SUFFIX: &str = ".preparing";

/// How the space of a segment is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// Only allocated; reads as 0. Quick, but each first write to it must record that it happened.
    Reserved,
    /// Written with zeros, in pieces of so many bytes. A segment that will be written through a
    /// mapping wants 4 KiB: larger pieces give large folios, of which a store dirties the whole.
    Zeroed {
        /// Size of a piece.
        piece_bytes: usize,
        /// Whether the zeros should stay in the machine's page cache: else each page of a mapping
        /// must first be read back.
        keep_cached: bool,
    },
}

/// Zeros written between two syncs: a burst of write-back would delay the log's own writes.
const SYNC_EVERY_BYTES: u64 = 4 << 20;

/// Makes segment number `segment` of a log. An unfinished attempt is thrown away first.
///
/// # Errors
/// If the disk is full or failing.
pub fn prepare_segment<S: Storage>(
    storage: &S,
    identity: LogIdentity,
    segment: u64,
    preparation: Preparation,
) -> io::Result<()> {
    let name = segment_name(segment);
    let temporary = format!("{name}{PREPARING_SUFFIX}");
    remove_if_there(storage, &temporary)?;
    let file = storage.open(&temporary, Open::Create)?;
    let result = fill_segment(&file, identity, segment, preparation);
    if result.is_err() {
        // Gives the space back: the disk may be full.
        remove_if_there(storage, &temporary)?;
    }
    result?;
    storage.rename(&temporary, &name)?;
    storage.sync_directory(LOG_DIRECTORY)
}

fn fill_segment<F: StorageFile>(
    file: &F,
    identity: LogIdentity,
    segment: u64,
    preparation: Preparation,
) -> io::Result<()> {
    let segment_bytes = identity.layout.segment_bytes;
    file.allocate(segment_bytes)?;
    let header = SegmentHeader { cluster: identity.cluster, segment, segment_bytes };
    file.write_at(0, &header.to_bytes())?;
    if let Preparation::Zeroed { piece_bytes, .. } = preparation {
        let zeros = vec![0_u8; piece_bytes];
        let mut at = SEGMENT_HEADER_BYTES;
        let mut synced = at;
        while at < segment_bytes {
            let count = to_usize(segment_bytes - at).min(piece_bytes);
            file.write_at(at, &zeros[..count])?;
            at += to_u64(count);
            if at - synced >= SYNC_EVERY_BYTES {
                file.sync_data()?;
                synced = at;
            }
        }
    }
    file.sync_data()?;
    if !matches!(preparation, Preparation::Zeroed { keep_cached: true, .. }) {
        file.forget_cached();
    }
    Ok(())
}

/// Removes what an interrupted preparation left.
///
/// # Errors
/// If the directory can't be read or changed.
pub(super) fn remove_unfinished<S: Storage>(storage: &S) -> io::Result<()> {
    for name in storage.list(LOG_DIRECTORY)? {
        if name.ends_with(PREPARING_SUFFIX) {
            storage.remove(&format!("{LOG_DIRECTORY}/{name}"))?;
        }
    }
    Ok(())
}

fn remove_if_there<S: Storage>(storage: &S, name: &str) -> io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Why a log can't be created.
#[derive(Debug, Error)]
pub enum CreateError {
    /// There is one already.
    #[error("the data directory holds a cluster already")]
    Exists,
    /// There is no meta file, but a log with content.
    #[error(
        "the data directory holds a log but no meta file: it is not empty and not whole; restore \
         the file \"{META_NAME}\" or choose another directory"
    )]
    MetaMissing,
    /// The operating system says no.
    #[error("the data directory can't be created: {0}")]
    Io(#[from] io::Error),
    /// The meta file can't be written.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

/// Creates the log of a new cluster in `storage`: first segment, genesis frame, meta file. The meta
/// file comes last, so an interrupted creation is simply done again.
///
/// # Errors
/// If the directory holds a log, or can't be written.
pub fn create_log<S: Storage>(
    storage: &S,
    config: ClusterConfig,
    timestamp: Timestamp,
) -> Result<Meta, CreateError> {
    if Meta::load(storage)?.is_some() {
        return Err(CreateError::Exists);
    }
    storage.create_directory(LOG_DIRECTORY)?;
    storage.create_directory(QUARANTINE_DIRECTORY)?;
    storage.sync_directory("")?;
    clear_unfinished_creation(storage)?;
    let layout = config.layout();
    let identity = LogIdentity { cluster: config.cluster, layout };
    prepare_segment(storage, identity, 0, Preparation::Reserved)?;

    let start = FrameStart { kind: FrameKind::Genesis, op: Op(1), timestamp, epoch: Epoch(1) };
    let mut builder = FrameBuilder::new(FramePool::new(1), start);
    builder.push_genesis(&config.to_genesis());
    let frame = builder.finish(layout.first(), 0, 0);
    let mut bytes = FrameBuf::new();
    bytes.resize(to_usize(frame.header().frame_bytes));
    Sealer::new(config.cluster, ChainValue::START).seal_into(
        &frame,
        Position::NONE,
        bytes.bytes_mut(),
    );
    let file = storage.open(&segment_name(0), Open::Write)?;
    file.write_at(layout.first().0, bytes.bytes())?;
    file.sync_data()?;
    let hint = CommitHint { committed: frame.end(), op: Op(1), epoch: Epoch(1) };
    Ok(MetaFile::create(storage, config, hint)?)
}

/// Without a meta file nothing but the genesis frame can have been written. Whatever else is there
/// is somebody's log.
fn clear_unfinished_creation<S: Storage>(storage: &S) -> Result<(), CreateError> {
    remove_unfinished(storage)?;
    remove_if_there(storage, META_NEW_NAME)?;
    let names = storage.list(LOG_DIRECTORY)?;
    let first = segment_name(0);
    match names.as_slice() {
        [] => return Ok(()),
        [only] if first.ends_with(only.as_str()) => {}
        _ => return Err(CreateError::MetaMissing),
    }
    let file = storage.open(&first, Open::Read)?;
    let length = file.len()?;
    let mut at = 2 * SEGMENT_HEADER_BYTES;
    let mut buffer = vec![0_u8; 1 << 20];
    while at < length {
        let read = file.read_at(at, &mut buffer)?;
        if buffer[..read].iter().any(|&byte| byte != 0) {
            return Err(CreateError::MetaMissing);
        }
        at += to_u64(read.max(1));
    }
    storage.remove(&first)?;
    Ok(())
}

#[cfg(test)]
mod tests;
