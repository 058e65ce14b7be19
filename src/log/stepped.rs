//! A log writer that does one step when told to, over any storage: for simulation, tests and tools.
//!
//! It is the same group commit, sealing and recovery as in production; only the driver differs.

use std::io;

use crate::io::{Open, Storage, StorageFile, to_usize};

use super::frame::{Frame, Sealer};
use super::group::{Durable, GroupCommit, GroupConfig, GroupError, WriteRequest};
use super::position::Position;
use super::prepare::{Preparation, prepare_segment};
use super::reader::LogIdentity;
use super::recovery::LogEnd;
use super::segment::segment_name;

/// The machines of the log's writer, with its memory.
pub struct SteppedWriter<S: Storage> {
    storage: S,
    identity: LogIdentity,
    segments: u64,
    group: GroupCommit,
    sealer: Sealer,
    staging: Vec<u8>,
}

impl<S: Storage> SteppedWriter<S> {
    /// Continues at the end of a recovered log.
    #[must_use]
    pub fn new(end: &LogEnd<S>, config: GroupConfig) -> Self {
        let progress = end.progress();
        let identity = end.identity();
        let durable = Durable { position: progress.end, op: progress.op };
        Self {
            storage: end.storage().clone(),
            identity,
            segments: end.segments(),
            group: GroupCommit::new(config, identity.layout, durable),
            sealer: Sealer::new(identity.cluster, progress.chain),
            staging: vec![0; to_usize(config.staging_bytes)],
        }
    }

    /// How far the log is durable.
    #[must_use]
    pub const fn durable(&self) -> Durable {
        self.group.durable()
    }

    /// The group commit, to look at.
    #[must_use]
    pub const fn group(&self) -> &GroupCommit {
        &self.group
    }

    /// How many segments exist.
    #[must_use]
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// Makes the next segment ahead of its use.
    ///
    /// # Errors
    /// If the disk is full or failing.
    pub fn prepare_next(&mut self, preparation: Preparation) -> io::Result<()> {
        prepare_segment(&self.storage, self.identity, self.segments, preparation)?;
        self.segments += 1;
        Ok(())
    }

    /// Takes a frame and seals it. False if there is no room now.
    pub fn handle_frame(&mut self, frame: &Frame, now_ns: u64) -> bool {
        if !self.group.has_room(frame.header().frame_bytes) {
            return false;
        }
        let committed = self.group.durable().position;
        let offset = self.group.handle_frame(frame.header(), now_ns);
        self.sealer.seal_into(frame, committed, &mut self.staging[offset..]);
        true
    }

    /// The next write to start now.
    pub fn poll_write(&mut self, now_ns: u64) -> Option<WriteRequest> {
        self.group.poll_write(now_ns)
    }

    /// The bytes of a write.
    #[must_use]
    pub fn bytes(&self, write: &WriteRequest) -> &[u8] {
        &self.staging[write.staging_offset..write.staging_offset + write.bytes]
    }

    /// The file and offset of a position, in a segment that is made if it isn't there.
    ///
    /// # Errors
    /// If the disk is full or failing.
    pub fn file_at(&mut self, position: Position) -> io::Result<(S::File, u64)> {
        let layout = self.identity.layout;
        let segment = layout.segment_of(position);
        while self.segments <= segment {
            self.prepare_next(Preparation::Reserved)?;
        }
        let file = self.storage.open(&segment_name(segment), Open::Write)?;
        Ok((file, layout.offset_in_segment(position)))
    }

    /// A write is over: `durable` says whether all of its bytes are.
    ///
    /// # Errors
    /// If it failed, now or earlier.
    pub fn handle_completed(
        &mut self,
        write: &WriteRequest,
        durable: bool,
    ) -> Result<Option<Durable>, GroupError> {
        self.group.handle_completed(write.id, if durable { write.bytes } else { 0 })
    }

    /// Writes and syncs everything handed over, one group after the other.
    ///
    /// # Errors
    /// At the first write or sync that fails. The writer is then useless.
    pub fn flush(&mut self, now_ns: u64) -> io::Result<Durable> {
        while let Some(write) = self.poll_write(now_ns) {
            let result = self.write_and_sync(&write);
            let completed = self.handle_completed(&write, result.is_ok());
            result?;
            completed.map_err(io::Error::other)?;
        }
        Ok(self.durable())
    }

    fn write_and_sync(&mut self, write: &WriteRequest) -> io::Result<()> {
        let (file, offset) = self.file_at(write.position)?;
        file.write_at(offset, self.bytes(write))?;
        file.sync_data()
    }
}
