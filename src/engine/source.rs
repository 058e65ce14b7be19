//! Whom an answer is for.

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
