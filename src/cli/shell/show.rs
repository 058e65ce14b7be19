//! Answers as tables for people and as JSON for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::fields::{Field, Fields};
use crate::cli::dates::format_timestamp;
use crate::ledger::{
    CreateAccountStatus, CreateResult, CreateTransferStatus, Op, ResolveOutcome, ResolveResult,
};
use crate::wire::{Reply, Request, StatusReport};

/// Columns that are shown even if all their values are 0.
const ALWAYS: [&str; 8] = [
    "id",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "debits_posted",
    "credits_posted",
    "ledger",
    "code",
];

/// An answer, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    rows: Vec<Vec<Field>>,
    empty: &'static str,
    /// Whether any event was refused.
    pub refused: bool,
}

impl Shown {
    /// Prepares the answer to a request. None if the reply doesn't fit the request.
    pub(crate) fn new(request: &Request, reply: &Reply) -> Option<Self> {
        let plain = |rows, empty| Some(Self { rows, empty, refused: false });
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
            (_, Reply::Status(report)) => plain(status_rows(report), "no status"),
            _ => None,
        }
    }

    /// Writes a table.
    pub(crate) fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(first) = self.rows.first() else { return writeln!(out, "{}", self.empty) };
        let columns: Vec<usize> = (0..first.len())
            .filter(|column| {
                let shown = |row: &Vec<Field>| {
                    row.get(*column).is_some_and(|f| !f.is_zero || ALWAYS.contains(&f.name))
                };
                self.rows.iter().any(shown)
            })
            .collect();
        let widths: Vec<usize> = columns
            .iter()
            .map(|column| {
                let texts = self.rows.iter().filter_map(|row| row.get(*column));
                let texts = texts.map(|field| field.text.chars().count());
                texts.chain([first[*column].name.len()]).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: Vec<&str>| {
            let cells: Vec<String> = (cells.iter().zip(&widths))
                .map(|(text, width)| {
                    let is_number = text.starts_with(|c: char| c.is_ascii_digit())
                        && text.bytes().all(|b| b.is_ascii_digit());
                    if is_number { format!("{text:>width$}") } else { format!("{text:<width$}") }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        writeln!(out, "{}", line(columns.iter().map(|column| first[*column].name).collect()))?;
        for row in &self.rows {
            writeln!(
                out,
                "{}",
                line(columns.iter().map(|column| row[*column].text.as_str()).collect())
            )?;
        }
        Ok(())
    }

    /// The answer as a JSON object.
    pub(crate) fn json(&self, request: &Request, op: Op) -> Value {
        let results: Vec<Value> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|f| (f.name.to_owned(), f.json.clone())).collect())
            .collect();
        json!({ "operation": operation_name(request), "op": op.0.to_string(), "results": results })
    }
}

/// The name of a request's operation, as statements spell it.
pub(crate) fn operation_name(request: &Request) -> &'static str {
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
        Request::Status => "status",
        Request::Ping => "ping",
    }
}

fn rows<T: Fields>(records: &[T]) -> Vec<Vec<Field>> {
    records.iter().map(Fields::get).collect()
}

fn text_field(name: &'static str, text: &str) -> Field {
    Field { name, text: text.to_owned(), json: Value::String(text.to_owned()), is_zero: false }
}

fn id_field(id: u128) -> Field {
    text_field("id", &id.to_string())
}

fn time_field(timestamp: u64) -> Field {
    let text = if timestamp == 0 { String::new() } else { format_timestamp(timestamp) };
    let json = Value::String(timestamp.to_string());
    Field { name: "timestamp", text, json, is_zero: timestamp == 0 }
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
        rows.push(vec![id_field(id), text_field("status", name), time_field(result.timestamp)]);
    }
    Shown { rows, empty: "no events", refused }
}

fn resolved((id, result): (&u128, &ResolveResult)) -> Vec<Field> {
    let outcome = ResolveOutcome::from_code(result.outcome);
    let name = outcome.map_or("unknown_outcome", ResolveOutcome::name);
    vec![id_field(*id), text_field("outcome", name), time_field(result.timestamp)]
}

fn status_rows(report: &StatusReport) -> Vec<Vec<Field>> {
    let Ok(Value::Object(all)) = serde_json::to_value(report) else { return Vec::new() };
    let row = |name: &str, value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = Field { name: "value", text, json: value.clone(), is_zero: false };
        vec![text_field("name", name), value]
    };
    let mut rows = Vec::new();
    for (name, value) in &all {
        match value {
            Value::Object(counters) => {
                rows.extend(counters.iter().map(|(name, value)| row(name, value)));
            }
            value => rows.push(row(name, value)),
        }
    }
    rows
}
