//! `partita capacity`: how much room a ledger has, and making more of it.
//!
//! Raising is an act of an operator that is ordered and logged like any transfer, with its reason: every
//! replay of the log has the same room at the same place.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::ConnectFlags;
use super::json;
use super::remote::{CallError, Remote, Server};
use crate::ledger::{Capacity, Command, CommandStatus};
use crate::limits::REASON_BYTES_MAX;
use crate::wire::{Reply, Request, StatusReport};

/// The subcommands of `capacity`.
#[derive(Debug, Subcommand)]
pub(crate) enum CapacityCommand {
    /// Show how many accounts and open holds there are, and how many there may be.
    Show(ShowArgs),
    /// Make room for more accounts or open holds. There is no way back.
    Raise(RaiseArgs),
}

/// Arguments of `capacity show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Arguments of `capacity raise`.
#[derive(Debug, Args)]
pub(crate) struct RaiseArgs {
    /// Accounts that may exist from now on.
    #[arg(long, value_name = "N", required_unless_present = "holds_max")]
    pub accounts_max: Option<u64>,
    /// Holds that may be open at once from now on.
    #[arg(long, value_name = "N")]
    pub holds_max: Option<u64>,
    /// Why, and who says so: kept in the log for ever.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

impl CapacityCommand {
    /// The server to talk to.
    pub(crate) const fn connect(&self) -> &ConnectFlags {
        match self {
            Self::Show(args) => &args.connect,
            Self::Raise(args) => &args.connect,
        }
    }

