//! The log of a simulated node: the real writer and keeper, moved by events, over a disk in memory.
//!
//! It does what their machines ask for, as the two threads of a server do on real files. It has no
//! policy of its own. What the disk makes of a write is decided when the write ends, and of a segment
//! when its making ends: until then a power cut finds it half done.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::damage::Stretch;
use crate::io::memory::{MemoryFile, MemoryStorage};
use crate::io::{Open, Storage, StorageFile, to_usize};
use crate::log::{
    Durable, Frame, GroupConfig, KeeperAction, KeeperFailed, KeeperMachine, LogEnd, LogIdentity,
    MetaError, MetaFile, Place, Position, Preparation, Room, WriteRequest, WriterAction,
    WriterMachine, prepare_segment, segment_name,
};

/// How the log reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriterStyle {
    /// Each write makes just its own bytes durable.
    Direct,
    /// Each write makes everything in its segment durable.
    Mapped,
}

/// How a node writes its log.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggingOptions {
    pub(super) groups: GroupConfig,
    pub(super) style: WriterStyle,
    pub(super) preparation: Preparation,
    /// Segments that the keeper has ready.
    pub(super) ready_ahead: u64,
    /// Frames that can wait for the writer.
    pub(super) queue_frames: usize,
}

/// Why the process would have ended.
pub(super) type Stop = String;

/// A write on its way to the disk.
struct Flight {
    write: WriteRequest,
    file: MemoryFile,
    offset: u64,
    bytes: Vec<u8>,
}

/// A write that was just begun.
pub(super) struct Begun {
    pub(super) id: u64,
    pub(super) position: Position,
    pub(super) bytes: Vec<u8>,
}

/// Writer and keeper of one life of a server.
pub(super) struct Logging {
    disk: MemoryStorage,
    identity: LogIdentity,
    options: LoggingOptions,
    writer: WriterMachine,
    keeper: KeeperMachine,
    meta: MetaFile<MemoryFile>,
    queue: VecDeque<Arc<Frame>>,
    staging: Vec<u8>,
    /// Segments in use, as the writer opened them.
    files: BTreeMap<u64, MemoryFile>,
    flights: BTreeMap<u64, Flight>,
    /// What the writer and the keeper show to everybody.
    durable: Durable,
    segments: u64,
    is_full: bool,
    /// The segment that is being made.
    making: Option<(u64, Preparation)>,
}

impl Logging {
    pub(super) fn start(
        disk: &MemoryStorage,
        end: &LogEnd<MemoryStorage>,
        options: LoggingOptions,
        now_ns: u64,
    ) -> Result<Self, MetaError> {
        let identity = end.identity();
        let (progress, segments) = (end.progress(), end.segments());
        let current = identity.layout.segment_of(progress.end);
        let meta = MetaFile::open(disk)?;
        let hint = meta.last().hint;
        Ok(Self {
            disk: disk.clone(),
            identity,
            options,
            writer: WriterMachine::new(identity, progress, segments, options.groups),
            keeper: KeeperMachine::new(options.ready_ahead, segments, current, hint, now_ns),
            meta,
            queue: VecDeque::new(),
            staging: vec![0; to_usize(options.groups.staging_bytes)],
            files: BTreeMap::new(),
            flights: BTreeMap::new(),
            durable: Durable { position: progress.end, op: progress.op },
            segments,
            is_full: false,
            making: None,
        })
    }

    /// How far the log is durable, as the writer has told.
    pub(super) const fn durable(&self) -> Durable {
        self.durable
    }

    /// Whether there is room for a frame behind `end`.
    pub(super) fn room(&self, end: Position) -> Room {
        Room::behind(self.identity.layout, end, self.segments, self.is_full)
    }

    /// Takes a frame for the writer.
    pub(super) fn submit(&mut self, frame: Arc<Frame>) -> Result<(), Stop> {
        let segment = self.identity.layout.segment_of(frame.position());
        if segment >= self.segments {
            return Err(format!("a frame was ordered into segment {segment}, which isn't there"));
        }
        if self.queue.len() >= self.options.queue_frames {
            return Err("the log's queue overflowed".to_owned());
        }
        self.queue.push_back(frame);
        Ok(())
    }

    /// The writer does what there is to do. Gives the writes that it began, up to one that failed.
    pub(super) fn write(&mut self, now_ns: u64, begun: &mut Vec<Begun>) -> Result<(), Stop> {
        self.writer.handle_segments(self.segments);
        loop {
            let taken = self.writer.wants_frame().then(|| self.queue.pop_front()).flatten();
            let mut busy = taken.is_some();
            if let Some(frame) = taken {
                self.writer.handle_frame(frame);
            }
            while let Some(action) = self.writer.poll_action(now_ns, !self.queue.is_empty()) {
                busy = true;
                self.perform(action, now_ns, begun).map_err(stop)?;
            }
            if !busy {
                return Ok(());
            }
        }
    }

