//! What became of a transfer whose reply was lost.

use bytemuck::{Pod, Zeroable};

/// Bits of the flags of a `resolve_transfers` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolveFlags;

impl ResolveFlags {
    /// Fence every id that was never seen, so that no late copy of it can ever apply.
    pub const FENCE: u32 = 1 << 0;
    /// Every bit that has a meaning.
    pub const ALL: u32 = 1;
}

/// What the ordered log knows of a transfer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum ResolveOutcome {
    /// Never seen; it may still arrive.
    Unknown = 0,
    /// The transfer was created, at the timestamp of the result.
    Created = 1,
    /// The id is burned: the transfer failed and every retry answers `id_already_failed`.
    Failed = 2,
    /// The id is fenced: it was never created and never can be.
    Fenced = 3,
}

impl ResolveOutcome {
    /// The outcome of that code.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::Created,
            2 => Self::Failed,
            3 => Self::Fenced,
            _ => return None,
        })
    }

    /// The name, as in the shell.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Created => "created",
            Self::Failed => "failed",
            Self::Fenced => "fenced",
        }
    }
}

/// The answer for one id: 16 bytes, little-endian.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct ResolveResult {
    /// The transfer's timestamp when it was created, else 0.
    pub timestamp: u64,
    /// The code of a [`ResolveOutcome`].
    pub outcome: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<ResolveResult>() == 16);
