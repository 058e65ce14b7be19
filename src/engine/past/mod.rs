//! What was written: the newest frames in memory, and the way to the older ones.

mod frames;
mod loads;
mod recent;

use std::sync::Arc;

pub(super) use self::frames::TransferFrames;
pub(super) use self::loads::Loads;
pub use self::loads::{Found, Load, Loaded};
use self::recent::Recent;
use crate::ledger::{Op, Transfer};
use crate::log::{Frame, Position, RecordError};

/// Where old records are read from.
pub trait Records {
    /// The transfer whose record stands at that position of the log.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn transfer(&mut self, position: Position) -> Result<Transfer, RecordError>;

    /// Whether any of the frames from `first` to before `until` created a transfer at exactly that
    /// timestamp. All of them are committed.
    ///
    /// # Errors
    /// When the log can't be read there.
    fn created_at(
        &mut self,
        first: Position,
        until: Position,
        timestamp: u64,
    ) -> Result<bool, RecordError>;

    /// Reads what an engine asks for ([`super::Engine::poll_load`]).
    ///
    /// # Errors
    /// When the log can't be read there.
    fn load(&mut self, load: Load) -> Result<Loaded, RecordError> {
        let found = match load {
            Load::Transfer(position) => Found::Transfer(self.transfer(position)?),
            Load::CreatedAt { first, until, timestamp } => {
                Found::CreatedAt(self.created_at(first, until, timestamp)?)
            }
        };
        Ok(Loaded { load, found })
    }
}

/// The records of the log as the deciding kinds see them: at hand, or to be loaded first.
///
/// Invariant: every frame that isn't committed yet is in `recent`, so whatever has to be loaded is on
/// the disk.
#[derive(Debug)]
pub(super) struct Past {
    recent: Recent,
    pub(super) frames: TransferFrames,
    pub(super) loads: Loads,
}

impl Past {
    pub(super) fn new(recent_bytes_max: u64) -> Self {
        Self {
            recent: Recent::new(recent_bytes_max),
            frames: TransferFrames::default(),
            loads: Loads::default(),
        }
    }

    /// A frame was written.
    pub(super) fn push(&mut self, frame: Arc<Frame>) {
        self.recent.push(frame);
    }

    /// Everything up to `op` is committed and may leave memory.
    pub(super) fn trim(&mut self, committed: Op) {
        self.recent.trim(committed);
    }

    /// A record of the newest frames.
    pub(super) fn recent(&self, position: Position) -> Option<Transfer> {
        self.recent.transfer(position)
    }

    /// A record.
    ///
    /// # Errors
    /// What has to be loaded first.
    #[inline]
    pub(super) fn transfer(&self, position: Position) -> Result<Transfer, Load> {
        if let Some(transfer) = self.recent.transfer(position) {
            return Ok(transfer);
        }
        let load = Load::Transfer(position);
        match self.loads.find(load.key()) {
            Some(Found::Transfer(transfer)) => Ok(transfer),
            Some(Found::CreatedAt(_)) => unreachable!("a record was asked for"),
            None => Err(load),
        }
    }

    /// Whether a transfer has exactly that timestamp.
    ///
    /// # Errors
    /// What has to be loaded first.
    pub(super) fn created_at(&self, timestamp: u64) -> Result<bool, Load> {
        let Some((newest, first)) = self.frames.first_since(timestamp) else { return Ok(false) };
        if newest == timestamp {
            return Ok(true);
        }
        if let Some(created) = self.recent.created_at(first, timestamp) {
            return Ok(created);
        }
        // What is older than the newest frames is committed, and so on the disk.
        assert!(newest > timestamp, "later frames say nothing of it");
        let load = Load::CreatedAt { first, until: self.recent.oldest(), timestamp };
        match self.loads.find(load.key()) {
            Some(Found::CreatedAt(created)) => Ok(created),
            Some(Found::Transfer(_)) => unreachable!("a timestamp was asked for"),
            None => Err(load),
        }
    }
}