    /// Whether stdout gets JSON.
    pub(crate) const fn wants_json(&self) -> bool {
        match self {
            Self::Show(args) => args.json,
            Self::Raise(args) => args.json,
        }
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    accounts: u64,
    accounts_max: u64,
    holds: u64,
    holds_max: u64,
}

#[derive(Debug, Serialize)]
struct Raised {
    status: &'static str,
    accounts_max: u64,
    holds_max: u64,
    timestamp: u64,
    op: u64,
}

/// Runs the command.
pub(crate) fn run(
    command: &CapacityCommand,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match command {
        CapacityCommand::Show(args) => {
            let report = status(&mut Server::connect(settings)?)?;
            show(args, &report, out)
        }
        CapacityCommand::Raise(args) => {
            check(args)?;
            raise(args, &mut Server::connect(settings)?, out)
        }
    }
}

fn status(server: &mut dyn Remote) -> Result<Box<StatusReport>, Failure> {
    match server.call(&Request::Status)? {
        (_, Reply::Status(report)) => Ok(report),
        (_, other) => Err(misplaced(&other)),
    }
}

fn show(args: &ShowArgs, report: &StatusReport, out: &mut dyn Write) -> Result<Exit, Failure> {
    let &StatusReport { accounts, accounts_max, holds, holds_max, .. } = report;
    if args.json {
        json::write(out, &Shown { accounts, accounts_max, holds, holds_max })?;
    } else {
        writeln!(out, "accounts    {accounts} of {accounts_max}")?;
        writeln!(out, "open holds  {holds} of {holds_max}")?;
    }
    Ok(Exit::Ok)
}

/// 0 on the wire leaves a number as it is; typed, it is a mistake.
fn check(args: &RaiseArgs) -> Result<(), Failure> {
    for (flag, value) in [("--accounts-max", args.accounts_max), ("--holds-max", args.holds_max)] {
        if value == Some(0) {
            let text = format!("capacity raise: {flag} 0: leave the flag away to keep it as it is");
            return Err(Failure::usage(text));
        }
    }
    if args.reason.trim().is_empty() || args.reason.len() > REASON_BYTES_MAX {
        return Err(Failure::usage(format!(
            "capacity raise: --reason needs 1 to {REASON_BYTES_MAX} bytes that aren't all blank"
        )));
    }
    Ok(())
}

fn raise(args: &RaiseArgs, server: &mut dyn Remote, out: &mut dyn Write) -> Result<Exit, Failure> {
    let capacity = Capacity {
        accounts_max: args.accounts_max.unwrap_or_default(),
        holds_max: args.holds_max.unwrap_or_default(),
    };
    let command = Command::RaiseCapacity(capacity);
    let reason = args.reason.clone();
    let (op, result) = match server.call(&Request::Command { command, reason })? {
        (op, Reply::Command(result)) => (op, result),
        (_, other) => return Err(misplaced(&other)),
    };
    let status = CommandStatus::from_code(result.status);
    let Capacity { accounts_max, holds_max } = result.capacity();
    let name = status.map_or("unknown_status", CommandStatus::name);
    if args.json {
        let timestamp = result.timestamp;
        let raised = Raised { status: name, accounts_max, holds_max, timestamp, op: op.0 };
        json::write(out, &raised)?;
    } else {
        writeln!(out, "{name}: room for {accounts_max} accounts and {holds_max} open holds")?;
        if let Some(explanation) =
            status.filter(|s| *s != CommandStatus::Done).map(CommandStatus::explain)
        {
            writeln!(out, "{} {}", explanation.meaning, explanation.remedy)?;
        }
    }
    // Said twice, it is true all the same.
    let is_so = [Some(CommandStatus::Done), Some(CommandStatus::CapacityUnchanged)];
    Ok(if is_so.contains(&status) { Exit::Ok } else { Exit::Refused })
}

fn misplaced(reply: &Reply) -> Failure {
    let kind = reply.kind();
    CallError::Unavailable(format!("{kind:?} came where another answer belongs").into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{CommandResult, Op};

    /// Answers every command with one status, and room for 20 accounts and 7 holds.
    struct Answers(CommandStatus, Vec<Request>);

    impl Remote for Answers {
        fn call(&mut self, request: &Request) -> Result<(Op, Reply), CallError> {
            self.1.push(request.clone());
            let capacity = Capacity { accounts_max: 20, holds_max: 7 };
            let result = CommandResult::of_capacity(5, self.0.code(), capacity);
            Ok((Op(9), Reply::Command(result)))
        }
    }

    fn args() -> RaiseArgs {
        let connect = ConnectFlags { connect: None };
        let reason = "more customers".to_owned();
        RaiseArgs { accounts_max: Some(20), holds_max: None, reason, json: false, connect }
    }

    fn raised(status: CommandStatus, json: bool) -> (Exit, String, Vec<Request>) {
        let mut server = Answers(status, Vec::new());
        let mut out = Vec::new();
        let exit = raise(&RaiseArgs { json, ..args() }, &mut server, &mut out).unwrap();
        (exit, String::from_utf8(out).unwrap(), server.1)
    }

    #[test]
    fn what_was_asked_for_and_what_came_of_it() {
        let (exit, said, asked) = raised(CommandStatus::Done, false);
        assert_eq!(
            (exit, said.as_str()),
            (Exit::Ok, "done: room for 20 accounts and 7 open holds\n")
        );
        let command = Command::RaiseCapacity(Capacity { accounts_max: 20, holds_max: 0 });
        let reason = "more customers".to_owned();
        assert_eq!(asked, [Request::Command { command, reason }]);
        let (_, said, _) = raised(CommandStatus::Done, true);
        let value: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&value["status"], &value["accounts_max"]), (&"done".into(), &"20".into()));
    }

    #[test]
    fn a_refusal_is_status_3_and_says_what_to_do() {
        let (exit, said, _) = raised(CommandStatus::AccountsMaxMustNotShrink, false);
        assert_eq!(exit, Exit::Refused);
        assert!(said.contains("never shrinks") && said.contains("Ask for more"), "{said}");
        let (exit, said, _) = raised(CommandStatus::CapacityUnchanged, false);
        assert_eq!(exit, Exit::Ok, "{said}");
    }

    #[test]
    fn a_raise_needs_a_reason_and_numbers() {
        assert_eq!(check(&args()), Ok(()));
        for wrong in [
            RaiseArgs { accounts_max: Some(0), ..args() },
            RaiseArgs { holds_max: Some(0), ..args() },
            RaiseArgs { reason: "  ".to_owned(), ..args() },
            RaiseArgs { reason: "r".repeat(REASON_BYTES_MAX + 1), ..args() },
        ] {
            assert_eq!(check(&wrong).unwrap_err().exit, Exit::Usage);
        }
    }
}
