//! Many reads of the log at a time, each of which gets its turn.

use super::{CommittedLog, LongRead, Reading};
use crate::engine::fair::Fair;
use crate::engine::source::Source;
use crate::ledger::Op;
use crate::limits::QUERY_NS_MAX;
use crate::log::RecordError;
use crate::wire::{ErrorCode, Reply, RequestError};

/// A read with whom it is for.
#[derive(Debug)]
struct Query {
    op: Op,
    reading: Reading,
    /// When it is given up; the time that it waits for its first turn counts, too.
    deadline_ns: u64,
}

/// An answer on its way.
#[derive(Debug)]
pub struct Answered {
    /// Whom it is for.
    pub to: Source,
    /// The op that it reflects.
    pub op: Op,
    /// The answer itself.
    pub reply: Reply,
}

/// The reads that one thread carries out.
///
/// Invariant: at most one read of each connection is under way, so there are as many at most as there are
/// connections; the others of a connection wait behind it.
#[derive(Debug, Default)]
pub struct Queries {
    fair: Fair<Query>,
}

impl Queries {
    /// Takes in a read whose op is committed.
    pub fn submit(&mut self, to: Source, op: Op, read: LongRead, now_ns: u64) {
        let deadline_ns = now_ns.saturating_add(QUERY_NS_MAX);
        self.fair.push(to, Query { op, reading: Reading::new(read), deadline_ns });
    }

    /// A connection is gone, and nobody waits for its answers.
    pub fn handle_gone(&mut self, source: Source) {
        self.fair.forget(source);
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.fair.is_empty()
    }

    /// Does one slice of one read. Gives its answer if that was the last, or if it has had its time.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn step(
        &mut self,
        log: &mut impl CommittedLog,
        now_ns: u64,
    ) -> Result<Option<Answered>, RecordError> {
        let Some((to, mut query)) = self.fair.take() else { return Ok(None) };
        let op = query.op;
        assert!(op.0 > 0, "a read waits for the op that it reflects");
        let reply = match query.reading.step(log)? {
            Some(reply) => reply,
            None if now_ns < query.deadline_ns => {
                self.fair.put_back(to, query);
                return Ok(None);
            }
            None => {
                let text = "the log was not searched through in time";
                Reply::Error(RequestError::new(ErrorCode::DeadlineExceeded).with_detail(text))
            }
        };
        Ok(self.fair.end().then_some(Answered { to, op, reply }))
    }
}
