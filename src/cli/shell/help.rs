//! What the shell can do, in its own words.

use std::io::{self, Write};

use super::fields::{Fields, value_words};
use super::parser::OPERATIONS;
use crate::ledger::{Account, AccountFilter, QueryAccountsFilter, QueryTransfersFilter, Transfer};

/// Explains the shell, or one operation.
pub(crate) fn write(topic: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let Some(topic) = topic else { return write_overview(out) };
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
    writeln!(out, "2026-01-31T12:00:00Z. id=auto makes a new id. # starts a comment.")
}
