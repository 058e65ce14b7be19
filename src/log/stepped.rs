//! The writer's machine over any storage, one step when told to: for tests.

use std::io;
use std::sync::Arc;

use crate::io::{Open, Storage, StorageFile, to_usize};

use super::frame::Frame;
use super::group::{Durable, GroupConfig, WriteRequest};
use super::position::Position;
use super::prepare::{Preparation, prepare_segment};
use super::reader::LogIdentity;
use super::recovery::LogEnd;
use super::segment::segment_name;
use super::writer::{WriteFailed, WriterAction, WriterMachine};

/// The machine with its memory. It makes segments when they are needed.
pub(super) struct SteppedWriter<S: Storage> {
    storage: S,
    identity: LogIdentity,
    segments: u64,
    machine: WriterMachine,
    staging: Vec<u8>,
}

impl<S: Storage> SteppedWriter<S> {
    /// Continues at the end of a recovered log.
    pub(super) fn new(end: &LogEnd<S>, config: GroupConfig) -> Self {
        let segments = end.segments();
        Self {
            storage: end.storage().clone(),
            identity: end.identity(),
            segments,
            machine: WriterMachine::new(end.identity(), end.progress(), segments, config),
            staging: vec![0; to_usize(config.staging_bytes)],
        }
    }

    /// How far the log is durable.
    pub(super) const fn durable(&self) -> Durable {
        self.machine.durable()
    }

    /// Takes a frame, which must follow the one before. There must be memory for it.
    pub(super) fn handle_frame(&mut self, frame: Arc<Frame>) {
        self.machine.handle_frame(frame);
    }

    /// The next write to start now.
    pub(super) fn poll_write(&mut self, now_ns: u64) -> io::Result<Option<WriteRequest>> {
        loop {
            if let Some(segment) = self.machine.needed_segment() {
                prepare_segment(&self.storage, self.identity, segment, Preparation::Reserved)?;
                self.segments = segment + 1;
                self.machine.handle_segments(self.segments);
            }
            match self.machine.poll_action(now_ns, false) {
                None => return Ok(None),
                Some(WriterAction::Open { .. }) => {}
                Some(WriterAction::Seal(place)) => {
                    let from = place.staging_offset;
                    self.machine.seal_into(&mut self.staging[from..from + place.bytes]);
                }
                Some(WriterAction::Write(write)) => return Ok(Some(write)),
            }
        }
    }

    /// The bytes of a write.
    pub(super) fn bytes(&self, write: &WriteRequest) -> &[u8] {
        &self.staging[write.staging_offset..write.staging_offset + write.bytes]
    }

    /// The file and offset of a position.
    pub(super) fn file_at(&self, position: Position) -> io::Result<(S::File, u64)> {
        let layout = self.identity.layout;
        let name = segment_name(layout.segment_of(position));
        Ok((self.storage.open(&name, Open::Write)?, layout.offset_in_segment(position)))
    }

    /// A write is over: so many of its bytes are durable.
    pub(super) fn handle_completed(
        &mut self,
        write: &WriteRequest,
        result: io::Result<usize>,
    ) -> Result<(), WriteFailed> {
        self.machine.handle_completed(write.id, result)
    }

    /// Writes and syncs everything handed over, one group after the other.
    pub(super) fn flush(&mut self, now_ns: u64) -> io::Result<Durable> {
        while let Some(write) = self.poll_write(now_ns)? {
            let result = self.write_and_sync(&write);
            self.handle_completed(&write, result).map_err(io::Error::other)?;
        }
        Ok(self.durable())
    }

    fn write_and_sync(&self, write: &WriteRequest) -> io::Result<usize> {
        let (file, offset) = self.file_at(write.position)?;
        file.write_at(offset, self.bytes(write))?;
        file.sync_data()?;
        Ok(write.bytes)
    }
}
