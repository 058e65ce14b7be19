//! The balance of an account at one moment of its history.

use bytemuck::{Pod, Zeroable};

/// The four counters of an account right after one transfer: 128 bytes, little-endian.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct AccountBalance {
    /// In minor units.
    pub debits_pending: u128,
    /// In minor units.
    pub debits_posted: u128,
    /// In minor units.
    pub credits_pending: u128,
    /// In minor units.
    pub credits_posted: u128,
    /// The timestamp of the transfer after which the counters stood so.
    pub timestamp: u64,
    /// 0.
    pub reserved: [u64; 7],
}

const _: () = assert!(size_of::<AccountBalance>() == 128);
