//! Reads: every one walks all records in the order of their timestamps.

use super::Model;
use crate::ledger::{
    Account, AccountBalance, AccountFilter, AccountFilterFlags, AccountFlags, FilterError,
    PendingStatus, QueryAccountsFilter, QueryFilterFlags, QueryTransfersFilter, Timestamp,
    Transfer,
};
use crate::limits::RECORDS_PER_REPLY_MAX;

impl Model {
    /// Every account, by timestamp.
    pub fn accounts(&self) -> impl DoubleEndedIterator<Item = &Account> {
        self.accounts_by_timestamp.rows().values().map(|id| &self.accounts.rows()[id])
    }

    /// Every transfer, by timestamp.
    pub fn transfers(&self) -> impl DoubleEndedIterator<Item = &Transfer> {
        self.transfers_by_timestamp.rows().values().map(|id| &self.transfers.rows()[id])
    }

    /// The state of the hold of a pending transfer.
    #[must_use]
    pub fn pending_status(&self, transfer_id: u128) -> Option<PendingStatus> {
        self.holds.get(&transfer_id).map(|hold| hold.status)
    }

    /// The accounts of these ids, in their order, without those that aren't there.
    #[must_use]
    pub fn lookup_accounts(&self, ids: &[u128]) -> Vec<Account> {
        ids.iter().filter_map(|id| self.accounts.get(id)).copied().collect()
    }

    /// The transfers of these ids, in their order, without those that aren't there.
    #[must_use]
    pub fn lookup_transfers(&self, ids: &[u128]) -> Vec<Transfer> {
        ids.iter().filter_map(|id| self.transfers.get(id)).copied().collect()
    }

    /// The transfers of one account.
    ///
    /// # Errors
    /// The first field of the filter that can't be served.
    pub fn get_account_transfers(
        &self,
        filter: &AccountFilter,
    ) -> Result<Vec<Transfer>, FilterError> {
        filter.check()?;
        let matching = self.transfers().filter(|transfer| matches_account(filter, transfer));
        let reversed = filter.flags & AccountFilterFlags::REVERSED != 0;
        Ok(page(matching.copied(), reversed, filter.limit))
    }

    /// The balances of one account that has the `history` flag, one after each of its transfers.
    ///
    /// # Errors
    /// The first field of the filter that can't be served.
    pub fn get_account_balances(
        &self,
        filter: &AccountFilter,
    ) -> Result<Vec<AccountBalance>, FilterError> {
        filter.check()?;
        let account = self.accounts.get(&filter.account_id).ok_or(FilterError::AccountNotFound)?;
        if !account.has(AccountFlags::HISTORY) {
            return Err(FilterError::AccountWithoutHistory);
        }
        let matching = self
            .transfers()
            .filter(|transfer| matches_account(filter, transfer))
            .map(|transfer| self.balances.rows()[&(account.id, transfer.timestamp)]);
        let reversed = filter.flags & AccountFilterFlags::REVERSED != 0;
        Ok(page(matching, reversed, filter.limit))
    }

    /// The accounts that match.
    ///
    /// # Errors
    /// The first field of the filter that can't be served.
    pub fn query_accounts(
        &self,
        filter: &QueryAccountsFilter,
    ) -> Result<Vec<Account>, FilterError> {
        filter.check()?;
        let matching = self.accounts().filter(|account| {
            in_bounds(filter.bounds(), account.timestamp)
                && agrees(filter.user_data_128, account.user_data_128)
                && agrees(filter.user_data_64, account.user_data_64)
                && agrees(filter.user_data_32, account.user_data_32)
                && agrees(filter.ledger, account.ledger)
                && agrees(filter.code, account.code)
        });
        let reversed = filter.flags & QueryFilterFlags::REVERSED != 0;
        Ok(page(matching.copied(), reversed, filter.limit))
    }

    /// The transfers that match.
    ///
    /// # Errors
    /// The first field of the filter that can't be served.
    pub fn query_transfers(
        &self,
        filter: &QueryTransfersFilter,
    ) -> Result<Vec<Transfer>, FilterError> {
        filter.check()?;
        let matching = self.transfers().filter(|transfer| {
            let status = self.pending_status(transfer.id).map_or(0, |status| status as u16);
            in_bounds(filter.bounds(), transfer.timestamp)
                && agrees(filter.user_data_128, transfer.user_data_128)
                && agrees(filter.user_data_64, transfer.user_data_64)
                && agrees(filter.user_data_32, transfer.user_data_32)
                && agrees(filter.pending_id, transfer.pending_id)
                && agrees(filter.ledger, transfer.ledger)
                && agrees(filter.code, transfer.code)
                && agrees(filter.pending_status, status)
        });
        let reversed = filter.flags & QueryFilterFlags::REVERSED != 0;
        Ok(page(matching.copied(), reversed, filter.limit))
    }
}

/// A field of a filter that is 0 agrees with everything.
fn agrees<T: PartialEq + Default>(wanted: T, actual: T) -> bool {
    wanted == T::default() || wanted == actual
}

fn in_bounds((min, max): (Timestamp, Timestamp), timestamp: u64) -> bool {
    min.0 <= timestamp && timestamp <= max.0
}

fn matches_account(filter: &AccountFilter, transfer: &Transfer) -> bool {
    let wants = |side: u32| filter.flags & side != 0;
    let debited = transfer.debit_account_id == filter.account_id;
    let credited = transfer.credit_account_id == filter.account_id;
    let on_side = (wants(AccountFilterFlags::DEBITS) && debited)
        || (wants(AccountFilterFlags::CREDITS) && credited);
    on_side
        && in_bounds(filter.bounds(), transfer.timestamp)
        && agrees(filter.user_data_128, transfer.user_data_128)
        && agrees(filter.user_data_64, transfer.user_data_64)
        && agrees(filter.user_data_32, transfer.user_data_32)
        && agrees(filter.code, transfer.code)
}

/// As many as were asked for and fit a reply, from the end that was asked for.
fn page<T>(records: impl DoubleEndedIterator<Item = T>, reversed: bool, limit: u32) -> Vec<T> {
    let limit = usize::try_from(limit)
        .map_or(RECORDS_PER_REPLY_MAX, |limit| limit.min(RECORDS_PER_REPLY_MAX));
    if reversed { records.rev().take(limit).collect() } else { records.take(limit).collect() }
}
