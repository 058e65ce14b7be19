//! Runs statements: connects when the first one needs it, shows the answers, sums up how it went.

use std::io::Write;

use serde_json::json;

use super::help;
use super::parser::Statement;
use super::show::{Shown, operation_name};
use crate::cli::exit::{Exit, Failure};
use crate::cli::remote::{CallError, Remote};
use crate::cli::say;
use crate::wire::Request;

/// Makes a connection.
pub(crate) type Connect<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Remote>, CallError>;

/// A shell's connection, made when it is needed.
pub(crate) struct Session<'a> {
    connect: Connect<'a>,
    remote: Option<Box<dyn Remote>>,
    json: bool,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// With the next statement.
    Continue,
    /// No further.
    Leave,
}

impl<'a> Session<'a> {
    /// A session that isn't connected yet.
    pub(crate) fn new(connect: Connect<'a>, json: bool) -> Self {
        Self { connect, remote: None, json }
    }

    /// Runs one statement and shows its answer. The exit says how this one went.
    ///
    /// # Errors
    /// The output can't be written.
    pub(crate) fn run(
        &mut self,
        statement: &Statement,
        out: &mut dyn Write,
    ) -> Result<(Exit, Next), Failure> {
        match statement {
            Statement::Exit => Ok((Exit::Ok, Next::Leave)),
            Statement::Help(topic) => {
                help::write(topic.as_deref(), out)?;
                Ok((Exit::Ok, Next::Continue))
            }
            Statement::Request(request) => match self.request(request, out)? {
                Ok(exit) => Ok((exit, Next::Continue)),
                Err(error) => self.failed(request, error, out),
            },
        }
    }

    fn request(
        &mut self,
        request: &Request,
        out: &mut dyn Write,
    ) -> Result<Result<Exit, CallError>, Failure> {
        let remote = match &mut self.remote {
            Some(remote) => remote,
            none => match (self.connect)() {
                Ok(remote) => none.insert(remote),
                Err(error) => return Ok(Err(error)),
            },
        };
        let (op, reply) = match remote.call(request) {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let Some(shown) = Shown::new(request, &reply) else {
            let kind = reply.kind();
            let error = format!("the server answered with {kind:?}, which doesn't fit the request");
            return Ok(Err(CallError::Unknown(error)));
        };
        if self.json {
            writeln!(out, "{}", shown.json(request, op))?;
        } else {
            shown.write_table(out)?;
        }
        Ok(Ok(if shown.refused { Exit::Refused } else { Exit::Ok }))
    }

    fn failed(
        &mut self,
        request: &Request,
        error: CallError,
        out: &mut dyn Write,
    ) -> Result<(Exit, Next), Failure> {
        // A refused request leaves the connection as it was; after the others it starts anew.
        let next = match error {
            CallError::Rejected(_) => Next::Continue,
            CallError::Unknown(_) | CallError::Unavailable(_) => {
                self.remote = None;
                Next::Leave
            }
        };
        let operation = operation_name(request);
        let failure = Failure::from(error);
        let message = failure.message.unwrap_or_default();
        // Ids that were made here are known to nobody else, and settling needs them.
        let ids = if failure.exit == Exit::Unknown { written_ids(request) } else { Vec::new() };
        if self.json {
            let error = json!({ "exit": failure.exit.code(), "message": message, "ids": ids });
            writeln!(out, "{}", json!({ "operation": operation, "error": error }))?;
        }
        out.flush()?;
        say(&format!("{operation}: {message}"));
        if !ids.is_empty() {
            say(&format!("settle it by sending the same again, with the ids {}", ids.join(" ")));
        }
        Ok((failure.exit, next))
    }
}

/// The ids that a write names.
fn written_ids(request: &Request) -> Vec<String> {
    match request {
        Request::CreateAccounts(events) => events.iter().map(|e| e.id.to_string()).collect(),
        Request::CreateTransfers(events) => events.iter().map(|e| e.id.to_string()).collect(),
        Request::ResolveTransfers { ids, .. } => ids.iter().map(u128::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Runs a script. Refusals don't stop it; a lost server does. The worst statement gives the status.
///
/// # Errors
/// The output can't be written.
pub(crate) fn run_script(
    statements: &[Statement],
    json: bool,
    connect: Connect<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::new(connect, json);
    let mut worst = Exit::Ok;
    for statement in statements {
        let (exit, next) = session.run(statement, out)?;
        if rank(exit) > rank(worst) {
            worst = exit;
        }
        if next == Next::Leave {
            break;
        }
    }
    Ok(worst)
}

/// Doubt is worse than absence, and absence worse than a refusal.
const fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Ok => 0,
        Exit::Refused => 1,
        Exit::Usage => 2,
        Exit::Failed => 3,
        Exit::Unavailable => 4,
        Exit::Unknown => 5,
        Exit::Damaged => 6,
    }
}
