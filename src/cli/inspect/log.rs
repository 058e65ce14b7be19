//! The log of a data directory as the views read it, and what its end means for the command.

use std::path::Path;

use crate::cli::exit::{Exit, Failure};
use crate::cli::log_view::{Ending, LogView};
use crate::cli::say::say;
use crate::log::{FrameView, LogIdentity, Refusal, Verdict};

/// A log that is read from its start.
pub(super) struct Log(LogView);

impl Log {
    /// Opens the log of a data directory.
    ///
    /// # Errors
    /// There is none, or it can't be read at all.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        LogView::open(path).map(Self)
    }

    /// The next frame, none at the end.
    ///
    /// # Errors
    /// The disk doesn't give it.
    pub(super) fn next(&mut self) -> Result<Option<FrameView<'_>>, Failure> {
        self.0.next()
    }

    /// How many segment files there are.
    pub(super) fn segments(&self) -> u64 {
        self.0.segments()
    }

    /// How the log is cut into segments.
    pub(super) fn identity(&self) -> LogIdentity {
        self.0.identity()
    }

    /// What the end of the log means for the command, if it was reached. Whatever isn't a clean end is
    /// told on stderr.
    pub(super) fn end(&mut self) -> Exit {
        if !self.0.is_at_end() {
            return Exit::Ok;
        }
        match self.0.end() {
            Ok(Ending::Judged(row)) if row.verdict() == Verdict::Cut => {
                let (op, end) = (self.0.progress().op, self.0.progress().end);
                say(&format!(
                    "the log ends with op {op} at position {end}; what follows is the torn tail of \
                     a crash, which the next start cuts off"
                ));
                Exit::Ok
            }
            Ok(Ending::Judged(_)) => Exit::Ok,
            Ok(Ending::InUse) => {
                say("a server is at work in the directory: this is what it had committed");
                Exit::Ok
            }
            // What was read before is worth seeing all the same.
            Err(failure) => {
                say(failure.message.as_deref().unwrap_or_default());
                failure.exit
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
