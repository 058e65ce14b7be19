//! What a caller learns: a definite outcome, or that it is unknown and how to settle it.

use crate::ledger::{Op, ResolveOutcome, Timestamp};
use crate::wire::{Kind, ProtocolError, RequestError};

/// A value that the server answered with, and the state that it reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<T> {
    /// The op up to which the ledger is reflected.
    pub op: Op,
    /// The epoch of that op.
    pub epoch: u64,
    /// What was answered.
    pub value: T,
}

impl<T> Answer<T> {
    /// The same answer with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { op: self.op, epoch: self.epoch, value: f(self.value) }
    }
}

/// What became of a write. The caller has to look: an unknown outcome is neither a success nor a
/// failure.
#[must_use = "an unknown outcome has to be settled, a refusal has to be noticed"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The server decided; the value has a status for each event.
    Definite(Answer<T>),
    /// Nothing happened and nothing will.
    Refused(Refusal),
    /// It may have happened, or may happen yet. Settle it with [`super::Client::settle`], or
    /// submit the same records again.
    Unknown(UnknownOutcome),
}

impl<T> From<Result<Answer<T>, CallError>> for Outcome<T> {
    fn from(result: Result<Answer<T>, CallError>) -> Self {
        match result {
            Ok(answer) => Self::Definite(answer),
            Err(CallError::Refused(refusal)) => Self::Refused(refusal),
            Err(CallError::Unknown(unknown)) => Self::Unknown(unknown),
        }
    }
}

impl<T> Outcome<T> {
    /// The same as a result, for callers that use `?`.
    ///
    /// # Errors
    /// Everything that isn't a definite answer.
    pub fn into_result(self) -> Result<Answer<T>, CallError> {
        match self {
            Self::Definite(answer) => Ok(answer),
            Self::Refused(refusal) => Err(CallError::Refused(refusal)),
            Self::Unknown(unknown) => Err(CallError::Unknown(unknown)),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing happened and nothing will.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// It may have happened, or may happen yet. (A read has no effect: repeat it.)
    #[error("{0}")]
    Unknown(UnknownOutcome),
}

impl CallError {
    /// The end of a call that found the client closed.
    pub(super) const fn closed() -> Self {
        Self::Refused(Refusal::NotSent(NotSentReason::NoServer(ConnectError::Closed)))
    }
}

/// Why it is certain that nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server refused it.
    #[error("{0}")]
    Server(RequestError),
    /// It never reached a server.
    #[error("not sent: {0}")]
    NotSent(NotSentReason),
}

/// Why a request never reached a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSentReason {
    /// The deadline passed before it could be sent.
    #[error("the deadline passed before it could be sent")]
    DeadlinePassed,
    /// It has more events than a request may have.
    #[error("{events} events are more than the {most} of a request")]
    TooManyEvents {
        /// Events of the request.
        events: usize,
        /// The most that a request may have.
        most: usize,
    },
    /// No server accepts this client.
    #[error("{0}")]
    NoServer(ConnectError),
}

/// A write of which nobody knows yet whether it happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the outcome of {} with {} ids is unknown: {reason}", self.kind, self.ids.len())]
pub struct UnknownOutcome {
    /// Why it is unknown.
    pub reason: UnknownReason,
    /// What was asked.
    pub kind: Kind,
    /// The ids of its events, in order. Empty for a read.
    pub ids: Vec<u128>,
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// It was sent, and no reply came before the deadline.
    #[error("no reply came before the deadline")]
    DeadlinePassed,
    /// It was sent as often as allowed, and every connection was lost before the reply.
    #[error("the connection was lost {attempts} times: {last}")]
    ConnectionLost {
        /// How often it was sent.
        attempts: u32,
        /// What ended the last connection.
        last: LostReason,
    },
    /// The server was stopped while it served the request.
    #[error("the server says: {0}")]
    Interrupted(RequestError),
    /// An earlier attempt was lost, and the later one was refused: that one had no effect, but the
    /// earlier one may have had.
    #[error("the reply was lost, and the repeated request was refused: {0}")]
    RefusedInDoubt(Refusal),
    /// The client was closed while the request was in flight.
    #[error("the client was closed")]
    Closed,
}

/// What ended a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LostReason {
    /// It couldn't be made, or the peer closed it, or the network did.
    #[error("{0}")]
    Network(String),
    /// The connection, or the answer to the hello, took too long.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// A request got no reply by its deadline, and nothing else came either.
    #[error("the connection went silent")]
    Silent,
    /// What came wasn't the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// A reply that fits no request in flight.
    #[error("the peer answered what was not asked")]
    StrayReply,
    /// The server closed it with an error.
    #[error("the server closed the connection: {0}")]
    ClosedByServer(RequestError),
}

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Every server refused the hello for a reason that waiting doesn't change.
    #[error("the server refuses this client: {0}")]
    Refused(RequestError),
    /// The deadline passed.
    #[error("no server answered before the deadline ({})", self.last())]
    DeadlinePassed {
        /// What ended the last attempt, when there was one.
        last: Option<LostReason>,
    },
    /// Nobody listens at any of the addresses.
    #[error("nobody listens there")]
    NobodyListens,
    /// There is no address to connect to.
    #[error("{0}")]
    NoAddress(String),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The operating system refuses a thread or a poll handle.
    #[error("the client can not start: {0}")]
    Resources(String),
}

impl ConnectError {
    fn last(&self) -> String {
        match self {
            Self::DeadlinePassed { last: Some(last) } => last.to_string(),
            _ => "no attempt ended".to_owned(),
        }
    }
}

/// What became of one id, after settling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The id of the transfer or account.
    pub id: u128,
    /// What the ledger knows. `Unknown` means "not seen so far" and is final only never.
    pub outcome: ResolveOutcome,
    /// The record's timestamp when it was created.
    pub timestamp: Option<Timestamp>,
}
