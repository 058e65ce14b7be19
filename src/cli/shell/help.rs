//! What the shell can do, in its own words.

use std::io::{self, Write};

use super::fields::{Fields, value_words};
use super::operations::OPERATIONS;
use crate::ledger::{
    Account, AccountFilter, CreateAccountStatus, CreateTransferStatus, Explanation,
    QueryAccountsFilter, QueryTransfersFilter, Transfer,
};
use crate::wire::ErrorCode;

/// What help can be asked about besides operations: statuses and errors, by name.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    let transfers = CreateTransferStatus::ALL.iter().map(|status| status.name());
    let accounts = CreateAccountStatus::ALL.iter().map(|status| status.name());
    transfers.chain(accounts).chain(ErrorCode::ALL.iter().map(|code| code.name()))
}

/// Explains the shell, one operation, or a status.
pub(crate) fn write(topic: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let Some(topic) = topic else { return write_overview(out) };
    if OPERATIONS.iter().all(|(name, _)| *name != topic) {
        return write_codes(topic, out);
    }
    let about = OPERATIONS.iter().find(|(name, _)| *name == topic).map_or("", |(_, about)| about);
    writeln!(out, "{topic}: {about}")?;
    let fields = fields(topic);
    if !fields.is_empty() {
        writeln!(out, "fields: {}", fields.join(" "))?;
    }
    let flags = value_words(topic, "flags");
    if fields.contains(&"flags") && !flags.is_empty() {
        writeln!(out, "flags:  {}", flags.join(" | "))?;
    }
    writeln!(out, "e.g.    {}", example(topic))
}

/// Explains a status of either create operation, or an error of a request as a whole.
fn write_codes(name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut part = |of: &str, number: u32, burns: bool, words: Explanation| {
        let burns = if burns { ", burns the id" } else { "" };
        writeln!(out, "{name} ({number} of {of}{burns})")?;
        writeln!(out, "  meaning: {}", words.meaning)?;
        writeln!(out, "  to do:   {}", words.remedy)
    };
    for status in CreateTransferStatus::ALL.iter().filter(|status| status.name() == name) {
        part("create-transfers", status.code(), status.burns_id(), status.explain())?;
    }
    for status in CreateAccountStatus::ALL.iter().filter(|status| status.name() == name) {
        part("create-accounts", status.code(), false, status.explain())?;
    }
    for code in ErrorCode::ALL.iter().filter(|code| code.name() == name) {
        writeln!(out, "{name} (error {} of a request)\n  to do:   {}", code.code(), code.remedy())?;
    }
    Ok(())
}

/// The fields that an operation takes.
pub(crate) fn fields(operation: &str) -> &'static [&'static str] {
    match operation {
        "create-accounts" => Account::NAMES,
        "create-transfers" => Transfer::NAMES,
        "get-account-transfers" | "get-account-balances" => AccountFilter::NAMES,
        "query-accounts" => QueryAccountsFilter::NAMES,
        "query-transfers" => QueryTransfersFilter::NAMES,
        _ => &[],
    }
}

fn example(operation: &str) -> &'static str {
    match operation {
        "create-accounts" => {
            "create-accounts id=1 ledger=700 code=10 flags=history, id=2 ledger=700 code=10"
        }
        "create-transfers" => {
            "create-transfers id=auto debit_account_id=1 credit_account_id=2 amount=10 ledger=700 code=1"
        }
        "lookup-accounts" => "lookup-accounts 1 2",
        "lookup-transfers" => "lookup-transfers 1",
        "get-account-transfers" => {
            "get-account-transfers account_id=1 flags=debits|reversed limit=10"
        }
        "get-account-balances" => "get-account-balances account_id=1 timestamp_min=2026-01-31",
        "query-accounts" => "query-accounts ledger=700 code=10",
        "query-transfers" => "query-transfers ledger=700 pending_status=pending",
        "resolve-transfers" => "resolve-transfers 7 8",
        "fence" => "fence 7 8",
        "status" => "status",
        "exit" => "exit",
        _ => "help create-transfers",
    }
}

fn write_overview(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "OPERATION FIELD=VALUE …, FIELD=VALUE …;")?;
    writeln!(
        out,
        "A comma starts the next event, a semicolon or a line end the next statement.\n"
    )?;
    for (name, about) in OPERATIONS {
        writeln!(out, "  {name:<22} {about}")?;
    }
    writeln!(out, "\nNumbers: 1_000, 0xff, max. Flags: a|b. Times: nanoseconds, 2026-01-31 or")?;
    writeln!(out, "2026-01-31T12:00:00Z. id=auto makes a new id. # starts a comment.")?;
    writeln!(out, "help STATUS explains a status or an error: help exceeds_credits")
}
