//! Filters of the reads, and why a filter can't be served.

use bytemuck::{Pod, Zeroable};

use super::Timestamp;

/// Chooses transfers or balances of one account: 128 bytes, little-endian.
///
/// Matches a transfer when the account stands on a chosen side **and** every non-zero field agrees.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct AccountFilter {
    /// The account. Not 0, not MAX.
    pub account_id: u128,
    /// 0 is any.
    pub user_data_128: u128,
    /// 0 is any.
    pub user_data_64: u64,
    /// 0 is any.
    pub user_data_32: u32,
    /// 0 is any.
    pub code: u16,
    /// 0.
    pub reserved_16: u16,
    /// Inclusive, 0 is open.
    pub timestamp_min: u64,
    /// Inclusive, 0 is open.
    pub timestamp_max: u64,
    /// Records wanted, from 1; a reply holds at most [`crate::limits::RECORDS_PER_REPLY_MAX`].
    pub limit: u32,
    /// See [`AccountFilterFlags`].
    pub flags: u32,
    /// 0.
    pub reserved: [u64; 7],
}

const _: () = assert!(size_of::<AccountFilter>() == 128);

/// Bits of [`AccountFilter::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFilterFlags;

impl AccountFilterFlags {
    /// Transfers that debit the account.
    pub const DEBITS: u32 = 1 << 0;
    /// Transfers that credit the account.
    pub const CREDITS: u32 = 1 << 1;
    /// Newest first.
    pub const REVERSED: u32 = 1 << 2;
    /// Every bit that has a meaning.
    pub const ALL: u32 = 7;
}

/// Bits of the flags of the query filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryFilterFlags;

impl QueryFilterFlags {
    /// Newest first.
    pub const REVERSED: u32 = 1 << 0;
    /// Every bit that has a meaning.
    pub const ALL: u32 = 1;
}

/// Chooses accounts by their fields: 64 bytes, little-endian. Non-zero fields are ANDed.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct QueryAccountsFilter {
    /// 0 is any.
    pub user_data_128: u128,
    /// 0 is any.
    pub user_data_64: u64,
    /// 0 is any.
    pub user_data_32: u32,
    /// 0 is any.
    pub ledger: u32,
    /// Inclusive, 0 is open.
    pub timestamp_min: u64,
    /// Inclusive, 0 is open.
    pub timestamp_max: u64,
    /// Records wanted, from 1; a reply holds at most [`crate::limits::RECORDS_PER_REPLY_MAX`].
    pub limit: u32,
    /// See [`QueryFilterFlags`].
    pub flags: u32,
    /// 0 is any.
    pub code: u16,
    /// 0.
    pub reserved: [u16; 3],
}

const _: () = assert!(size_of::<QueryAccountsFilter>() == 64);

/// Chooses transfers by their fields: 96 bytes, little-endian. Non-zero fields are ANDed.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct QueryTransfersFilter {
    /// 0 is any.
    pub user_data_128: u128,
    /// 0 is any.
    pub pending_id: u128,
    /// 0 is any.
    pub user_data_64: u64,
    /// 0 is any.
    pub user_data_32: u32,
    /// 0 is any.
    pub ledger: u32,
    /// Inclusive, 0 is open.
    pub timestamp_min: u64,
    /// Inclusive, 0 is open.
    pub timestamp_max: u64,
    /// Records wanted, from 1; a reply holds at most [`crate::limits::RECORDS_PER_REPLY_MAX`].
    pub limit: u32,
    /// See [`QueryFilterFlags`].
    pub flags: u32,
    /// 0 is any.
    pub code: u16,
    /// 0 is any, else the code of a [`PendingStatus`].
    pub pending_status: u16,
    /// 0.
    pub reserved: [u32; 5],
}

const _: () = assert!(size_of::<QueryTransfersFilter>() == 96);

/// The state of a hold, derived from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum PendingStatus {
    /// Not settled yet.
    Pending = 1,
    /// Settled by a post.
    Posted = 2,
    /// Settled by a void.
    Voided = 3,
    /// Released by an ordered expiry operation.
    Expired = 4,
}

impl PendingStatus {
    /// The status of that code.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::Pending,
            2 => Self::Posted,
            3 => Self::Voided,
            4 => Self::Expired,
            _ => return None,
        })
    }
}

