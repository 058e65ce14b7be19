//! Before the measurement: the accounts exist, and have their funds where the mix needs them.

use super::LoadError;
use super::check::Counters;
use super::workload::{FUNDS, Mix, Workload};
use crate::client::Client;
use crate::io::to_usize;
use crate::ledger::{Account, CreateAccountStatus, CreateTransferStatus};
use crate::limits::EVENTS_PER_REQUEST_MAX;

/// The numbers `0..count` in runs that fit a request.
fn runs(count: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    let step = EVENTS_PER_REQUEST_MAX;
    (0..count).step_by(step).map(move |start| start..count.min(start + crate::io::to_u64(step)))
}

/// Creates the accounts and answers how they stand before the first transfer of the measurement.
pub(crate) fn prepare(client: &Client, workload: &Workload) -> Result<Vec<Counters>, LoadError> {
    let count = workload.accounts + 1;
    let mut fresh = create_accounts(client, workload, count)?;
    if workload.mix == Mix::Limits {
        fresh &= fund(client, workload)?;
    }
    if !fresh {
        return read_counters(client, workload);
    }
    let mut counters = vec![Counters::default(); to_usize(count)];
    if workload.mix == Mix::Limits {
        let (bank, funded) = counters.split_last_mut().ok_or(LoadError::Answer("no accounts"))?;
        bank.debits_posted = FUNDS * workload.accounts;
        for account in funded {
            account.credits_posted = FUNDS;
        }
    }
    Ok(counters)
}

/// Answers whether all of them are new.
fn create_accounts(client: &Client, workload: &Workload, count: u64) -> Result<bool, LoadError> {
    let mut fresh = true;
    for run in runs(count) {
        let accounts: Vec<Account> = run.map(|account| workload.account(account)).collect();
        for result in client.create_accounts(&accounts).into_result()?.value {
            match CreateAccountStatus::from_code(result.status) {
                Some(CreateAccountStatus::Created) => {}
                Some(CreateAccountStatus::Exists) => fresh = false,
                Some(status) => return Err(LoadError::Setup(status.name().to_owned())),
                None => return Err(LoadError::Setup(format!("status {}", result.status))),
            }
        }
    }
    Ok(fresh)
}

/// Answers whether all of the funding is new.
fn fund(client: &Client, workload: &Workload) -> Result<bool, LoadError> {
    let mut fresh = true;
    for run in runs(workload.accounts) {
        let transfers: Vec<_> = run.map(|account| workload.funding(account)).collect();
        for result in client.create_transfers(&transfers).into_result()?.value {
            match CreateTransferStatus::from_code(result.status) {
                Some(CreateTransferStatus::Created) => {}
                Some(CreateTransferStatus::Exists) => fresh = false,
                Some(status) => return Err(LoadError::Setup(status.name().to_owned())),
                None => return Err(LoadError::Setup(format!("status {}", result.status))),
            }
        }
    }
    Ok(fresh)
}

/// Reads how every account stands. One that the server doesn't have is an error.
pub(crate) fn read_counters(
    client: &Client,
    workload: &Workload,
) -> Result<Vec<Counters>, LoadError> {
    let count = workload.accounts + 1;
    let mut counters = Vec::with_capacity(to_usize(count));
    for run in runs(count) {
        let ids: Vec<u128> = run.map(|account| workload.account_id(account)).collect();
        let found = client.lookup_accounts(&ids)?.value;
        if !found.iter().map(|account| account.id).eq(ids) {
            return Err(LoadError::Setup("the server doesn't have every account".to_owned()));
        }
        counters.extend(found.iter().map(Counters::of));
    }
    Ok(counters)
}
