//! What can be held against the model, and the model as its own first subject.

use crate::ledger::model::Model;
use crate::ledger::{
    Account, AccountBalance, AccountFilter, Capacity, Command, CommandResult, CreateResult,
    FilterError, QueryAccountsFilter, QueryTransfersFilter, ResolveResult, Timestamp, Transfer,
};

/// A ledger that is held against the model.
///
/// Requests that come together are ordered at the same reading of the clock, one after the other;
/// the subject may make one batch of them. A read that it doesn't offer answers `None`.
pub trait Subject {
    /// Orders these requests and gives the answers of each.
    fn create_accounts(
        &mut self,
        requests: &[Vec<Account>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>>;

    /// Orders these requests and gives the answers of each.
    fn create_transfers(
        &mut self,
        requests: &[Vec<Transfer>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>>;

    /// Says what became of these ids, and fences those never seen if so asked.
    fn resolve_transfers(
        &mut self,
        ids: &[u128],
        fence: bool,
        clock: Timestamp,
    ) -> Vec<ResolveResult>;

    /// How much there may be now.
    fn capacity(&mut self) -> Capacity;

    /// An operator acts.
    fn command(&mut self, command: &Command, reason: &str, clock: Timestamp) -> CommandResult;

    /// Releases the holds that are due; at least one is. Gives their ids in order.
    fn expire(&mut self, clock: Timestamp) -> Vec<u128>;

    /// The newest timestamp that was ordered.
    fn last_timestamp(&mut self) -> Timestamp;

    /// When the next open hold is due, or some earlier moment.
    fn next_expiry(&mut self) -> Option<Timestamp>;

    /// The accounts of these ids.
    fn lookup_accounts(&mut self, ids: &[u128]) -> Option<Vec<Account>>;

    /// The transfers of these ids.
    fn lookup_transfers(&mut self, ids: &[u128]) -> Option<Vec<Transfer>>;

    /// The transfers of one account.
    fn get_account_transfers(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>>;

    /// The balances of one account.
    fn get_account_balances(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<AccountBalance>, FilterError>>;

    /// The accounts that match.
    fn query_accounts(
        &mut self,
        filter: &QueryAccountsFilter,
    ) -> Option<Result<Vec<Account>, FilterError>>;

    /// The transfers that match.
    fn query_transfers(
        &mut self,
        filter: &QueryTransfersFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>>;
}

impl Subject for Model {
    fn create_accounts(
        &mut self,
        requests: &[Vec<Account>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>> {
        requests.iter().map(|events| Self::create_accounts(self, events, clock)).collect()
    }

    fn create_transfers(
        &mut self,
        requests: &[Vec<Transfer>],
        clock: Timestamp,
    ) -> Vec<Vec<CreateResult>> {
        requests.iter().map(|events| Self::create_transfers(self, events, clock)).collect()
    }

    fn resolve_transfers(
        &mut self,
        ids: &[u128],
        fence: bool,
        clock: Timestamp,
    ) -> Vec<ResolveResult> {
        Self::resolve_transfers(self, ids, fence, clock)
    }

    fn capacity(&mut self) -> Capacity {
        Self::capacity(self)
    }

    fn command(&mut self, command: &Command, _: &str, clock: Timestamp) -> CommandResult {
        Self::command(self, command, clock)
    }

    fn expire(&mut self, clock: Timestamp) -> Vec<u128> {
        Self::expire(self, clock)
    }

    fn last_timestamp(&mut self) -> Timestamp {
        Self::last_timestamp(self)
    }

    fn next_expiry(&mut self) -> Option<Timestamp> {
        Self::next_expiry(self)
    }

    fn lookup_accounts(&mut self, ids: &[u128]) -> Option<Vec<Account>> {
        Some(Self::lookup_accounts(self, ids))
    }

    fn lookup_transfers(&mut self, ids: &[u128]) -> Option<Vec<Transfer>> {
        Some(Self::lookup_transfers(self, ids))
    }

    fn get_account_transfers(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>> {
        Some(Self::get_account_transfers(self, filter))
    }

    fn get_account_balances(
        &mut self,
        filter: &AccountFilter,
    ) -> Option<Result<Vec<AccountBalance>, FilterError>> {
        Some(Self::get_account_balances(self, filter))
    }

    fn query_accounts(
        &mut self,
        filter: &QueryAccountsFilter,
    ) -> Option<Result<Vec<Account>, FilterError>> {
        Some(Self::query_accounts(self, filter))
    }

    fn query_transfers(
        &mut self,
        filter: &QueryTransfersFilter,
    ) -> Option<Result<Vec<Transfer>, FilterError>> {
        Some(Self::query_transfers(self, filter))
    }
}
