//! Reading the log forwards, each frame checked against all that came before it.
//!
//! The reader stops at the first position where the next frame isn't. It doesn't say whether that is
//! the end, a torn tail or damage: recovery decides, and consumes the reader to do it. It never
//! writes, so it serves offline checks as well.

use std::io;

use thiserror::Error;

use crate::io::{Open, Storage, StorageFile, to_u64, to_usize};
use crate::ledger::{Op, RULES_VERSION};

use super::frame::{
    ChainValue, ClusterId, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameBuf, FrameError, FrameHeader,
    FrameKind, FrameVersion, FrameView,
};
use super::position::{Epoch, Layout, Position, SEGMENT_HEADER_BYTES};
use super::segment::{LOG_DIRECTORY, SegmentError, SegmentHeader, segment_name, segment_of_name};

/// Bytes read at once.
const CHUNK_BYTES: u64 = 4 << 20;
const _: () = assert!(CHUNK_BYTES >= FRAME_BYTES_MAX);

/// Which log, and how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIdentity {
    /// The cluster.
    pub cluster: ClusterId,
    /// The segments.
    pub layout: Layout,
}

/// Why a log can't be read at all.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system says no: a bad sector, perhaps.
    #[error("reading segment {segment} at offset {offset} failed: {source}")]
    Io {
        /// Which segment.
        segment: u64,
        /// Where in it.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The log's directory can't be listed.
    #[error("the directory of the log can't be read: {0}")]
    Directory(io::Error),
    /// A segment is not there although later ones are, or there are none at all.
    #[error("segment {0} of the log is missing")]
    MissingSegment(u64),
    /// A segment's file is shorter or longer than a segment.
    #[error("segment {segment} has {found} bytes instead of {expected}")]
    SegmentSize {
        /// Which.
        segment: u64,
        /// Its length.
        found: u64,
        /// What it should be.
        expected: u64,
    },
    /// A segment's header is not what it should be.
    #[error("segment {segment}: {source}")]
    Segment {
        /// Which.
        segment: u64,
        /// What is wrong.
        source: SegmentError,
    },
}

/// Why the next frame isn't where the reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Stop {
    /// No whole frame stands there.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A whole frame stands there, but it is not the next one.
    #[error("a whole frame stands there, but it doesn't continue the log: {0}")]
    Discontinuous(&'static str),
}

/// How far the log has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The end of the last frame.
    pub end: Position,
    /// The chain value after it.
    pub chain: ChainValue,
    /// Its number; 0 before the first.
    pub op: Op,
    /// Its epoch; 0 before the first.
    pub epoch: Epoch,
    /// Its version; the first one before the first.
    pub version: FrameVersion,
}

/// Reads the frames of a log in order.
pub struct LogReader<S: Storage> {
    storage: S,
    identity: LogIdentity,
    segments: u64,
    progress: Progress,
    stop: Option<Stop>,
    stop_position: Position,
    chunk: Chunk<S::File>,
}

impl<S: Storage> LogReader<S> {
    /// Opens the log in `storage` and checks that its segments are all there, of the right size, and
    /// of this cluster.
    ///
    /// # Errors
    /// The first thing wrong with them.
    pub fn open(storage: S, identity: LogIdentity) -> Result<Self, ReadError> {
        let segments = count_segments(&storage)?;
        for segment in 0..segments {
            check_segment(&storage, identity, segment)?;
        }
        let progress = Progress {
            end: identity.layout.first(),
            chain: ChainValue::START,
            op: Op(0),
            epoch: Epoch(0),
            version: FrameVersion::One,
        };
        let chunk = Chunk::open(&storage, 0)?;
        let stop_position = progress.end;
        Ok(Self { storage, identity, segments, progress, stop: None, stop_position, chunk })
    }

    /// The same, for a log that is to be written on: makes durable whatever may not be, and lets go
    /// of what is only cached, so that all that is read afterwards has survived already. Otherwise
    /// a process killed between a write and its sync would leave bytes that are read and believed
    /// after a restart, and gone after a loss of power.
    ///
    /// # Errors
    /// As [`Self::open`], and if the disk doesn't take what was written.
    pub fn open_to_continue(
        storage: S,
        identity: LogIdentity,
        committed: Position,
    ) -> Result<Self, ReadError> {
        storage.sync_directory(LOG_DIRECTORY).map_err(ReadError::Directory)?;
        let reader = Self::open(storage, identity)?;
        for segment in identity.layout.segment_of(committed)..reader.segments {
            let failed = |source| ReadError::Io { segment, offset: 0, source };
            let file = reader.storage.open(&segment_name(segment), Open::Write).map_err(failed)?;
            file.sync_data().map_err(failed)?;
            file.forget_cached();
        }
        Ok(reader)
    }

