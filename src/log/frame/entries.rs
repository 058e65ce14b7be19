//! What stands in a frame: entries and the rows of its sections, as they lie on the disk.

use bytemuck::{Pod, Zeroable};

use crate::ledger::Transfer;
use crate::log::position::{Epoch, Position};

use super::format::{AMENDMENT_BYTES, FrameKind, HISTORY_BYTES, REFUSAL_BYTES};

/// Where the previous created transfers of a transfer's two accounts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Links {
    /// The record before this one of the debit account, or [`Position::NONE`].
    pub debit_previous: Position,
    /// The record before this one of the credit account, or [`Position::NONE`].
    pub credit_previous: Position,
}

/// A transfer in the log: the record, its links and its own index, 144 bytes.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct TransferEntry {
    /// As stored, or as received when it was refused.
    pub transfer: Transfer,
    /// Low 48 bits: position / 16 of the debit account's previous record. High 16 bits: the index
    /// of this entry in its frame.
    debit_link: u64,
    /// Low 48 bits: position / 16 of the credit account's previous record. High 16 bits: 0.
    credit_link: u64,
}

const _: () =
    assert!(size_of::<TransferEntry>() as u64 == FrameKind::CreateTransfers.entry_bytes());

const LINK_BITS: u32 = 48;
const LINK_MASK: u64 = (1 << LINK_BITS) - 1;

impl TransferEntry {
    /// The entry at `index` of its frame. Positions beyond 4 PiB don't exist.
    #[must_use]
    #[inline]
    pub const fn new(transfer: Transfer, index: u16, links: Links) -> Self {
        let debit = (links.debit_previous.0 / 16) & LINK_MASK;
        let credit = (links.credit_previous.0 / 16) & LINK_MASK;
        Self { transfer, debit_link: debit | ((index as u64) << LINK_BITS), credit_link: credit }
    }

    /// Where the previous records of both accounts are.
    #[must_use]
    #[inline]
    pub const fn links(&self) -> Links {
        Links {
            debit_previous: Position((self.debit_link & LINK_MASK) * 16),
            credit_previous: Position((self.credit_link & LINK_MASK) * 16),
        }
    }

    /// The index of the entry in its frame.
    #[must_use]
    #[inline]
    pub const fn index(&self) -> u16 {
        (self.debit_link >> LINK_BITS) as u16
    }
}

/// What a created event looked like on arrival where its stored record doesn't say: 32 bytes.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Amendment {
    /// The event.
    pub index: u32,
    /// Bit set of the fields that were 0 on arrival. Its meaning is the engine's.
    pub inherited: u32,
    /// 0.
    pub reserved: u64,
    /// The amount as received.
    pub amount: u128,
}

impl Amendment {
    /// An amendment of event `index`.
    #[must_use]
    pub const fn new(index: u32, inherited: u32, amount: u128) -> Self {
        Self { index, inherited, reserved: 0, amount }
    }
}

/// An event that is not `created`: 8 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Refusal {
    /// The event.
    pub index: u32,
    /// The code of its status.
    pub status: u32,
}

/// Which side of a transfer a row of history belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum HistorySide {
    /// The debit account.
    Debit = 0,
    /// The credit account.
    Credit = 1,
}

/// The balance of one account right after a created transfer: 80 bytes.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct HistoryRow {
    /// The event.
    pub index: u32,
    /// See [`HistorySide`].
    pub side: u32,
    /// 0.
    pub reserved: u64,
    /// In minor units.
    pub debits_pending: u128,
    /// In minor units.
    pub debits_posted: u128,
    /// In minor units.
    pub credits_pending: u128,
    /// In minor units.
    pub credits_posted: u128,
}

const _: () = assert!(size_of::<Amendment>() as u64 == AMENDMENT_BYTES);
const _: () = assert!(size_of::<Refusal>() as u64 == REFUSAL_BYTES);
const _: () = assert!(size_of::<HistoryRow>() as u64 == HISTORY_BYTES);

/// The one entry of a genesis frame: what the whole log depends on. 128 bytes.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Genesis {
    /// The id of the cluster.
    pub cluster: u128,
    /// Size of a segment.
    pub segment_bytes: u64,
    /// How many accounts there can be.
    pub accounts_max: u64,
    /// How many open holds there can be.
    pub holds_max: u64,
    /// Version of the rules that decide.
    pub rules_version: u32,
    /// 0.
    pub reserved: [u32; 21],
}

const _: () = assert!(size_of::<Genesis>() as u64 == FrameKind::Genesis.entry_bytes());

/// Why a new epoch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum EpochReason {
    /// Recovery cut off a torn tail.
    TornTail = 1,
    /// A node was promoted.
    Promotion = 2,
    /// An operator accepted the loss of a damaged tail.
    Override = 3,
}

impl EpochReason {
    /// The reason with that number.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::TornTail),
            2 => Some(Self::Promotion),
            3 => Some(Self::Override),
            _ => None,
        }
    }
}

/// The one entry of an epoch frame: 64 bytes.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct EpochStart {
    /// The epoch that begins with this frame.
    pub epoch: u64,
    /// The code of an [`EpochReason`].
    pub reason: u32,
    /// 0.
    pub reserved: u32,
    /// Where recovery cut, or 0.
    pub cut_position: u64,
    /// How many bytes from there on held something, or 0.
    pub cut_bytes: u64,
    /// 0.
    pub reserved_end: [u64; 4],
}

const _: () = assert!(size_of::<EpochStart>() as u64 == FrameKind::Epoch.entry_bytes());

impl EpochStart {
    /// The start of `epoch`, with what was cut off.
    #[must_use]
    pub const fn new(epoch: Epoch, reason: EpochReason, cut: Position, cut_bytes: u64) -> Self {
        Self {
            epoch: epoch.0,
            reason: reason as u32,
            reserved: 0,
            cut_position: cut.0,
            cut_bytes,
            reserved_end: [0; 4],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_index_survive_their_packing() {
        let links = Links {
            debit_previous: Position(((1 << 48) - 1) * 16),
            credit_previous: Position(4096 + 256 + 144),
        };
        let entry = TransferEntry::new(Transfer::default(), u16::MAX, links);
        assert_eq!(entry.links(), links);
        assert_eq!(entry.index(), u16::MAX);
        let none = TransferEntry::new(Transfer::default(), 3, Links::default());
        assert!(none.links().debit_previous.is_none());
        assert_eq!(none.index(), 3);
    }
}
