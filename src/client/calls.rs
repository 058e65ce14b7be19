//! The calls by name: one method for each operation, each waiting for its outcome.

use super::handle::{Client, Pending};
use super::outcome::{Answer, CallError, Outcome, Settled, UnknownOutcome};
use crate::ledger::{
    Account, AccountBalance, AccountFilter, Capacity, Command, CommandResult, CreateResult,
    QueryAccountsFilter, QueryTransfersFilter, ResolveFlags, ResolveOutcome, ResolveResult,
    Timestamp, Transfer,
};
use crate::wire::{Kind, Reply, Request, StatusReport};

/// The answer of a call, opened to the records that its kind of reply has.
macro_rules! opened {
    ($completion:expr, $variant:path) => {
        $completion.map(|answer| {
            answer.map(|reply| match reply {
                $variant(value) => value,
                other => unreachable!("the session lets no {} through here", other.kind()),
            })
        })
    };
}

impl Client {
    /// Creates accounts; one result for each, in order. Few of them share a request with those of
    /// other threads; a chain that isn't closed within `events` never reaches beyond them.
    pub fn create_accounts(&self, events: &[Account]) -> Outcome<Vec<CreateResult>> {
        opened!(self.send_accounts(events).wait(), Reply::CreateResults).into()
    }

    /// Creates transfers; one result for each, in order. Few of them share a request with those of
    /// other threads; a chain that isn't closed within `events` never reaches beyond them.
    pub fn create_transfers(&self, events: &[Transfer]) -> Outcome<Vec<CreateResult>> {
        opened!(self.send_transfers(events).wait(), Reply::CreateResults).into()
    }

    /// Creates one account.
    pub fn create_account(&self, event: Account) -> Outcome<CreateResult> {
        only(self.create_accounts(&[event]))
    }

    /// Creates one transfer.
    pub fn create_transfer(&self, event: Transfer) -> Outcome<CreateResult> {
        only(self.create_transfers(&[event]))
    }

    /// As [`Client::create_transfers`], without waiting for the outcome.
    pub fn submit_transfers(&self, events: &[Transfer]) -> Pending {
        self.send_transfers(events)
    }

    /// Reads accounts by id; missing ones are skipped.
    ///
    /// # Errors
    /// No answer came. A read has no effect: it can be repeated.
    pub fn lookup_accounts(&self, ids: &[u128]) -> Result<Answer<Vec<Account>>, CallError> {
        opened!(self.call(&Request::LookupAccounts(ids.to_vec())), Reply::Accounts)
    }

    /// Reads transfers by id; missing ones are skipped.
    ///
    /// # Errors
    /// As [`Client::lookup_accounts`].
    pub fn lookup_transfers(&self, ids: &[u128]) -> Result<Answer<Vec<Transfer>>, CallError> {
        opened!(self.call(&Request::LookupTransfers(ids.to_vec())), Reply::Transfers)
    }

    /// Reads the transfers of one account.
    ///
    /// # Errors
    /// As [`Client::lookup_accounts`]; the server refuses a filter that can't be served.
    pub fn get_account_transfers(
        &self,
        filter: AccountFilter,
    ) -> Result<Answer<Vec<Transfer>>, CallError> {
        opened!(self.call(&Request::GetAccountTransfers(filter)), Reply::Transfers)
    }

    /// Reads the balances of one account over time.
    ///
    /// # Errors
    /// As [`Client::get_account_transfers`].
    pub fn get_account_balances(
        &self,
        filter: AccountFilter,
    ) -> Result<Answer<Vec<AccountBalance>>, CallError> {
        opened!(self.call(&Request::GetAccountBalances(filter)), Reply::Balances)
    }

    /// Reads accounts by their fields.
    ///
    /// # Errors
    /// As [`Client::get_account_transfers`].
    pub fn query_accounts(
        &self,
        filter: QueryAccountsFilter,
    ) -> Result<Answer<Vec<Account>>, CallError> {
        opened!(self.call(&Request::QueryAccounts(filter)), Reply::Accounts)
    }

    /// Reads transfers by their fields.
    ///
    /// # Errors
    /// As [`Client::get_account_transfers`].
    pub fn query_transfers(
        &self,
        filter: QueryTransfersFilter,
    ) -> Result<Answer<Vec<Transfer>>, CallError> {
        opened!(self.call(&Request::QueryTransfers(filter)), Reply::Transfers)
    }

