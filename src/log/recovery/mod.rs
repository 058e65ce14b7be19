//! Recovery: from a directory after a crash to a log that can be appended to, or a refusal.
//!
//! The reader is consumed and becomes the end of the log, and only from that can a writer be made.
//! Nothing is changed before the decision is made, and a torn tail is copied before it is
//! zeroed. A refusal changes nothing at all.

mod evidence;
mod repair;
mod table;

#[cfg(test)]
mod tests;

use std::io;

use thiserror::Error;

use crate::io::Storage;
use crate::ledger::Timestamp;

use super::frame::EpochReason;
use super::meta::{CommitHint, Meta, MetaError, MetaFile};
use super::position::Position;
use super::reader::{LogIdentity, LogReader, Progress, ReadError, Stop};

pub(crate) use repair::QUARANTINE_DIRECTORY;
pub use table::{Beyond, Findings, Row, Shape, Verdict};

/// What recovery needs to know from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryInput {
    /// The highest position that something outside this directory knows to be acknowledged.
    pub acknowledged: Position,
    /// The position from which an operator accepts to lose everything.
    pub loss_accepted_at: Option<Position>,
    /// For the frame that begins a new epoch: the last timestamp of the state replayed.
    pub timestamp: Timestamp,
    /// For the same frame: the digest of the state replayed.
    pub state_digest: u64,
}

/// Why the log can't be appended to.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// The log is damaged, or may be.
    #[error(
        "the log ends at position {position} (op {op}) in a way that no crash explains: {}. \
         There: {stop}. Known to be acknowledged up to: {acknowledged}. What to do: {}",
        row.name(), row.advice()
    )]
    Refused {
        /// Why.
        row: Row,
        /// Where the last whole frame ends.
        position: Position,
        /// The last op.
        op: u64,
        /// What stands there.
        stop: Stop,
        /// The highest position that anything knows to be acknowledged.
        acknowledged: Position,
    },
    /// Reading stopped before the end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was found can't be made durable.
    #[error("what the log holds can't be made durable: {0}")]
    Sync(io::Error),
    /// The repair of a torn tail failed.
    #[error("the torn tail at position {position} can't be cut off: {source}")]
    Repair {
        /// Where.
        position: Position,
        /// Why.
        source: io::Error,
    },
}

/// What was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where.
    pub position: Position,
    /// How many bytes, zeros in between included.
    pub bytes: u64,
    /// Where the copies are, as names in the data directory.
    pub quarantine: Vec<String>,
    /// Why it was allowed.
    pub row: Row,
}

/// The end of a log that is whole. A writer starts from it.
#[derive(Debug)]
pub struct LogEnd<S: Storage> {
    pub(super) storage: S,
    pub(super) identity: LogIdentity,
    pub(super) segments: u64,
    progress: Progress,
    cut: Option<Cut>,
}

impl<S: Storage> LogEnd<S> {
    /// End, chain value, op and epoch of the last frame.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Which log it is.
    #[must_use]
    pub const fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// How many segment files there are.
    #[must_use]
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    /// The directory.
    #[must_use]
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// What was cut off, if anything was. Then the last frame is one that begins a new epoch.
    #[must_use]
    pub const fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }
}

impl<S: Storage> LogReader<S> {
    /// What the end of the log is, without changing anything. For offline checks.
    ///
    /// # Errors
    /// If the reader hadn't reached the end and can't.
    pub fn examine(
        &mut self,
        meta: Option<&Meta>,
        input: &RecoveryInput,
    ) -> Result<Examination, ReadError> {
        while self.next_frame()?.is_some() {}
        let stop = self.stop().unwrap_or(Stop::Discontinuous("the reader has not stopped"));
        let evidence = evidence::gather(self, stop);
        let hint = meta.map_or(Position::NONE, |meta| meta.hint.committed);
        let known = evidence.committed.max(hint).max(input.acknowledged);
        let end = self.progress().end;
        let row = Row::of(Findings {
            shape: evidence.shape,
            acknowledged: known > end,
            beyond: evidence.beyond,
            loss_accepted: input.loss_accepted_at == Some(end),
        });
        Ok(Examination { row, stop, acknowledged: known, remains: evidence.remains })
    }

    /// Decides what the end of the log is, makes all before it durable, and cuts off a torn tail.
    ///
    /// # Errors
    /// If the table refuses, or what was found can't be made durable, or the repair fails. Nothing
    /// was cut off then.
    pub fn into_end(
        mut self,
        meta: &Meta,
        input: &RecoveryInput,
    ) -> Result<LogEnd<S>, RecoveryError> {
        let examination = self.examine(Some(meta), input)?;
        let progress = self.progress();
        let mut end = LogEnd {
            storage: self.storage().clone(),
            identity: self.identity(),
            segments: self.segments(),
            progress,
            cut: None,
        };
        let verdict = examination.row.verdict();
        if verdict == Verdict::Refuse {
            return Err(RecoveryError::Refused {
                row: examination.row,
                position: progress.end,
                op: progress.op.0,
                stop: examination.stop,
                acknowledged: examination.acknowledged,
            });
        }
        // A process that was killed may have left whole frames that only the page cache holds.
        repair::make_durable(&end.storage, end.identity.layout, end.segments, progress.end)
            .map_err(RecoveryError::Sync)?;
        match verdict {
            Verdict::Continue | Verdict::Refuse => Ok(end),
            Verdict::Cut => {
                end.cut_off(&examination, input)
                    .map_err(|source| RecoveryError::Repair { position: progress.end, source })?;
                Ok(end)
            }
        }
    }
}

/// What the end of a log is.
#[derive(Debug)]
pub struct Examination {
    /// The row of the decision table that applies.
    pub row: Row,
    /// What stands at the end.
    pub stop: Stop,
    /// The highest position that anything knows to be acknowledged.
    pub acknowledged: Position,
    remains: Vec<evidence::Remains>,
}

impl<S: Storage> LogEnd<S> {
    fn cut_off(&mut self, found: &Examination, input: &RecoveryInput) -> io::Result<()> {
        let layout = self.identity.layout;
        let position = self.progress.end;
        let bytes = found.remains.last().map_or(0, |last| last.end.0 - position.0);
        let quarantine = repair::quarantine(&self.storage, layout, &found.remains)?;
        repair::zero(&self.storage, layout, &found.remains)?;
        let reason = match found.row {
            Row::LossAccepted => EpochReason::Override,
            _ => EpochReason::TornTail,
        };
        let new = repair::NewEpoch {
            reason,
            cut_bytes: bytes,
            timestamp: input.timestamp,
            state_digest: input.state_digest,
        };
        self.progress = repair::append_epoch(
            &self.storage,
            self.identity,
            &mut self.segments,
            self.progress,
            new,
        )?;
        if reason == EpochReason::Override {
            self.lower_hint()?;
        }
        self.cut = Some(Cut { position, bytes, quarantine, row: found.row });
        Ok(())
    }

    /// The meta file must not go on claiming what the operator has given up.
    fn lower_hint(&self) -> io::Result<()> {
        let hint = CommitHint {
            committed: self.progress.end,
            op: self.progress.op,
            epoch: self.progress.epoch,
        };
        let replaced = MetaFile::open(&self.storage).and_then(|mut file| file.replace(hint));
        replaced.map_err(|error| match error {
            MetaError::Io(error) => error,
            other => io::Error::other(other),
        })
    }
}
