//! What comes into the engine and what goes out of it.

use std::sync::Arc;

use super::query::LongRead;
use super::source::Source;
use crate::ledger::Op;
use crate::log::{Frame, Principal};
use crate::wire::{Reply, Request};

/// A request, as a connection hands it in.
#[derive(Debug)]
pub struct Submission {
    /// Where it came from.
    pub source: Source,
    /// Who asked.
    pub principal: Principal,
    /// What for.
    pub request: Request,
}

/// How far a call of [`super::Engine::poll`] came.
#[derive(Debug)]
pub enum Polled {
    /// A batch was decided, and its frame belongs at the end of the log. There may be more to do.
    Frame(Arc<Frame>),
    /// Something was done that needs no frame. There may be more to do: take in what has come, and call again
    /// with the time as it is then.
    More,
    /// There is nothing to do before something comes in: an answer of an owner, a record, a request, room, or
    /// the end of a hold.
    Nothing,
}

/// What the engine lets go once its op is committed.
#[derive(Debug)]
pub enum Release {
    /// An answer.
    Reply {
        /// Whom it is for.
        to: Source,
        /// The op that it reflects.
        op: Op,
        /// The answer itself.
        reply: Reply,
    },
    /// A read that walks the committed log and is better done on another thread.
    Query {
        /// Whom it is for.
        to: Source,
        /// The op that it reflects.
        op: Op,
        /// What is to be read.
        read: LongRead,
    },
}

impl Release {
    /// The op that it reflects.
    #[must_use]
    pub const fn op(&self) -> Op {
        match self {
            Self::Reply { op, .. } | Self::Query { op, .. } => *op,
        }
    }
}
