//! The server as the commands see it: two small traits, the client behind them, and how a failed
//! call ends a command.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::Settings;
use super::exit::{Exit, Failure};
use crate::client::{self, Client, ConnectError, ConnectOptions, NotSentReason, Pending, Refusal};
use crate::ledger::{Account, CreateResult, Op, Transfer};
use crate::wire::{Reply, Request, RequestError};

/// How long a command waits for a server that doesn't answer yet.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The first code of refusals of one request, and the first beyond those that are the request's own
/// fault: see the table of error codes in `docs/wire-protocol.md`.
const REJECTED_CODES: std::ops::Range<u32> = 100..300;

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The server declined the request as a whole; nothing happened.
    #[error("{0}")]
    Rejected(Cause),
    /// It isn't known whether the request took effect.
    #[error("{0}")]
    Unknown(Cause),
    /// The server can't be reached or can't serve now, and nothing happened.
    #[error("{0}")]
    Unavailable(Cause),
}

/// What is known of a failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Cause {
    /// For people.
    pub message: String,
    /// The server's own refusal, if it sent one.
    pub refusal: Option<Box<RequestError>>,
}

impl<T: Into<String>> From<T> for Cause {
    fn from(message: T) -> Self {
        Self { message: message.into(), refusal: None }
    }
}

impl CallError {
    /// What is known of it.
    pub(crate) const fn cause(&self) -> &Cause {
        match self {
            Self::Rejected(cause) | Self::Unknown(cause) | Self::Unavailable(cause) => cause,
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let exit = match error {
            CallError::Rejected(_) => Exit::Refused,
            CallError::Unknown(_) => Exit::Unknown,
            CallError::Unavailable(_) => Exit::Unavailable,
        };
        let failure = Self::new(exit, error.to_string());
        match &error.cause().refusal {
            Some(refusal) => failure.coded(refusal.name().replace(' ', "_")),
            None => failure,
        }
    }
}

/// A server that answers one request after the other.
pub(crate) trait Remote {
    /// Asks, and waits for the answer and the op that it reflects. Never answers `Reply::Error`.
    fn call(&mut self, request: &Request) -> Result<(Op, Reply), CallError>;
}

/// Where imported records go. Several requests of transfers may be under way; they are collected in
/// the order in which they were submitted, but one that had to be sent again may have taken effect
/// after later ones.
pub(crate) trait Target {
    /// Creates accounts and waits for the results, one for each.
    fn create_accounts(&mut self, accounts: &[Account]) -> Result<Vec<CreateResult>, CallError>;

    /// Sends transfers without waiting.
    fn submit_transfers(&mut self, transfers: Vec<Transfer>) -> Result<(), CallError>;

    /// Waits for the results of the oldest request that wasn't collected yet.
    fn collect_transfers(&mut self) -> Result<Vec<CreateResult>, CallError>;
}

/// The server of the settings.
pub(crate) struct Server {
    client: Client,
    waiting: VecDeque<Pending>,
}

impl Server {
    /// Connects.
    ///
    /// # Errors
    /// There is no server, or it refuses this client.
    pub(crate) fn connect(settings: &Settings) -> Result<Self, CallError> {
        let options = ConnectOptions {
            name: "partita-cli".to_owned(),
            cluster: settings.cluster.unwrap_or(0),
            connect_deadline: CONNECT_DEADLINE,
            wait_for_server: false,
            ..ConnectOptions::new(&settings.connect)
        };
        let client = Client::connect(&options).map_err(|error| {
            let hint = match error {
                ConnectError::NobodyListens => {
                    ": start a server with `partita start`, or say where it is with --connect"
                }
                _ => "",
            };
            CallError::Unavailable(format!("{}: {error}{hint}", settings.connect).into())
        })?;
        Ok(Self { client, waiting: VecDeque::new() })
    }
}

impl Remote for Server {
    fn call(&mut self, request: &Request) -> Result<(Op, Reply), CallError> {
        match self.client.submit(request).wait() {
            Ok(answer) => Ok((answer.op, answer.value)),
            Err(error) => Err(classify(error, request.is_write())),
        }
    }
}

impl Target for Server {
    fn create_accounts(&mut self, accounts: &[Account]) -> Result<Vec<CreateResult>, CallError> {
        let (_, reply) = self.call(&Request::CreateAccounts(accounts.to_vec()))?;
        results(reply)
    }

    fn submit_transfers(&mut self, transfers: Vec<Transfer>) -> Result<(), CallError> {
        let request = Request::CreateTransfers(transfers);
        self.waiting.push_back(self.client.submit(&request));
        Ok(())
    }

    fn collect_transfers(&mut self) -> Result<Vec<CreateResult>, CallError> {
        let Some(pending) = self.waiting.pop_front() else { return Ok(Vec::new()) };
        let answer = pending.wait().map_err(|error| classify(error, true))?;
        results(answer.value)
    }
}

fn results(reply: Reply) -> Result<Vec<CreateResult>, CallError> {
    match reply {
        Reply::CreateResults(results) => Ok(results),
        other => {
            let kind = other.kind();
            Err(CallError::Unknown(format!("{kind:?} came where results belong").into()))
        }
    }
}

/// A lost read leaves no doubt behind: it changed nothing.
fn classify(error: client::CallError, is_write: bool) -> CallError {
    match error {
        client::CallError::Unknown(unknown) if is_write => {
            CallError::Unknown(unknown.to_string().into())
        }
        client::CallError::Unknown(unknown) => {
            CallError::Unavailable(unknown.reason.to_string().into())
        }
        client::CallError::Refused(Refusal::Server(error)) => refused(&error),
        client::CallError::Refused(Refusal::NotSent(reason)) => match reason {
            NotSentReason::TooManyEvents { .. } => CallError::Rejected(reason.to_string().into()),
            _ => CallError::Unavailable(reason.to_string().into()),
        },
    }
}

fn refused(error: &RequestError) -> CallError {
    let cause = Cause { message: error.to_string(), refusal: Some(Box::new(error.clone())) };
    if REJECTED_CODES.contains(&error.number()) {
        CallError::Rejected(cause)
    } else {
        CallError::Unavailable(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{UnknownOutcome, UnknownReason};
    use crate::wire::{ErrorCode, Kind};

    #[test]
    fn doubt_is_only_about_writes() {
        let unknown = |kind| {
            let reason = UnknownReason::Closed;
            client::CallError::Unknown(UnknownOutcome { reason, kind, ids: Vec::new() })
        };
        let error = classify(unknown(Kind::CreateTransfers), true);
        assert_eq!(Failure::from(error).exit, Exit::Unknown);
        let error = classify(unknown(Kind::LookupAccounts), false);
        assert_eq!(Failure::from(error).exit, Exit::Unavailable);
    }

    #[test]
    fn every_error_code_has_its_class() {
        for code in ErrorCode::ALL {
            let error = client::CallError::Refused(Refusal::Server(RequestError::new(*code)));
            let exit = Failure::from(classify(error, true)).exit;
            let own_fault = (100..300).contains(&code.code());
            assert_eq!(exit, if own_fault { Exit::Refused } else { Exit::Unavailable }, "{code:?}");
        }
        let reason = NotSentReason::TooManyEvents { events: 9_000, most: 8_190 };
        let error = client::CallError::Refused(Refusal::NotSent(reason));
        assert_eq!(Failure::from(classify(error, true)).exit, Exit::Refused);
        let error = client::CallError::Refused(Refusal::NotSent(NotSentReason::DeadlinePassed));
        assert_eq!(Failure::from(classify(error, true)).exit, Exit::Unavailable);
    }
}
