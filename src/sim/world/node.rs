//! The server's inside: the engine, the log and its keeper as production runs them, moved by events.
//!
//! It mirrors the sequencer, the log writer's loop and the keeper's thread, with the same machines
//! under it: the engine, the group commit with its sealing, segment preparation, the meta file, and
//! the same replay at the start. Time and the order of completions come from outside. It never
//! decides when something happens.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::damage::Stretch;
use crate::engine::{
    Engine, Inline, Load, Loaded, Polled, Records, Release, Source, StoredLog, Submission,
};
use crate::io::StorageFile;
use crate::io::memory::{MemoryFile, MemoryStorage};
use crate::ledger::Timestamp;
use crate::log::{
    CommitHint, Durable, Epoch, Frame, GroupConfig, LogIdentity, Meta, MetaFile, Position,
    Preparation, Principal, SteppedWriter, WriteRequest, segment_name,
};
use crate::node::permit;
use crate::server::{OpenError, ReplayOptions, replay};
use crate::wire::{Reply, Request};

/// Segments that are ready behind the one in use.
const READY_AHEAD: u64 = 1;

/// Why the server has to stop.
pub(super) type Stop = String;

/// How the log reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriterStyle {
    /// Each write makes just its own bytes durable.
    Direct,
    /// Each write makes everything in its segment durable.
    Mapped,
}

/// What a node is started with.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeOptions {
    pub(super) partitions: usize,
    pub(super) hash_key: u128,
    pub(super) groups: GroupConfig,
    pub(super) style: WriterStyle,
    pub(super) preparation: Preparation,
    pub(super) recent_bytes_max: u64,
}

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

/// A running server's inside.
pub(super) struct Node {
    pub(super) engine: Engine<Inline>,
    pub(super) queries: StoredLog<MemoryStorage>,
    writer: SteppedWriter<MemoryStorage>,
    meta: MetaFile<MemoryFile>,
    queue: VecDeque<Arc<Frame>>,
    flights: BTreeMap<u64, Flight>,
    identity: LogIdentity,
    options: NodeOptions,
    pub(super) epoch: Epoch,
    /// What recovery cut off, if it did.
    pub(super) was_cut: bool,
    /// There is no room for the next segment.
    pub(super) full: bool,
    pub(super) draining: bool,
}

impl Node {
    /// Starts on a disk that holds a log.
    pub(super) fn start(disk: &MemoryStorage, options: NodeOptions) -> Result<Self, OpenError> {
        let meta = Meta::load(disk)?.ok_or(OpenError::Empty)?;
        let replay_options = ReplayOptions {
            partitions: options.partitions,
            hash_key: options.hash_key,
            recent_bytes_max: options.recent_bytes_max,
            state_bytes_max: u64::MAX,
            loss_accepted_at: None,
        };
        let (engine, end) = replay(disk, &meta, replay_options)?;
        let identity = end.identity();
        Ok(Self {
            engine,
            queries: StoredLog::new(disk.clone(), identity.layout, identity.cluster),
            writer: SteppedWriter::new(&end, options.groups),
            meta: MetaFile::open(disk)?,
            queue: VecDeque::new(),
            flights: BTreeMap::new(),
            identity,
            options,
            epoch: end.progress().epoch,
            was_cut: end.cut().is_some(),
            full: false,
            draining: false,
        })
    }

    /// How far the log is durable, as far as the writer knows.
    pub(super) const fn durable(&self) -> Durable {
        self.writer.durable()
    }

    /// Makes the next batches and queues their frames for the log.
    pub(super) fn order(&mut self, unix_ns: u64) {
        loop {
            let ahead = self.engine.end().op.0 - self.durable().op.0;
            let permit = permit(ahead, self.engine.waiting_events());
            match self.engine.poll(Timestamp(unix_ns), permit) {
                Polled::Frame(frame) => self.queue.push_back(frame),
                Polled::More => {}
                Polled::Nothing => return,
            }
        }
    }

