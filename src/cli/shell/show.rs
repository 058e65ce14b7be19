//! Answers as tables for people and as JSON for programs.

use super::fields::Fields;
use crate::cli::table::Field;
use crate::ledger::{
    CreateAccountStatus, CreateResult, CreateTransferStatus, ResolveOutcome, ResolveResult,
};
use crate::wire::{Reply, Request, StatusReport};

/// What an answer consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Rows(Vec<Vec<Field>>),
    Status(Box<StatusReport>),
}

/// An answer, or a page of it, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub body: Body,
    /// What is said when there are no rows.
    pub empty: &'static str,
    /// Whether any event was refused.
    pub refused: bool,
}

impl Shown {
    /// Prepares the answer to a request. None if the reply doesn't fit the request.
    pub(super) fn new(request: &Request, reply: &Reply) -> Option<Self> {
        let plain = |rows, empty| Some(Self { body: Body::Rows(rows), empty, refused: false });
        match (request, reply) {
            (Request::CreateAccounts(events), Reply::CreateResults(results)) => {
                let ids = events.iter().map(|event| event.id);
                Some(created(ids, results, account_status, |status| {
                    !matches!(
                        status,
                        Some(CreateAccountStatus::Created | CreateAccountStatus::Exists)
                    )
                }))
            }
            (Request::CreateTransfers(events), Reply::CreateResults(results)) => {
                let ids = events.iter().map(|event| event.id);
                Some(created(ids, results, transfer_status, |status| {
                    let done = [CreateTransferStatus::Created, CreateTransferStatus::Exists];
                    !status.is_some_and(|status| done.contains(&status))
                }))
            }
            (Request::ResolveTransfers { ids, .. }, Reply::ResolveResults(results)) => {
                plain(ids.iter().zip(results).map(resolved).collect(), "no ids")
            }
            (_, Reply::Accounts(found)) => plain(rows(found), "no accounts"),
            (_, Reply::Transfers(found)) => plain(rows(found), "no transfers"),
            (_, Reply::Balances(found)) => plain(rows(found), "no balances"),
            (_, Reply::Status(report)) => {
                Some(Self { body: Body::Status(report.clone()), empty: "", refused: false })
            }
            _ => None,
        }
    }

    /// How many rows there are.
    pub(super) const fn rows(&self) -> usize {
        match &self.body {
            Body::Rows(rows) => rows.len(),
            Body::Status(_) => 1,
        }
    }
}

/// The name of a request's operation, as statements spell it.
pub(super) fn operation_name(request: &Request) -> &'static str {
    match request {
        Request::CreateAccounts(_) => "create-accounts",
        Request::CreateTransfers(_) => "create-transfers",
        Request::ResolveTransfers { flags: 0, .. } => "resolve-transfers",
        Request::ResolveTransfers { .. } => "fence",
        Request::LookupAccounts(_) => "lookup-accounts",
        Request::LookupTransfers(_) => "lookup-transfers",
        Request::GetAccountTransfers(_) => "get-account-transfers",
        Request::GetAccountBalances(_) => "get-account-balances",
        Request::QueryAccounts(_) => "query-accounts",
        Request::QueryTransfers(_) => "query-transfers",
        Request::Command { command, .. } => command.name(),
        Request::Status => "status",
        Request::Ping => "ping",
    }
}

fn rows<T: Fields>(records: &[T]) -> Vec<Vec<Field>> {
    records.iter().map(Fields::get).collect()
}

fn account_status(code: u32) -> (Option<CreateAccountStatus>, &'static str) {
    let status = CreateAccountStatus::from_code(code);
    (status, status.map_or("unknown_status", CreateAccountStatus::name))
}

fn transfer_status(code: u32) -> (Option<CreateTransferStatus>, &'static str) {
    let status = CreateTransferStatus::from_code(code);
    (status, status.map_or("unknown_status", CreateTransferStatus::name))
}

fn created<S>(
    ids: impl Iterator<Item = u128>,
    results: &[CreateResult],
    read: impl Fn(u32) -> (Option<S>, &'static str),
    is_refusal: impl Fn(Option<S>) -> bool,
) -> Shown {
    let mut refused = false;
    let mut rows = Vec::new();
    for (id, result) in ids.zip(results) {
        let (status, name) = read(result.status);
        refused |= is_refusal(status);
        rows.push(vec![
            Field::text("id", id.to_string()),
            Field::text("status", name),
            Field::time(result.timestamp),
        ]);
    }
    Shown { body: Body::Rows(rows), empty: "no events", refused }
}

fn resolved((id, result): (&u128, &ResolveResult)) -> Vec<Field> {
    let outcome = ResolveOutcome::from_code(result.outcome);
    let name = outcome.map_or("unknown_outcome", ResolveOutcome::name);
    vec![
        Field::text("id", id.to_string()),
        Field::text("outcome", name),
        Field::time(result.timestamp),
    ]
}
