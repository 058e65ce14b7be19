//! The account record.

use bytemuck::{Pod, Zeroable};

/// An account: 128 bytes, little-endian, the same in memory, on the wire and in the log.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Account {
    /// Chosen by the client; not 0, not MAX.
    pub id: u128,
    /// Sum of the holds on the debit side, in minor units. 0 at creation.
    pub debits_pending: u128,
    /// Sum of all debits, in minor units. 0 at creation.
    pub debits_posted: u128,
    /// Sum of the holds on the credit side, in minor units. 0 at creation.
    pub credits_pending: u128,
    /// Sum of all credits, in minor units. 0 at creation.
    pub credits_posted: u128,
    /// Free for the application.
    pub user_data_128: u128,
    /// Free for the application.
    pub user_data_64: u64,
    /// Free for the application.
    pub user_data_32: u32,
    /// 0.
    pub reserved: u32,
    /// Only accounts of one ledger transact with each other. Not 0.
    pub ledger: u32,
    /// The application's type of account. Not 0.
    pub code: u16,
    /// See [`AccountFlags`].
    pub flags: u16,
    /// Nanoseconds since the Unix epoch, set by the server unless `imported`.
    pub timestamp: u64,
}

const _: () = assert!(size_of::<Account>() == 128 && align_of::<Account>() == 16);
const _: () = assert!(std::mem::offset_of!(Account, user_data_128) == 80);
const _: () = assert!(std::mem::offset_of!(Account, ledger) == 112);
const _: () = assert!(std::mem::offset_of!(Account, flags) == 118);
const _: () = assert!(std::mem::offset_of!(Account, timestamp) == 120);

/// Bits of [`Account::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFlags;

impl AccountFlags {
    /// The next event of the request belongs to the same chain.
    pub const LINKED: u16 = 1 << 0;
    /// Refuse a debit when pending and posted debits would exceed the posted credits.
    pub const DEBITS_MUST_NOT_EXCEED_CREDITS: u16 = 1 << 1;
    /// Refuse a credit when pending and posted credits would exceed the posted debits.
    pub const CREDITS_MUST_NOT_EXCEED_DEBITS: u16 = 1 << 2;
    /// Keep the balance after every transfer, for `get_account_balances`.
    pub const HISTORY: u16 = 1 << 3;
    /// The caller gives the timestamp.
    pub const IMPORTED: u16 = 1 << 4;
    /// No transfer may touch the account, except the voiding of a hold.
    pub const CLOSED: u16 = 1 << 5;
    /// Every bit that has a meaning.
    pub const ALL: u16 = (1 << 6) - 1;
    /// The names of the bits from bit 0, as the shell and the mapping files spell them.
    pub const NAMES: [&'static str; 6] = [
        "linked",
        "debits_must_not_exceed_credits",
        "credits_must_not_exceed_debits",
        "history",
        "imported",
        "closed",
    ];
}

impl Account {
    /// Whether every bit of `bits` is set.
    #[must_use]
    pub const fn has(&self, bits: u16) -> bool {
        self.flags & bits == bits
    }
}
