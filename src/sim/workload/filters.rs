//! Filters for reads: mostly ones that find something, some that can't be served.

use super::Workload;
use crate::ledger::{
    AccountFilter, AccountFilterFlags, QueryAccountsFilter, QueryFilterFlags, QueryTransfersFilter,
};
use crate::sim::random::Random;

/// A field that is 0, for "any", in most cases.
fn seldom(random: &mut Random, value: u64) -> u64 {
    if random.percent(25) { value } else { 0 }
}

impl Workload {
    /// A filter for the transfers or the balances of an account.
    pub fn account_filter(&mut self) -> AccountFilter {
        let account_id = match self.memory.accounts.len() {
            0 => 3,
            _ if self.random.percent(3) => self.random.pick(&[0, 3, u128::MAX]),
            count => self.memory.accounts[self.random.skewed_index(count)].id,
        };
        let (timestamp_min, timestamp_max) = self.filter_times();
        let random = &mut self.random;
        let both = AccountFilterFlags::DEBITS | AccountFilterFlags::CREDITS;
        let sides =
            [both, both, both, AccountFilterFlags::DEBITS, AccountFilterFlags::CREDITS, 0, 8];
        let reversed = if random.percent(40) { AccountFilterFlags::REVERSED } else { 0 };
        AccountFilter {
            account_id,
            user_data_128: seldom(random, 1).into(),
            user_data_64: seldom(random, 2),
            user_data_32: u32::from(random.percent(10)),
            code: if random.percent(25) { random.pick(&[1, 2, 9]) } else { 0 },
            timestamp_min,
            timestamp_max,
            limit: random.pick(&[0, 1, 5, 1_000, u32::MAX]),
            flags: random.pick(&sides) | reversed,
            ..AccountFilter::default()
        }
    }

    /// A filter for accounts.
    pub fn query_accounts_filter(&mut self) -> QueryAccountsFilter {
        let (timestamp_min, timestamp_max) = self.filter_times();
        let random = &mut self.random;
        QueryAccountsFilter {
            user_data_128: seldom(random, 1).into(),
            user_data_64: seldom(random, 2),
            user_data_32: u32::from(random.percent(10)),
            ledger: u32::from(random.percent(30)),
            timestamp_min,
            timestamp_max,
            limit: random.pick(&[0, 1, 5, 1_000, u32::MAX]),
            flags: random.pick(&[0, 0, QueryFilterFlags::REVERSED, 2]),
            code: if random.percent(25) { random.pick(&[10, 11, 99]) } else { 0 },
            ..QueryAccountsFilter::default()
        }
    }

    /// A filter for transfers.
    pub fn query_transfers_filter(&mut self) -> QueryTransfersFilter {
        let (timestamp_min, timestamp_max) = self.filter_times();
        let hold = self.memory.holds.any(&mut self.random).map_or(3, |hold| hold.id);
        let random = &mut self.random;
        QueryTransfersFilter {
            user_data_128: seldom(random, 1).into(),
            pending_id: if random.percent(20) { hold } else { 0 },
            user_data_64: seldom(random, 2),
            user_data_32: u32::from(random.percent(10)),
            ledger: u32::from(random.percent(30)),
            timestamp_min,
            timestamp_max,
            limit: random.pick(&[0, 1, 5, 1_000, u32::MAX]),
            flags: random.pick(&[0, 0, QueryFilterFlags::REVERSED, 2]),
            code: if random.percent(25) { random.pick(&[1, 2, 9]) } else { 0 },
            pending_status: if random.percent(40) { random.pick(&[1, 2, 3, 4, 5]) } else { 0 },
            ..QueryTransfersFilter::default()
        }
    }

    /// Bounds that are open, or moments of transfers, or nonsense.
    fn filter_times(&mut self) -> (u64, u64) {
        let mut bound = || match self.random.below(10) {
            0..=2 => self.memory.transfer_timestamps.any(&mut self.random).unwrap_or(0),
            3 => self.random.pick(&[1, 1 << 63, u64::MAX]),
            _ => 0,
        };
        (bound(), bound())
    }
}
