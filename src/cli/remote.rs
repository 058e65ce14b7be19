//! The server as the commands see it: a small trait, and how its failures end a command.

use super::exit::{Exit, Failure};
use crate::ledger::{Account, CreateResult, Transfer};

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(dead_code, reason = "the client that makes these comes next")]
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
