//! Whose turn it is: reads, scans, expiries and writes, none of them twice while another waits.

/// What may be ordered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Only reads: the log has enough to do.
    Reads,
    /// Reads and writes, but holds that have ended stay as they are.
    Writes,
    /// Everything.
    All,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Reads,
    /// A slice of a search through all accounts.
    Scans,
    Expiry,
    Writes,
}

impl Turn {
    /// Who may come now, first choice first: whoever was last comes last.
    pub(super) const fn next_ones(self) -> [Self; 4] {
        match self {
            Self::Reads => [Self::Scans, Self::Expiry, Self::Writes, Self::Reads],
            Self::Scans => [Self::Expiry, Self::Writes, Self::Reads, Self::Scans],
            Self::Expiry => [Self::Writes, Self::Reads, Self::Scans, Self::Expiry],
            Self::Writes => [Self::Reads, Self::Scans, Self::Expiry, Self::Writes],
        }
    }
}
