//! Acts of operators, ordered like any batch: what they ask for and what comes of them.

use bytemuck::{Pod, Zeroable};

/// How much there may be of what stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Accounts that may exist.
    pub accounts_max: u64,
    /// Holds that may be open.
    pub holds_max: u64,
}

impl Capacity {
    /// Memory that all of them take, in bytes, tables at their lowest fill included. Saturates.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        // A row with what never changes of it, and up to four places of its table while that grows.
        const ACCOUNT: u64 = 64 + 48 + 32;
        // A record, the places of its table, its end in the order of ends, and its number among the free ones.
        const HOLD: u64 = 128 + 32 + 64 + 4;
        let accounts = self.accounts_max.saturating_mul(ACCOUNT);
        accounts.saturating_add(self.holds_max.saturating_mul(HOLD))
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// More accounts or holds than before. A number of 0 leaves that one as it is.
    RaiseCapacity(Capacity),
}

/// The arguments of a command: what they are depends on its kind and version.
pub type CommandWords = [u64; 6];

impl Command {
    /// Its kind, its version and its arguments, as they stand on the wire and in the log.
    #[must_use]
    pub const fn to_words(self) -> (u16, u16, CommandWords) {
        match self {
            Self::RaiseCapacity(Capacity { accounts_max, holds_max }) => {
                (1, 1, [accounts_max, holds_max, 0, 0, 0, 0])
            }
        }
    }

    /// The command of that kind, version and arguments; none if this program doesn't know it.
    #[must_use]
    pub const fn from_words(kind: u16, version: u16, words: CommandWords) -> Option<Self> {
        match (kind, version, words) {
            (1, 1, [accounts_max, holds_max, 0, 0, 0, 0]) => {
                Some(Self::RaiseCapacity(Capacity { accounts_max, holds_max }))
            }
            _ => None,
        }
    }

    /// Its name, as operators know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RaiseCapacity(_) => "raise_capacity",
        }
    }
}

/// What came of a command: 64 bytes, little-endian.
///
/// ```text
/// 0           8        12  16                                                     64
/// │ timestamp │ status │ 0 │ values                                                │
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct CommandResult {
    /// Its slot in the one order.
    pub timestamp: u64,
    /// The code of a [`super::CommandStatus`].
    pub status: u32,
    /// 0.
    pub reserved: u32,
    /// How things are after it. Of `raise_capacity`: accounts, holds, then 0.
    pub values: CommandWords,
}

const _: () = assert!(size_of::<CommandResult>() == 64);

impl CommandResult {
    /// The result of a `raise_capacity`, with the capacity after it.
    #[must_use]
    pub const fn of_capacity(timestamp: u64, status: u32, capacity: Capacity) -> Self {
        let Capacity { accounts_max, holds_max } = capacity;
        Self { timestamp, status, reserved: 0, values: [accounts_max, holds_max, 0, 0, 0, 0] }
    }

    /// The capacity after a `raise_capacity`.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        Capacity { accounts_max: self.values[0], holds_max: self.values[1] }
    }
}