    /// Which log this is.
    #[must_use]
    pub const fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// How many segment files there are, also those that are still empty.
    #[must_use]
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// How far it has read.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Why it stopped, once it has.
    #[must_use]
    pub const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Where it stopped: where the next frame would be, as far as that can be told.
    #[must_use]
    pub const fn stop_position(&self) -> Position {
        self.stop_position
    }

    /// The directory that it reads.
    #[must_use]
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// The next frame, or nothing at the first position where there isn't one.
    ///
    /// # Errors
    /// If the disk doesn't give the bytes. Wrong bytes are no error here: see [`Self::stop`].
    pub fn next_frame(&mut self) -> Result<Option<FrameView<'_>>, ReadError> {
        if self.stop.is_some() {
            return Ok(None);
        }
        let layout = self.identity.layout;
        let Some(found) = self.find_next()? else {
            return Ok(None);
        };
        self.progress = Progress {
            end: found.header.end(),
            chain: found.chain,
            op: found.header.op,
            epoch: found.header.epoch,
            version: found.header.version,
        };
        let bytes = self.chunk.window(layout, found.header.position, found.header.frame_bytes)?;
        Ok(Some(FrameView::rebuild(found.header, found.chain, bytes)))
    }

    /// Where the next frame is: right here, or, if it was too large for the rest of this segment, at
    /// the start of the next. The chain proves the latter. If it is at neither, notes why.
    fn find_next(&mut self) -> Result<Option<Found>, ReadError> {
        let layout = self.identity.layout;
        let here = layout.place(self.progress.end, FRAME_HEADER_BYTES);
        let stop = match self.try_at(here)? {
            Ok(found) => return Ok(Some(found)),
            Err(stop) => stop,
        };
        let next = layout.start_of_frames(layout.segment_of(here) + 1);
        let may_be_there = layout.segment_bytes < FRAME_BYTES_MAX + SEGMENT_HEADER_BYTES
            || layout.place(self.progress.end, FRAME_BYTES_MAX) == next;
        self.stop = Some(stop);
        self.stop_position = here;
        if !may_be_there {
            return Ok(None);
        }
        match self.try_at(next)? {
            Ok(found) if layout.place(self.progress.end, found.header.frame_bytes) == next => {
                self.stop = None;
                return Ok(Some(found));
            }
            Ok(_) | Err(Stop::Discontinuous(_) | Stop::Frame(FrameError::Unwritten)) => {}
            // Here is nothing, and there is a damaged frame. Unless it says itself that it is a later
            // one, it is the next one, and what counts is what is wrong with that.
            Err(damaged) => {
                if stop == Stop::Frame(FrameError::Unwritten) && self.may_be_next(next)? {
                    self.stop = Some(damaged);
                    self.stop_position = next;
                }
            }
        }
        Ok(None)
    }

    /// Whether the damaged frame at `position` may be the next one, as far as its header says.
    fn may_be_next(&mut self, position: Position) -> Result<bool, ReadError> {
        let LogIdentity { cluster, layout } = self.identity;
        let head = self.chunk.window(layout, position, FRAME_HEADER_BYTES)?;
        Ok(FrameHeader::parse(cluster, position, head).map_or(true, |header| {
            header.op == self.progress.op.next() && header.previous_chain == self.progress.chain
        }))
    }

    /// Checks the bytes at `position` on their own and as the continuation of what was read.
    fn try_at(&mut self, position: Position) -> Result<Result<Found, Stop>, ReadError> {
        let layout = self.identity.layout;
        let segment = layout.segment_of(position);
        if segment >= self.segments {
            return Ok(Err(Stop::Frame(FrameError::Unwritten)));
        }
        if self.chunk.segment != segment {
            self.chunk = Chunk::open(&self.storage, segment)?;
        }
        let cluster = self.identity.cluster;
        let head = self.chunk.window(layout, position, FRAME_HEADER_BYTES)?;
        let header = match FrameHeader::parse(cluster, position, head) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error.into())),
        };
        let bytes = self.chunk.window(layout, position, header.frame_bytes)?;
        let view = match FrameView::parse(cluster, position, bytes) {
            Ok(view) => view,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Some(genesis) = view.genesis()
            && genesis.rules_version > RULES_VERSION
        {
            return Ok(Err(FrameError::Rules(genesis.rules_version).into()));
        }
        let found = Found { header, chain: view.chain() };
        let continues = continues(&self.progress, self.identity, &view);
        Ok(continues.map(|()| found).map_err(Stop::Discontinuous))
    }
}