    /// Asks what became of transfers. With `fence`, an id that was never seen is fenced, so that
    /// no late copy of its transfer can ever apply.
    pub fn resolve(&self, ids: &[u128], fence: bool) -> Outcome<Vec<ResolveResult>> {
        let flags = if fence { ResolveFlags::FENCE } else { 0 };
        let request = Request::ResolveTransfers { ids: ids.to_vec(), flags };
        opened!(self.call(&request), Reply::ResolveResults).into()
    }

    /// Settles a write whose outcome is unknown: what became of each of its ids, in order.
    ///
    /// Transfers are resolved, with `fence` for good. Accounts are looked up; one that isn't there
    /// stays [`ResolveOutcome::Unknown`], because accounts can't be fenced.
    pub fn settle(&self, unknown: &UnknownOutcome, fence: bool) -> Outcome<Vec<Settled>> {
        if unknown.kind == Kind::CreateAccounts {
            return self.settle_accounts(&unknown.ids).into();
        }
        let possible = |id: &u128| *id != 0 && *id != u128::MAX;
        let ids: Vec<u128> = unknown.ids.iter().copied().filter(possible).collect();
        let results = match self.resolve(&ids, fence).into_result() {
            Ok(answer) => answer,
            Err(error) => return Err(error).into(),
        };
        Outcome::Definite(results.map(|results| {
            let mut results = results.into_iter();
            let settled = |&id: &u128| match possible(&id).then(|| results.next()).flatten() {
                Some(result) => Settled {
                    id,
                    outcome: ResolveOutcome::from_code(result.outcome)
                        .unwrap_or(ResolveOutcome::Unknown),
                    timestamp: (result.timestamp != 0).then_some(Timestamp(result.timestamp)),
                },
                // No transfer can ever have this id: as good as fenced.
                None => Settled { id, outcome: ResolveOutcome::Fenced, timestamp: None },
            };
            unknown.ids.iter().map(settled).collect()
        }))
    }

    fn settle_accounts(&self, ids: &[u128]) -> Result<Answer<Vec<Settled>>, CallError> {
        let found = self.lookup_accounts(ids)?;
        Ok(found.map(|accounts| {
            let settled = |&id: &u128| match accounts.iter().find(|account| account.id == id) {
                Some(account) => Settled {
                    id,
                    outcome: ResolveOutcome::Created,
                    timestamp: Some(Timestamp(account.timestamp)),
                },
                None => Settled { id, outcome: ResolveOutcome::Unknown, timestamp: None },
            };
            ids.iter().map(settled).collect()
        }))
    }

    /// Raises how many accounts may exist and how many holds may be open; a number of 0 leaves that one as it is.
    /// The reason is kept in the log.
    ///
    /// Of an outcome that is unknown the capacity in the status tells more, and the same command may be given again:
    /// one that was obeyed before changes nothing (`capacity_unchanged`).
    pub fn raise_capacity(&self, capacity: Capacity, reason: &str) -> Outcome<CommandResult> {
        let command = Command::RaiseCapacity(capacity);
        let request = Request::Command { command, reason: reason.to_owned() };
        opened!(self.call(&request), Reply::Command).into()
    }

    /// Asks how the server is.
    ///
    /// # Errors
    /// No answer came.
    pub fn status(&self) -> Result<Answer<Box<StatusReport>>, CallError> {
        opened!(self.call(&Request::Status), Reply::Status)
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// No answer came.
    pub fn ping(&self) -> Result<Answer<()>, CallError> {
        self.call(&Request::Ping).map(|answer| answer.map(|_| ()))
    }

    /// Sends one request and waits for its end.
    ///
    /// # Errors
    /// Why there is no reply, and whether that is definite.
    pub fn call(&self, request: &Request) -> Result<Answer<Reply>, CallError> {
        self.submit(request).wait()
    }
}

/// The outcome of the one event.
fn only(outcome: Outcome<Vec<CreateResult>>) -> Outcome<CreateResult> {
    match outcome {
        Outcome::Definite(answer) => Outcome::Definite(answer.map(|results| results[0])),
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Unknown(unknown) => Outcome::Unknown(unknown),
    }
}
