//! The transfer record.

use bytemuck::{Pod, Zeroable};

/// A transfer: 128 bytes, little-endian, the same in memory, on the wire and in the log.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct Transfer {
    /// Chosen by the client; not 0, not MAX.
    pub id: u128,
    /// The account that is debited.
    pub debit_account_id: u128,
    /// The account that is credited.
    pub credit_account_id: u128,
    /// In minor units of the ledger.
    pub amount: u128,
    /// The hold that a post or void settles, else 0.
    pub pending_id: u128,
    /// Free for the application.
    pub user_data_128: u128,
    /// Free for the application.
    pub user_data_64: u64,
    /// Free for the application.
    pub user_data_32: u32,
    /// Seconds until a hold expires; 0 is never. Only with `pending`.
    pub timeout: u32,
    /// The ledger of both accounts.
    pub ledger: u32,
    /// The application's reason for the transfer. Not 0.
    pub code: u16,
    /// See [`TransferFlags`].
    pub flags: u16,
    /// Nanoseconds since the Unix epoch, set by the server unless `imported`.
    pub timestamp: u64,
}

const _: () = assert!(size_of::<Transfer>() == 128 && align_of::<Transfer>() == 16);
const _: () = assert!(std::mem::offset_of!(Transfer, user_data_128) == 80);
const _: () = assert!(std::mem::offset_of!(Transfer, timeout) == 108);
const _: () = assert!(std::mem::offset_of!(Transfer, flags) == 118);
const _: () = assert!(std::mem::offset_of!(Transfer, timestamp) == 120);

/// Bits of [`Transfer::flags`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferFlags;

impl TransferFlags {
    /// The next event of the request belongs to the same chain.
    pub const LINKED: u16 = 1 << 0;
    /// Reserve the amount; a later post or void settles it.
    pub const PENDING: u16 = 1 << 1;
    /// Settle a hold by booking it, wholly or in part.
    pub const POST_PENDING_TRANSFER: u16 = 1 << 2;
    /// Settle a hold by releasing it.
    pub const VOID_PENDING_TRANSFER: u16 = 1 << 3;
    /// The amount is an upper bound, cut to what the debit account can give.
    pub const BALANCING_DEBIT: u16 = 1 << 4;
    /// The amount is an upper bound, cut to what the credit account can take.
    pub const BALANCING_CREDIT: u16 = 1 << 5;
    /// Close the debit account. Only with `pending`.
    pub const CLOSING_DEBIT: u16 = 1 << 6;
    /// Close the credit account. Only with `pending`.
    pub const CLOSING_CREDIT: u16 = 1 << 7;
    /// The caller gives the timestamp.
    pub const IMPORTED: u16 = 1 << 8;
    /// Every bit that has a meaning.
    pub const ALL: u16 = (1 << 9) - 1;
    /// The names of the bits from bit 0, as the shell and the mapping files spell them.
    pub const NAMES: [&'static str; 9] = [
        "linked",
        "pending",
        "post_pending_transfer",
        "void_pending_transfer",
        "balancing_debit",
        "balancing_credit",
        "closing_debit",
        "closing_credit",
        "imported",
    ];
}

impl Transfer {
    /// Whether every bit of `bits` is set.
    #[must_use]
    pub const fn has(&self, bits: u16) -> bool {
        self.flags & bits == bits
    }

    /// Whether any bit of `bits` is set.
    #[must_use]
    pub const fn has_any(&self, bits: u16) -> bool {
        self.flags & bits != 0
    }
}
