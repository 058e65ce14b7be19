//! Why a measurement can't be made or trusted.

use std::net::SocketAddr;

use crate::client::{CallError, ConnectError};
use crate::wire::{ProtocolError, RequestError};

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nobody answers at the address.
    #[error("can't connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No server accepts us.
    #[error("{0}")]
    Unreachable(#[from] ConnectError),
    /// A request outside the measurement has no answer.
    #[error("{0}")]
    Call(#[from] CallError),
    /// Reading, writing or waiting failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server closed a connection with requests in flight.
    #[error("the server closed a connection; the outcome of what was in flight is unknown")]
    Closed,
    /// A frame isn't intact or isn't what the protocol allows.
    #[error("the server broke the protocol: {0}")]
    Frame(#[from] ProtocolError),
    /// An intact frame that answers nothing, or not what was asked.
    #[error("the server broke the protocol: {0}")]
    Answer(&'static str),
    /// The server refused something without which there is nothing to measure.
    #[error("the server refused: {0}")]
    Refused(#[from] RequestError),
    /// An account or its funds couldn't be created.
    #[error("the accounts couldn't be prepared: {0}")]
    Setup(String),
    /// More in flight than the server allows on a connection.
    #[error("{asked} requests in flight on a connection, but the server allows {allowed}")]
    InFlight {
        /// As asked for.
        asked: usize,
        /// The server's credit.
        allowed: u32,
    },
    /// No answer for so long.
    #[error("no answer for {seconds} s with {in_flight} requests in flight")]
    Stalled {
        /// How long.
        seconds: u64,
        /// Requests without an answer.
        in_flight: u64,
    },
    /// The server that was started for the run.
    #[error("the server that bench started: {0}")]
    Server(String),
}

impl LoadError {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