/// Why a filter can't be served. Names the field at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Neither `debits` nor `credits` is set.
    #[error("flags: choose debits, credits or both")]
    NoSide,
    /// The limit is 0.
    #[error("limit: must be at least 1")]
    LimitIsZero,
    /// The lower bound lies above the upper one.
    #[error("timestamp_min: lies above timestamp_max")]
    TimestampsReversed,
    /// A bound of the timestamps is 2^63 or more.
    #[error("timestamp_min, timestamp_max: must be below 2^63")]
    TimestampOutOfRange,
    /// A flag bit without a meaning is set.
    #[error("flags: has unknown bits")]
    UnknownFlags,
    /// A reserved field is not 0.
    #[error("reserved: must be zero")]
    ReservedField,
    /// The account id is 0 or MAX.
    #[error("account_id: must not be zero or the largest value")]
    AccountIdInvalid,
    /// There is no such account.
    #[error("account_id: no such account")]
    AccountNotFound,
    /// The account keeps no balances.
    #[error("account_id: the account does not have the history flag")]
    AccountWithoutHistory,
    /// The pending status has no meaning.
    #[error("pending_status: unknown value")]
    PendingStatusUnknown,
}

const fn check_range(min: u64, max: u64) -> Result<(), FilterError> {
    if min >> 63 != 0 || max >> 63 != 0 {
        return Err(FilterError::TimestampOutOfRange);
    }
    if max != 0 && min > max {
        return Err(FilterError::TimestampsReversed);
    }
    Ok(())
}

const fn bound(min: u64, max: u64) -> (Timestamp, Timestamp) {
    (Timestamp(min), Timestamp(if max == 0 { crate::limits::TIMESTAMP_MAX } else { max }))
}

impl AccountFilter {
    /// Checks all that can be checked without the state.
    ///
    /// # Errors
    /// The first field that can't be served.
    pub fn check(&self) -> Result<(), FilterError> {
        if self.account_id == 0 || self.account_id == u128::MAX {
            return Err(FilterError::AccountIdInvalid);
        }
        if self.flags & !AccountFilterFlags::ALL != 0 {
            return Err(FilterError::UnknownFlags);
        }
        if self.flags & (AccountFilterFlags::DEBITS | AccountFilterFlags::CREDITS) == 0 {
            return Err(FilterError::NoSide);
        }
        if self.limit == 0 {
            return Err(FilterError::LimitIsZero);
        }
        if self.reserved_16 != 0 || self.reserved != [0; 7] {
            return Err(FilterError::ReservedField);
        }
        check_range(self.timestamp_min, self.timestamp_max)
    }

    /// The inclusive bounds, with the open ones filled in.
    #[must_use]
    pub const fn bounds(&self) -> (Timestamp, Timestamp) {
        bound(self.timestamp_min, self.timestamp_max)
    }
}

impl QueryAccountsFilter {
    /// Checks all that can be checked without the state.
    ///
    /// # Errors
    /// The first field that can't be served.
    pub fn check(&self) -> Result<(), FilterError> {
        if self.flags & !QueryFilterFlags::ALL != 0 {
            return Err(FilterError::UnknownFlags);
        }
        if self.limit == 0 {
            return Err(FilterError::LimitIsZero);
        }
        if self.reserved != [0; 3] {
            return Err(FilterError::ReservedField);
        }
        check_range(self.timestamp_min, self.timestamp_max)
    }

    /// The inclusive bounds, with the open ones filled in.
    #[must_use]
    pub const fn bounds(&self) -> (Timestamp, Timestamp) {
        bound(self.timestamp_min, self.timestamp_max)
    }
}

impl QueryTransfersFilter {
    /// Checks all that can be checked without the state.
    ///
    /// # Errors
    /// The first field that can't be served.
    pub fn check(&self) -> Result<(), FilterError> {
        if self.flags & !QueryFilterFlags::ALL != 0 {
            return Err(FilterError::UnknownFlags);
        }
        if self.limit == 0 {
            return Err(FilterError::LimitIsZero);
        }
        if self.pending_status != 0 && PendingStatus::from_code(self.pending_status).is_none() {
            return Err(FilterError::PendingStatusUnknown);
        }
        if self.reserved != [0; 5] {
            return Err(FilterError::ReservedField);
        }
        check_range(self.timestamp_min, self.timestamp_max)
    }

    /// The inclusive bounds, with the open ones filled in.
    #[must_use]
    pub const fn bounds(&self) -> (Timestamp, Timestamp) {
        bound(self.timestamp_min, self.timestamp_max)
    }
}