    fn perform(
        &mut self,
        action: WriterAction,
        now_ns: u64,
        begun: &mut Vec<Begun>,
    ) -> io::Result<()> {
        match action {
            WriterAction::Open { segment, oldest } => {
                let file = self.disk.open(&segment_name(segment), Open::Write)?;
                self.files.retain(|&number, _| number >= oldest);
                self.files.insert(segment, file);
                self.keeper.handle_begun(segment, now_ns);
            }
            WriterAction::Seal(Place { staging_offset, bytes, .. }) => {
                let target = &mut self.staging[staging_offset..staging_offset + bytes];
                self.writer.seal_into(target);
            }
            WriterAction::Write(write) => {
                let layout = self.identity.layout;
                let segment = layout.segment_of(write.position);
                let Some(file) = self.files.get(&segment).cloned() else {
                    return Err(io::Error::other(format!("segment {segment} is not open")));
                };
                let offset = layout.offset_in_segment(write.position);
                let range = write.staging_offset..write.staging_offset + write.bytes;
                let bytes = self.staging[range].to_vec();
                file.write_at(offset, &bytes)?;
                begun.push(Begun { id: write.id, position: write.position, bytes: bytes.clone() });
                self.flights.insert(write.id, Flight { write, file, offset, bytes });
            }
        }
        Ok(())
    }

    /// The disk is done with a write.
    pub(super) fn end_write(&mut self, id: u64) -> Result<(), Stop> {
        let Some(flight) = self.flights.remove(&id) else { return Ok(()) };
        let written = match self.options.style {
            WriterStyle::Direct => flight.file.write_through(flight.offset, &flight.bytes),
            WriterStyle::Mapped => flight.file.sync_data().map(|()| flight.bytes.len()),
        };
        self.writer.handle_completed(id, written).map_err(|failed| failed.to_string())?;
        if let Some(durable) = self.writer.poll_durable() {
            self.durable = durable;
        }
        Ok(())
    }

    /// When the writer has to look although nothing has happened.
    pub(super) fn write_deadline_ns(&self) -> Option<u64> {
        self.writer.deadline_ns()
    }

    /// Whether everything that was ordered is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.writer.is_idle()
    }

    /// The keeper looks what there is to do. Gives true if it begins to make a segment, which ends
    /// with [`Self::end_making`].
    pub(super) fn keep(&mut self, now_ns: u64) -> Result<bool, Stop> {
        if self.making.is_some() {
            return Ok(false);
        }
        self.keeper.handle_committed(self.writer.hint(), now_ns);
        while let Some(action) = self.keeper.poll_action(now_ns) {
            match action {
                KeeperAction::Hint(hint) => {
                    let written = self.meta.write(hint).map_err(|error| match error {
                        MetaError::Io(error) => error,
                        other => io::Error::other(other),
                    });
                    self.keeper.handle_hinted(written, now_ns).map_err(failed)?;
                }
                KeeperAction::Prepare { segment, in_hurry } => {
                    let how =
                        if in_hurry { Preparation::Reserved } else { self.options.preparation };
                    self.making = Some((segment, how));
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The segment is made, or isn't.
    pub(super) fn end_making(&mut self, now_ns: u64) -> Result<(), Stop> {
        let Some((segment, how)) = self.making.take() else { return Ok(()) };
        let made = prepare_segment(&self.disk, self.identity, segment, how);
        self.keeper.handle_prepared(made, now_ns).map_err(failed)?;
        self.segments = self.keeper.segments();
        self.is_full = self.keeper.is_full();
        Ok(())
    }

    /// The server stops in order: the keeper writes its last word.
    pub(super) fn end(&mut self, now_ns: u64) -> Result<(), Stop> {
        self.end_making(now_ns)?;
        self.keeper.handle_committed(self.writer.hint(), now_ns);
        self.keeper.handle_end();
        self.keep(now_ns)?;
        if self.keeper.is_over() {
            return Ok(());
        }
        Err("the keeper doesn't come to its end".to_owned())
    }

    /// Does the keeper's work on a disk that is about to lose its power: nobody will see what comes of
    /// it.
    pub(super) fn doomed_work(&mut self) {
        let _ = self.meta.write(self.writer.hint());
        let how = self.options.preparation;
        let _ = prepare_segment(&self.disk, self.identity, self.segments, how);
    }

    /// The writes on their way, as stretches of files.
    pub(super) fn in_flight(&self) -> Vec<Stretch> {
        let layout = self.identity.layout;
        let stretch = |flight: &Flight| Stretch {
            file: segment_name(layout.segment_of(flight.write.position)),
            offset: flight.offset,
            length: flight.bytes.len(),
        };
        self.flights.values().map(stretch).collect()
    }
}

fn stop(error: io::Error) -> Stop {
    format!("a write to the log failed: {error}")
}

#[expect(clippy::needless_pass_by_value, reason = "it is an error's end")]
fn failed(failed: KeeperFailed) -> Stop {
    failed.to_string()
}