#[derive(Debug, Clone, Copy)]
struct Found {
    header: FrameHeader,
    chain: ChainValue,
}

/// Whether a whole frame is the next one after `progress`.
fn continues(
    progress: &Progress,
    identity: LogIdentity,
    view: &FrameView<'_>,
) -> Result<(), &'static str> {
    let header = view.header();
    if header.op != progress.op.next() {
        return Err("its op is not the next one");
    }
    if header.previous_chain != progress.chain {
        return Err("its chain value is that of another past");
    }
    if header.version < progress.version {
        return Err("its format is older than that of the frame before it");
    }
    if header.committed > header.position {
        return Err("it claims that the future is committed");
    }
    match (header.kind, view.genesis()) {
        (FrameKind::Genesis, Some(genesis)) => {
            if progress.op != Op(0) {
                return Err("a log begins only once");
            }
            if ClusterId(genesis.cluster) != identity.cluster
                || genesis.segment_bytes != identity.layout.segment_bytes
            {
                return Err("it begins the log of another cluster");
            }
        }
        _ if progress.op == Op(0) => return Err("the log doesn't begin with a genesis frame"),
        (FrameKind::Epoch, _) => {
            if header.epoch <= progress.epoch {
                return Err("its epoch is not a new one");
            }
        }
        _ => {
            if header.epoch != progress.epoch {
                return Err("its epoch never began");
            }
        }
    }
    Ok(())
}

/// How many segments there are, from 0 without a gap.
fn count_segments<S: Storage>(storage: &S) -> Result<u64, ReadError> {
    let names = storage.list(LOG_DIRECTORY).map_err(ReadError::Directory)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_of_name(name)).collect();
    numbers.sort_unstable();
    for (expected, &number) in (0_u64..).zip(&numbers) {
        if number != expected {
            return Err(ReadError::MissingSegment(expected));
        }
    }
    if numbers.is_empty() { Err(ReadError::MissingSegment(0)) } else { Ok(to_u64(numbers.len())) }
}

fn check_segment<S: Storage>(
    storage: &S,
    identity: LogIdentity,
    segment: u64,
) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { segment, offset: 0, source };
    let file = storage.open(&segment_name(segment), Open::Read).map_err(failed)?;
    let mut header = vec![0_u8; to_usize(SEGMENT_HEADER_BYTES)];
    let read = file.read_at(0, &mut header).map_err(failed)?;
    SegmentHeader {
        cluster: identity.cluster,
        segment,
        segment_bytes: identity.layout.segment_bytes,
    }
    .check(&header[..read])
    .map_err(|source| ReadError::Segment { segment, source })?;
    let found = file.len().map_err(failed)?;
    let expected = identity.layout.segment_bytes;
    if found == expected {
        Ok(())
    } else {
        Err(ReadError::SegmentSize { segment, found, expected })
    }
}

/// A stretch of one segment in memory.
pub(super) struct Chunk<F> {
    file: F,
    pub(super) segment: u64,
    start: u64,
    bytes: FrameBuf,
}

impl<F: StorageFile> Chunk<F> {
    pub(super) fn open<S: Storage<File = F>>(storage: &S, segment: u64) -> Result<Self, ReadError> {
        let file = storage
            .open(&segment_name(segment), Open::Read)
            .map_err(|source| ReadError::Io { segment, offset: 0, source })?;
        Ok(Self { file, segment, start: 0, bytes: FrameBuf::new() })
    }

    /// `length` bytes from `position` of this segment, or as many as there are in it.
    pub(super) fn window(
        &mut self,
        layout: Layout,
        position: Position,
        length: u64,
    ) -> Result<&[u8], ReadError> {
        let offset = layout.offset_in_segment(position);
        let end = (offset + length).min(layout.segment_bytes);
        let have = self.start..self.start + to_u64(self.bytes.bytes().len());
        if offset < have.start || end > have.end {
            let wanted = (layout.segment_bytes - offset).min(CHUNK_BYTES.max(length));
            self.start = offset;
            self.bytes.resize(to_usize(wanted));
            let read = self.file.read_exact_at(offset, self.bytes.bytes_mut());
            if let Err(source) = read {
                self.bytes.resize(0);
                return Err(ReadError::Io { segment: self.segment, offset, source });
            }
        }
        Ok(&self.bytes.bytes()[to_usize(offset - self.start)..to_usize(end - self.start)])
    }
}
