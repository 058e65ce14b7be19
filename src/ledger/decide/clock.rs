//! The timestamps of a batch.

/// Where the timestamps of a batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchClock {
    /// The event at index `i` of the batch owns the timestamp `base + i + 1`.
    pub base: u64,
    /// The newest timestamp of a created record of the batch's kind, for imported events.
    pub newest: u64,
}

impl BatchClock {
    /// The timestamp that belongs to an event's place.
    #[must_use]
    pub const fn slot(&self, at: usize) -> u64 {
        self.base + at as u64 + 1
    }
}
