//! Digests by which two replays of one log can be told to agree.
//!
//! All are wrapping sums of 64-bit hashes, one for each item, and so independent of order, of
//! partitioning and of the number of threads. They find divergence and damage; they do not resist
//! forgery, which is what the chain of the log is for.

use super::decide::DenseRow;
use super::{Account, Capacity, CommandResult, CreateResult};

const SEEDS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// Multiplies to 128 bits and folds the halves: mixes every input bit into every output bit.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    halves(product).0 ^ halves(product).1
}

#[expect(clippy::cast_possible_truncation, reason = "cuts the number into its halves")]
const fn halves(value: u128) -> (u64, u64) {
    (value as u64, (value >> 64) as u64)
}

#[inline]
const fn mix(hash: u64, value: u128) -> u64 {
    let (low, high) = halves(value);
    fold(low ^ hash ^ SEEDS[0], high ^ hash.rotate_left(32) ^ SEEDS[1])
}

/// What never changes of an account.
#[must_use]
pub fn account_identity(account: &Account) -> u64 {
    let numbers = (u128::from(account.user_data_64) << 64)
        | (u128::from(account.user_data_32) << 32)
        | u128::from(account.ledger);
    let rest = (u128::from(account.timestamp) << 64) | u128::from(account.code);
    mix(mix(mix(mix(SEEDS[2], account.id), account.user_data_128), numbers), rest)
}

/// What changes of an account: its counters and flags.
#[must_use]
#[inline]
pub const fn account_state(id: u128, row: &DenseRow) -> u64 {
    let debits = mix(mix(SEEDS[3], row.debits_pending), row.debits_posted);
    let credits = mix(mix(SEEDS[2], row.credits_pending), row.credits_posted);
    fold(mix(debits, id), credits ^ ((row.flags as u64) << 48))
}

/// What is known of a transfer id: its state as a small number.
#[must_use]
#[inline]
pub fn transfer_id(id: u128, state: u64) -> u64 {
    mix(SEEDS[0] ^ state.wrapping_mul(SEEDS[3]), id)
}

/// The outcome of one event of a batch.
#[must_use]
#[inline]
pub const fn outcome(index: u64, result: &CreateResult) -> u64 {
    fold(result.timestamp ^ SEEDS[2], (index << 32 | result.status as u64) ^ SEEDS[3])
}

/// The outcomes of a whole batch.
#[must_use]
pub fn outcomes(results: &[CreateResult]) -> u64 {
    (0_u64..)
        .zip(results)
        .fold(0, |sum: u64, (index, result)| sum.wrapping_add(outcome(index, result)))
}

/// What came of a command.
#[must_use]
pub fn command(result: &CommandResult) -> u64 {
    let head = fold(result.timestamp ^ SEEDS[2], u64::from(result.status) ^ SEEDS[3]);
    result.values.iter().fold(head, |hash, &value| mix(hash, u128::from(value)))
}

/// A capacity that a command has raised. One that the first frame gives is no part of the state.
#[must_use]
pub const fn raised_capacity(capacity: Capacity) -> u64 {
    mix(mix(SEEDS[1], capacity.accounts_max as u128), capacity.holds_max as u128)
}

/// Ids that a batch fenced or released, in order.
#[must_use]
pub fn ids(ids: &[u128]) -> u64 {
    ids.iter().fold(SEEDS[0], |hash, &id| mix(hash, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_and_flag_changes_the_state_digest() {
        let row = DenseRow {
            debits_pending: 1,
            debits_posted: 2,
            credits_pending: 3,
            credits_posted: 4,
            ..DenseRow::default()
        };
        let mut seen = std::collections::BTreeSet::from([account_state(7, &row)]);
        for change in [
            DenseRow { debits_pending: 2, debits_posted: 1, ..row },
            DenseRow { debits_pending: 1 << 64, ..row },
            DenseRow { debits_posted: 3, credits_pending: 2, ..row },
            DenseRow { credits_pending: 4, credits_posted: 3, ..row },
            DenseRow { credits_posted: 4 << 64, ..row },
            DenseRow { flags: 32, ..row },
        ] {
            assert!(seen.insert(account_state(7, &change)), "{change:?}");
        }
        assert!(seen.insert(account_state(8, &row)));
    }

    #[test]
    fn outcomes_depend_on_place_time_and_status() {
        let a = CreateResult { timestamp: 5, status: 1, reserved: 0 };
        let b = CreateResult { timestamp: 6, status: 1, reserved: 0 };
        assert_ne!(outcomes(&[a, b]), outcomes(&[b, a]));
        assert_ne!(outcomes(&[a]), outcomes(&[CreateResult { status: 2, ..a }]));
    }
}
