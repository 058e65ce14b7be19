//! Runs statements: connects when the first one needs it, shows the answers, sums up how it went.

use std::io::{self, Write};

use super::help;
use super::output::{Format, Writing};
use super::pages::{Next as Further, Pages, Turned};
use super::parser::Statement;
use super::show::{Shown, operation_name};
use crate::cli::exit::{Exit, Failure};
use crate::cli::json;
use crate::cli::remote::{CallError, Remote};
use crate::cli::say;
use crate::ledger::Op;
use crate::wire::{Reply, Request};

/// Makes a connection.
pub(crate) type Connect<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Remote>, CallError>;

/// How a shell answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// What answers look like.
    pub format: Format,
    /// Whether reads that set no limit bring all there is.
    pub all: bool,
}

/// A shell's connection, made when it is needed.
pub(crate) struct Session<'a> {
    connect: Connect<'a>,
    remote: Option<Box<dyn Remote>>,
    style: Style,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// With the next statement.
    Continue,
    /// No further.
    Leave,
}

/// Why an answer isn't whole: the call failed, or the output can't be written.
enum Broken {
    Call(CallError),
    Output(io::Error),
}

impl From<CallError> for Broken {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl<'a> Session<'a> {
    /// A session that isn't connected yet.
    pub(crate) fn new(connect: Connect<'a>, style: Style) -> Self {
        Self { connect, remote: None, style }
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
        let (request, all) = match statement {
            Statement::Exit => return Ok((Exit::Ok, Next::Leave)),
            Statement::Help(topic) => {
                help::write(topic.as_deref(), out)?;
                return Ok((Exit::Ok, Next::Continue));
            }
            Statement::Request(request) => (request, false),
            Statement::Open(request) => (request, self.style.all),
        };
        let mut writing = Writing::new(out, self.style.format, operation_name(request));
        match self.request(request, all, &mut writing) {
            Ok((op, more, exit)) => {
                writing.end(op, more)?;
                Ok((exit, Next::Continue))
            }
            Err(Broken::Output(error)) => Err(error.into()),
            Err(Broken::Call(error)) => self.failed(request, error, writing),
        }
    }

    /// Asks, page by page where the answer has pages, and writes what comes.
    fn request(
        &mut self,
        request: &Request,
        all: bool,
        writing: &mut Writing<'_>,
    ) -> Result<(Op, Option<Further>, Exit), Broken> {
        let remote = match &mut self.remote {
            Some(remote) => remote,
            none => none.insert((self.connect)()?),
        };
        let Some(mut pages) = Pages::new(request, all) else {
            let (op, reply) = remote.call(request)?;
            let shown = fitting(request, &reply)?;
            writing.page(&shown)?;
            return Ok((op, None, if shown.refused { Exit::Refused } else { Exit::Ok }));
        };
        loop {
            let (op, mut reply) = remote.call(pages.ask())?;
            let turned = pages.turn(&mut reply);
            writing.page(&fitting(request, &reply)?)?;
            match turned {
                Turned::Last => return Ok((op, None, Exit::Ok)),
                Turned::More(next) => return Ok((op, Some(next), Exit::Ok)),
                Turned::Wanted => {}
            }
        }
    }

    fn failed(
        &mut self,
        request: &Request,
        error: CallError,
        writing: Writing<'_>,
    ) -> Result<(Exit, Next), Failure> {
        // A refused request leaves the connection as it was; after the others it starts anew.
        let next = match error {
            CallError::Rejected(_) => Next::Continue,
            CallError::Unknown(_) | CallError::Unavailable(_) => {
                self.remote = None;
                Next::Leave
            }
        };
        let refusal = error.cause().refusal.clone();
        let failure = Failure::from(error);
        // Ids that were made here are known to nobody else, and settling needs them.
        let ids = if failure.exit == Exit::Unknown { written_ids(request) } else { Vec::new() };
        let mut object = json::error(&failure)["error"].take();
        if !ids.is_empty() {
            object["ids"] = ids.clone().into();
        }
        if let Some(refusal) = refusal {
            object["index"] = refusal.index.into();
            object["retry_after_ms"] = refusal.retry_after_ms.into();
        }
        writing.fail(&object)?;
        let operation = operation_name(request);
        say(&format!("{operation}: {}", failure.message.unwrap_or_default()));
        if !ids.is_empty() {
            say(&format!("settle it by sending the same again, with the ids {}", ids.join(" ")));
        }
        Ok((failure.exit, next))
    }
}

/// The answer as it is shown.
fn fitting(request: &Request, reply: &Reply) -> Result<Shown, CallError> {
    Shown::new(request, reply).ok_or_else(|| {
        let kind = reply.kind();
        let text = format!("the server answered with {kind:?}, which doesn't fit the request");
        CallError::Unknown(text.into())
    })
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
    style: Style,
    connect: Connect<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::new(connect, style);
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
