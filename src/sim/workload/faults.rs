//! Tables of single faults: each makes one field wrong, or different from what it was.

use crate::ledger::{Account, AccountFlags, Transfer, TransferFlags};
use crate::sim::random::Random;

pub(super) type Spoiler<T> = fn(&mut T, &mut Random);
pub(super) type Change<T> = fn(&mut T);

/// Faults of an account that is new.
pub(super) const ACCOUNT_SPOILERS: &[Spoiler<Account>] = &[
    |a, _| a.timestamp = 5,
    |a, _| a.reserved = 1,
    |a, r| a.flags |= 1 << r.between(6, 15),
    |a, _| a.id = 0,
    |a, _| a.id = u128::MAX,
    |a, _| {
        a.flags |= AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
            | AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS;
    },
    |a, _| a.debits_pending = 1,
    |a, _| a.debits_posted = 1,
    |a, _| a.credits_pending = 1,
    |a, _| a.credits_posted = 1,
    |a, _| a.ledger = 0,
    |a, _| a.code = 0,
];

/// Differences from an account that was sent.
pub(super) const ACCOUNT_CHANGES: &[Change<Account>] = &[
    |a| a.flags ^= AccountFlags::HISTORY,
    |a| a.flags ^= AccountFlags::CLOSED,
    |a| a.user_data_128 += 1,
    |a| a.user_data_64 += 1,
    |a| a.user_data_32 += 1,
    |a| a.ledger += 1,
    |a| a.code += 1,
    |a| a.credits_posted = 1,
];

/// Faults of a transfer that is new, of whatever sort.
pub(super) const TRANSFER_SPOILERS: &[Spoiler<Transfer>] = &[
    |t, _| t.timestamp = 5,
    |t, r| t.flags |= 1 << r.between(9, 15),
    |t, _| t.id = 0,
    |t, _| t.id = u128::MAX,
    |t, _| t.debit_account_id = 0,
    |t, _| t.debit_account_id = u128::MAX,
    |t, _| t.credit_account_id = 0,
    |t, _| t.credit_account_id = u128::MAX,
    |t, _| t.credit_account_id = t.debit_account_id,
    |t, _| t.debit_account_id = 3,
    |t, _| t.credit_account_id = 3,
    |t, _| t.pending_id = 0,
    |t, _| t.pending_id = u128::MAX,
    |t, _| t.pending_id = t.id,
    |t, _| t.pending_id = 3,
    |t, _| t.timeout = 1,
    |t, _| t.timeout = u32::MAX,
    |t, _| t.ledger = 0,
    |t, _| t.ledger += 1,
    |t, _| t.code = 0,
    |t, _| t.code += 1,
    |t, _| t.flags |= TransferFlags::CLOSING_DEBIT,
    |t, _| t.flags |= TransferFlags::CLOSING_CREDIT,
    |t, _| t.flags ^= TransferFlags::PENDING,
    |t, _| t.flags |= TransferFlags::POST_PENDING_TRANSFER,
    |t, _| t.flags |= TransferFlags::VOID_PENDING_TRANSFER,
    |t, r| {
        let flags = u16::try_from(r.below(1 << 16)).unwrap_or(0);
        t.flags = flags & !TransferFlags::LINKED;
    },
];

/// Differences from a transfer that was sent.
pub(super) const TRANSFER_CHANGES: &[Change<Transfer>] = &[
    |t| t.flags ^= TransferFlags::PENDING,
    |t| t.flags ^= TransferFlags::BALANCING_DEBIT,
    |t| t.pending_id = t.pending_id.wrapping_add(1),
    |t| t.timeout = t.timeout.wrapping_add(1),
    |t| t.debit_account_id = t.debit_account_id.wrapping_add(1),
    |t| t.debit_account_id = 0,
    |t| t.credit_account_id = t.credit_account_id.wrapping_add(1),
    |t| t.credit_account_id = 0,
    |t| t.amount = t.amount.wrapping_add(1),
    |t| t.amount = t.amount.wrapping_sub(1),
    |t| t.amount = 0,
    |t| t.amount = u128::MAX,
    |t| t.user_data_128 += 1,
    |t| t.user_data_64 += 1,
    |t| t.user_data_32 += 1,
    |t| t.user_data_128 = 0,
    |t| t.user_data_64 = 0,
    |t| t.ledger += 1,
    |t| t.ledger = 0,
    |t| t.code = t.code.wrapping_add(1),
    |t| t.code = 0,
];
