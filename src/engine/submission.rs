//! What comes into the engine and what goes out of it.

use super::query::LongRead;
use crate::ledger::Op;
use crate::wire::{Reply, Request};

/// Where a request came from, and so where its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The core that serves the connection.
    pub core: u16,
    /// The connection's place on that core.
    pub slot: u32,
    /// Tells the connection from others that had the place before it.
    pub generation: u32,
    /// The client's number for the request.
    pub correlation: u64,
}

impl Source {
    /// Whether both came from the same connection.
    #[must_use]
    pub const fn is_same_connection(self, other: Self) -> bool {
        self.core == other.core && self.slot == other.slot && self.generation == other.generation
    }
}

/// A request, as a connection hands it in.
#[derive(Debug)]
pub struct Submission {
    /// Who asked.
    pub source: Source,
    /// What for.
    pub request: Request,
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
