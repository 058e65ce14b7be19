//! Cutting off a torn tail: a copy first, then zeros, then a frame that says so.
//!
//! Each step is durable before the next, and each can be repeated after a crash. Before anything,
//! what was found is made durable: answers will rest on it.

use std::io;

use crate::io::{Open, Storage, StorageFile, to_u64, to_usize};
use crate::ledger::{Op, Timestamp};
use crate::log::frame::{
    EpochReason, EpochStart, FRAME_HEADER_BYTES, FrameBuf, FrameBuilder, FrameKind, FramePool,
    FrameStart, Sealer,
};
use crate::log::group::IN_FLIGHT_BYTES_MAX;
use crate::log::position::{Epoch, Layout, Position};
use crate::log::prepare::{self, Preparation};
use crate::log::reader::{LogIdentity, Progress};
use crate::log::segment::{LOG_DIRECTORY, segment_name};

use super::evidence::Remains;

/// The subdirectory of what was cut off.
pub(crate) const QUARANTINE_DIRECTORY: &str = "quarantine";

const COPY_BYTES: usize = 1 << 20;

/// Makes durable what was found: frames that may have been in flight when the writer was killed, and
/// the names of files.
pub(super) fn make_durable<S: Storage>(
    storage: &S,
    layout: Layout,
    segments: u64,
    end: Position,
) -> io::Result<()> {
    let oldest = Position(end.0.saturating_sub(IN_FLIGHT_BYTES_MAX));
    for segment in layout.segment_of(oldest)..segments {
        storage.open(&segment_name(segment), Open::Write)?.sync_data()?;
    }
    storage.sync_directory(LOG_DIRECTORY)?;
    storage.sync_directory("")
}

/// Copies what is to be cut off into the quarantine, a file for each segment, and syncs it. Gives the
/// names.
pub(super) fn quarantine<S: Storage>(
    storage: &S,
    layout: Layout,
    remains: &[Remains],
) -> io::Result<Vec<String>> {
    storage.create_directory(QUARANTINE_DIRECTORY)?;
    storage.sync_directory("")?;
    let mut names = Vec::new();
    for part in remains {
        let source = storage.open(&segment_name(layout.segment_of(part.start)), Open::Read)?;
        let (name, copy) = create_copy(storage, part.start)?;
        copy_range(&source, layout.offset_in_segment(part.start), &copy, part)?;
        copy.sync_data()?;
        names.push(name);
    }
    storage.sync_directory(QUARANTINE_DIRECTORY)?;
    Ok(names)
}

/// A new file for bytes cut off at `start`. An earlier attempt, or an earlier cut at the same place,
/// keeps its file.
fn create_copy<S: Storage>(storage: &S, start: Position) -> io::Result<(String, S::File)> {
    let mut attempt = 0_u32;
    loop {
        let name = format!("{QUARANTINE_DIRECTORY}/{:020}-{attempt}.tail", start.0);
        match storage.open(&name, Open::Create) {
            Ok(file) => return Ok((name, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

fn copy_range<F: StorageFile>(source: &F, offset: u64, copy: &F, part: &Remains) -> io::Result<()> {
    let mut buffer = vec![0_u8; COPY_BYTES];
    let length = part.end.0 - part.start.0;
    let mut done = 0;
    while done < length {
        let count = to_usize(length - done).min(COPY_BYTES);
        source.read_exact_at(offset + done, &mut buffer[..count])?;
        copy.write_at(done, &buffer[..count])?;
        done += to_u64(count);
    }
    Ok(())
}

/// Overwrites what was copied with zeros and makes that durable.
pub(super) fn zero<S: Storage>(storage: &S, layout: Layout, remains: &[Remains]) -> io::Result<()> {
    let zeros = vec![0_u8; COPY_BYTES];
    // From the back, so that an interrupted repair never leaves a frame behind a hole that was not
    // there before.
    for part in remains.iter().rev() {
        let file = storage.open(&segment_name(layout.segment_of(part.start)), Open::Write)?;
        let offset = layout.offset_in_segment(part.start);
        let length = part.end.0 - part.start.0;
        let mut done = 0;
        while done < length {
            let count = to_usize(length - done).min(COPY_BYTES);
            file.write_at(offset + done, &zeros[..count])?;
            done += to_u64(count);
        }
        file.sync_data()?;
    }
    Ok(())
}

/// What the frame of a new epoch says.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEpoch {
    pub(super) reason: EpochReason,
    pub(super) cut_bytes: u64,
    pub(super) timestamp: Timestamp,
    pub(super) state_digest: u64,
}

/// Appends the frame that begins a new epoch, and makes it durable.
pub(super) fn append_epoch<S: Storage>(
    storage: &S,
    identity: LogIdentity,
    segments: &mut u64,
    progress: Progress,
    new: NewEpoch,
) -> io::Result<Progress> {
    let layout = identity.layout;
    let epoch = Epoch(progress.epoch.0 + 1);
    let op: Op = progress.op.next();
    let mut builder = FrameBuilder::new(
        FramePool::new(1),
        FrameStart { kind: FrameKind::Epoch, op, timestamp: new.timestamp, epoch },
    );
    builder.push_epoch(&EpochStart::new(epoch, new.reason, progress.end, new.cut_bytes));
    let position = layout.place(progress.end, builder.frame_bytes());
    debug_assert!(builder.frame_bytes() > FRAME_HEADER_BYTES);
    let frame = builder.finish(position, 0, new.state_digest);
    let mut bytes = FrameBuf::new();
    bytes.resize(to_usize(frame.header().frame_bytes));
    let mut sealer = Sealer::new(identity.cluster, progress.chain);
    sealer.seal_into(&frame, progress.end, bytes.bytes_mut());

    let segment = layout.segment_of(position);
    if segment >= *segments {
        prepare::prepare_segment(storage, identity, segment, Preparation::Reserved)?;
        *segments = segment + 1;
    }
    let file = storage.open(&segment_name(segment), Open::Write)?;
    file.write_at(layout.offset_in_segment(position), bytes.bytes())?;
    file.sync_data()?;
    let version = frame.header().version;
    Ok(Progress { end: frame.end(), chain: sealer.chain(), op, epoch, version })
}
