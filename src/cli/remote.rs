//! The server as the commands see it: a small trait, and how its failures end a command.

use super::config::Settings;
use super::exit::{Exit, Failure};
use crate::ledger::{Account, CreateResult, Op, Transfer};
use crate::wire::{Reply, Request};

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(not(test), expect(dead_code, reason = "the client that makes these comes next"))]
pub(crate) enum CallError {
    /// The server declined the request as a whole; nothing happened.
    #[error("{0}")]
    Rejected(String),
    /// It isn't known whether the request took effect.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The server can't be reached, and nothing was sent.
    #[error("the server is unavailable: {0}")]
    Unavailable(String),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let exit = match error {
            CallError::Rejected(_) => Exit::Refused,
            CallError::Unknown(_) => Exit::Unknown,
            CallError::Unavailable(_) => Exit::Unavailable,
        };
        Self::new(exit, error.to_string())
    }
}

/// Where imported records go. Several requests of transfers may be under way; they take effect in
/// the order in which they were submitted, and are collected in that order.
pub(crate) trait Target {
    /// Creates accounts and waits for the results, one for each.
    fn create_accounts(&mut self, accounts: &[Account]) -> Result<Vec<CreateResult>, CallError>;

    /// Sends transfers without waiting.
    fn submit_transfers(&mut self, transfers: Vec<Transfer>) -> Result<(), CallError>;

    /// Waits for the results of the oldest request that wasn't collected yet.
    fn collect_transfers(&mut self) -> Result<Vec<CreateResult>, CallError>;
}

/// A server that answers one request after the other.
pub(crate) trait Remote {
    /// Asks, and waits for the answer and the op that it reflects. Never answers `Reply::Error`.
    fn call(&mut self, request: &Request) -> Result<(Op, Reply), CallError>;
}

/// Connects to the server of the settings.
pub(crate) fn connect(settings: &Settings) -> Result<Box<dyn Remote>, CallError> {
    let address = &settings.connect;
    Err(CallError::Unavailable(format!("this build has no client to reach {address} with")))
}
