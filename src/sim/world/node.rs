//! The server's inside: the engine and the log as production runs them, moved by events.
//!
//! It mirrors the sequencer, with the same machines under it: the engine, the log's writer and keeper,
//! and the same replay at the start. Time and the order of completions come from outside. It never
//! decides when something happens.

use super::logging::{Logging, LoggingOptions, Stop};
use crate::engine::{
    Engine, Inline, Load, Loaded, Permit, Polled, Records, Release, Source, StoredLog, Submission,
};
use crate::io::memory::MemoryStorage;
use crate::io::to_u64;
use crate::ledger::Timestamp;
use crate::log::{Epoch, Meta, Principal, Room};
use crate::node::permit;
use crate::server::{OpenError, ReplayOptions, replay};
use crate::wire::{ErrorCode, Reply, Request, RequestError};

/// What a node is started with.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeOptions {
    pub(super) partitions: usize,
    pub(super) hash_key: u128,
    pub(super) logging: LoggingOptions,
    pub(super) recent_bytes_max: u64,
}

/// A running server's inside.
pub(super) struct Node {
    pub(super) engine: Engine<Inline>,
    pub(super) queries: StoredLog<MemoryStorage>,
    pub(super) logging: Logging,
    pub(super) epoch: Epoch,
    /// What recovery cut off, if it did.
    pub(super) was_cut: bool,
    pub(super) draining: bool,
}

impl Node {
    /// Starts on a disk that holds a log.
    pub(super) fn start(
        disk: &MemoryStorage,
        options: NodeOptions,
        now_ns: u64,
    ) -> Result<Self, OpenError> {
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
            logging: Logging::start(disk, &end, options.logging, now_ns)?,
            epoch: end.progress().epoch,
            was_cut: end.cut().is_some(),
            draining: false,
        })
    }

    /// Whether writes are refused for want of room in the log.
    pub(super) fn is_full(&self) -> bool {
        self.logging.room(self.engine.end().position) == Room::Full
    }

    /// Whether writes wait until the next segment is made.
    pub(super) fn waits_for_room(&self) -> bool {
        let room = self.logging.room(self.engine.end().position);
        room == Room::Awaited && self.engine.waiting_events() > 0
    }

    /// Events that wait for their turn.
    pub(super) fn waiting_events(&self) -> u64 {
        to_u64(self.engine.waiting_events() + self.engine.parked_events())
    }

    /// Makes the next batches and queues their frames for the log.
    pub(super) fn order(&mut self, unix_ns: u64) -> Result<(), Stop> {
        loop {
            let end = self.engine.end();
            let room = self.logging.room(end.position);
            if room == Room::Full {
                self.engine.refuse_writes(&RequestError::new(ErrorCode::CapacityExceeded));
            }
            let ahead = end.op.0 - self.logging.durable().op.0;
            let permit = match room {
                Room::Ready => permit(ahead, self.engine.waiting_events()),
                Room::Awaited | Room::Full => Permit::Reads,
            };
            match self.engine.poll(Timestamp(unix_ns), permit) {
                Polled::Frame(frame) => self.logging.submit(frame)?,
                Polled::More => {}
                Polled::Nothing => return Ok(()),
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

    /// The next answer that may go.
    pub(super) fn next_release(&mut self) -> Option<Release> {
        let durable = self.logging.durable().op;
        if durable > self.engine.committed() {
            self.engine.handle_committed(durable);
        }
        self.engine.poll_release()
    }

    /// Whether everything that came was answered and is durable.
    pub(super) fn is_idle(&self) -> bool {
        self.engine.is_idle() && self.logging.is_idle()
    }

    /// Asks the engine directly, while nothing else is under way.
    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, Stop> {
        let source = Source { core: 0, slot: ASKER_SLOT, generation: 0, correlation: 0 };
        self.engine.submit(Submission { source, principal: Principal::NOBODY, request });
        self.order(0)?;
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
