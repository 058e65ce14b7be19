//! What the connections of one core may take together, and what they take.

use crate::limits::{ANSWER_BYTES_SHARED, LARGE_BODIES};

/// What the connections of one core may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of answers beyond what is each connection's own.
    pub answer_bytes: usize,
    /// Large bodies that are received at the same time.
    pub large_bodies: usize,
}

impl Bounds {
    /// The part of one core on a node of so many.
    #[must_use]
    pub fn of_one_core(cores: usize) -> Self {
        assert!(cores > 0, "a node has a core");
        Self { answer_bytes: ANSWER_BYTES_SHARED / cores, large_bodies: LARGE_BODIES / cores }
    }
}

/// What the connections of one core take at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Connections.
    pub connections: usize,
    /// Bytes of answers, promised or not read, beyond what is each connection's own.
    pub answer_bytes: usize,
    /// Large bodies that are being received.
    pub large_bodies: usize,
    /// Connections that wait for memory for an answer.
    pub waiting_for_memory: usize,
    /// Connections that wait to send a large body.
    pub waiting_for_body: usize,
}