    /// Old records that requests wait for, to be read some time.
    pub(super) fn next_loads(&mut self) -> Option<Vec<Load>> {
        self.engine.poll_load()
    }

    /// The thread that reads old records has read these.
    pub(super) fn read_records(&mut self, loads: Vec<Load>) -> Result<(), Stop> {
        let loaded: Result<Vec<Loaded>, _> =
            loads.into_iter().map(|load| self.queries.load(load)).collect();
        self.engine.handle_loaded(&loaded.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Seals what there is room for and starts the writes that are due, up to the first that fails.
    pub(super) fn begin_writes(&mut self, now_ns: u64, begun: &mut Vec<Begun>) -> Result<(), Stop> {
        loop {
            while let Some(frame) = self.queue.front() {
                if !self.writer.handle_frame(frame, now_ns) {
                    break;
                }
                self.queue.pop_front();
            }
            let Some(write) = self.writer.poll_write(now_ns) else { return Ok(()) };
            let bytes = self.writer.bytes(&write).to_vec();
            let (file, offset) = self.writer.file_at(write.position).map_err(stop)?;
            file.write_at(offset, &bytes).map_err(stop)?;
            begun.push(Begun { id: write.id, position: write.position, bytes: bytes.clone() });
            self.flights.insert(write.id, Flight { write, file, offset, bytes });
        }
    }

    /// The disk is done with a write.
    pub(super) fn end_write(&mut self, id: u64) -> Result<(), Stop> {
        let Some(flight) = self.flights.remove(&id) else { return Ok(()) };
        let result = match self.options.style {
            WriterStyle::Direct => flight.file.write_through(flight.offset, &flight.bytes),
            WriterStyle::Mapped => flight.file.sync_data(),
        };
        let ended = self.writer.handle_completed(&flight.write, result.is_ok());
        result.map_err(stop)?;
        ended.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// When a group has to go out although a write is in flight.
    pub(super) fn write_deadline_ns(&self) -> Option<u64> {
        self.writer.group().deadline_ns()
    }

    /// The next answer that may go.
    pub(super) fn next_release(&mut self) -> Option<Release> {
        let durable = self.durable().op;
        if durable > self.engine.committed() {
            self.engine.handle_committed(durable);
        }
        self.engine.poll_release()
    }

    /// Whether everything that came was answered and is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.engine.is_idle() && self.queue.is_empty() && self.writer.group().is_idle()
    }

    /// Writes a hint how far the log is committed.
    pub(super) fn write_hint(&mut self) -> Result<(), Stop> {
        let Durable { position, op } = self.durable();
        let hint = CommitHint { committed: position, op, epoch: self.epoch };
        self.meta.write(hint).map_err(|error| error.to_string())
    }

    /// Makes the next segment if it is time. A full disk is no reason to stop yet.
    pub(super) fn prepare(&mut self) {
        let current = self.identity.layout.segment_of(self.engine.end().position);
        if self.writer.segments() > current + READY_AHEAD {
            return;
        }
        self.prepare_regardless();
    }

    /// Makes the next segment whether it is time or not, and whatever comes of it.
    pub(super) fn prepare_regardless(&mut self) {
        self.full = self.writer.prepare_next(self.options.preparation).is_err();
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

    /// Asks the engine directly, while nothing else is under way.
    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, Stop> {
        let source = Source { core: 0, slot: ASKER_SLOT, generation: 0, correlation: 0 };
        self.engine.submit(Submission { source, principal: Principal::NOBODY, request });
        self.order(0);
        match self.engine.poll_release() {
            Some(Release::Reply { reply, .. }) => Ok(reply),
            Some(Release::Query { read, .. }) => {
                crate::engine::run_query(&read, &mut self.queries).map_err(|e| e.to_string())
            }
            None => Err("a read at rest got no answer".to_owned()),
        }
    }
}

/// No connection has this place.
const ASKER_SLOT: u32 = 63;

fn stop(error: io::Error) -> Stop {
    error.to_string()
}
