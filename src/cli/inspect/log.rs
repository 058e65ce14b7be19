//! The log of a data directory, opened for reading, and what its end means.

use std::path::Path;

use crate::cli::exit::{Exit, Failure};
use crate::cli::missing_meta::missing_meta;
use crate::cli::say;
use crate::io::Directory;
use crate::log::{
    FrameView, LogIdentity, LogReader, Meta, MetaError, ReadError, RecoveryInput, Refusal, Verdict,
};

/// A log that is read from its start.
pub(super) struct Log {
    reader: LogReader<Directory>,
    meta: Meta,
}

impl Log {
    /// Opens the log of a data directory.
    ///
    /// # Errors
    /// There is none, or it can't be read at all.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let at = |exit, why: String| Failure::new(exit, format!("{}: {why}", path.display()));
        if !path.is_dir() {
            return Err(at(Exit::Usage, "there is no such directory".to_owned()));
        }
        let directory = Directory::new(path);
        let meta = Meta::load(&directory).map_err(|error| {
            let exit = match error {
                MetaError::Damaged => Exit::Damaged,
                MetaError::Io(_) | MetaError::Version { .. } | MetaError::Rules { .. } => {
                    Exit::Failed
                }
            };
            at(exit, error.to_string())
        })?;
        let meta = meta.ok_or_else(|| {
            missing_meta(path).unwrap_or_else(|| at(Exit::Usage, "holds no log".to_owned()))
        })?;
        let identity = LogIdentity { cluster: meta.config.cluster, layout: meta.config.layout() };
        let reader = LogReader::open(directory, identity)
            .map_err(|error| at(Exit::Damaged, error.to_string()))?;
        Ok(Self { reader, meta })
    }

    /// The next frame, none at the end.
    ///
    /// # Errors
    /// The disk doesn't give it.
    pub(super) fn next(&mut self) -> Result<Option<FrameView<'_>>, Failure> {
        self.reader
            .next_frame()
            .map_err(|error: ReadError| Failure::new(Exit::Damaged, error.to_string()))
    }

    /// How many segment files there are.
    pub(super) fn segments(&self) -> u64 {
        self.reader.segments()
    }

    /// How the log is cut into segments.
    pub(super) fn identity(&self) -> LogIdentity {
        self.reader.identity()
    }

    /// What the end of the log means for the command, if it was reached: recovery's own judgement.
    /// Whatever isn't a clean end is told on stderr.
    ///
    /// # Errors
    /// The disk doesn't give what stands there.
    pub(super) fn end(&mut self) -> Result<Exit, Failure> {
        if self.reader.stop().is_none() {
            return Ok(Exit::Ok);
        }
        let examined = self
            .reader
            .examine(Some(&self.meta), &RecoveryInput::default())
            .map_err(|error| Failure::new(Exit::Damaged, error.to_string()))?;
        let (op, end) = (self.reader.progress().op, self.reader.progress().end);
        let (row, stop) = (examined.row, examined.stop);
        match row.verdict() {
            Verdict::Continue => Ok(Exit::Ok),
            Verdict::Cut => {
                say(&format!(
                    "the log ends with op {op} at position {end}; what follows is the torn tail of \
                     a crash, which the next start cuts off"
                ));
                Ok(Exit::Ok)
            }
            Verdict::Refuse => {
                say(&format!(
                    "the log can be read up to op {op}, position {end}; no crash explains what \
                     follows: {}. There: {stop}. What to do: {}",
                    row.name(),
                    row.advice()
                ));
                Ok(Exit::Damaged)
            }
        }
    }
}

/// The status that a frame records for the event at `index`; none if it was created.
pub(super) fn refusal(refusals: &[Refusal], index: usize) -> Option<u32> {
    let index = u32::try_from(index).ok()?;
    let at = refusals.binary_search_by_key(&index, |refusal| refusal.index).ok()?;
    refusals.get(at).map(|refusal| refusal.status)
}
