//! One request on its way: its bytes, its deadline, and how much is known about it.

use super::outcome::{Answer, CallError, Refusal, UnknownOutcome, UnknownReason};
use crate::wire::{HEADER_BYTES, Header, Kind, Reply};

/// A request as it is handed to a [`super::Session`]: encoded once, and resent as it is.
#[derive(Debug, Clone)]
pub struct Call {
    frame: Vec<u8>,
    header: Header,
    deadline_ns: u64,
}

/// What a session says about a call in the end: the reply, or why there is none. An error frame
/// never appears as a reply here.
pub type Completion = Result<Answer<Reply>, CallError>;

impl Call {
    /// A call from the one frame that an encoder of [`crate::wire`] wrote. Its correlation must be
    /// new to the session and not 0.
    ///
    /// # Panics
    /// When `frame` isn't a whole frame.
    #[must_use]
    pub fn new(frame: Vec<u8>, deadline_ns: u64) -> Self {
        let header: Header = bytemuck::pod_read_unaligned(&frame[..HEADER_BYTES]);
        assert_eq!(frame.len(), HEADER_BYTES + header.body_len(), "one whole frame");
        Self { frame, header, deadline_ns }
    }

    /// The mark that the completion bears.
    #[must_use]
    pub const fn correlation(&self) -> u64 {
        self.header.correlation
    }

    /// The time until which it may be sent and answered.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.deadline_ns
    }

    /// The bytes, the same for every attempt.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub(super) fn kind(&self) -> Kind {
        self.header.kind().unwrap_or(Kind::Ping)
    }

    /// Whether it can change the ledger.
    pub(super) fn is_write(&self) -> bool {
        match self.kind() {
            Kind::CreateAccounts | Kind::CreateTransfers | Kind::Command => true,
            Kind::ResolveTransfers => self.header.flags != 0,
            _ => false,
        }
    }

    fn ids(&self) -> Vec<u128> {
        let stride = match self.kind() {
            Kind::CreateAccounts | Kind::CreateTransfers => 128,
            Kind::ResolveTransfers => 16,
            _ => return Vec::new(),
        };
        let body = &self.frame[HEADER_BYTES..];
        body.chunks_exact(stride).map(|event| bytemuck::pod_read_unaligned(&event[..16])).collect()
    }

    /// Whether a reply has the shape that this request calls for.
    pub(super) fn is_answered_by(&self, reply: &Reply) -> bool {
        if Some(reply.kind()) != self.kind().answered_by() {
            return false;
        }
        let body_bytes = self.header.body_len();
        match reply {
            Reply::CreateResults(results) => results.len() == body_bytes / 128,
            Reply::ResolveResults(results) => results.len() == body_bytes / 16,
            _ => true,
        }
    }
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for a connection, for credit, or for its time.
    Waiting,
    /// Has credit on the current connection; its bytes aren't all written.
    Sending,
    /// All its bytes were given to the current connection.
    Sent,
}

/// A call and what is known about it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) call: Call,
    pub(super) stage: Stage,
    /// How often it was wholly sent.
    pub(super) attempts: u32,
    pub(super) sent_ns: u64,
    /// An attempt of a write was sent whose reply never came: it may have happened.
    pub(super) in_doubt: bool,
    /// The caller was told already; only the reply is outstanding.
    pub(super) abandoned: bool,
}

impl Slot {
    pub(super) const fn new(call: Call) -> Self {
        let stage = Stage::Waiting;
        Self { call, stage, attempts: 0, sent_ns: 0, in_doubt: false, abandoned: false }
    }

    pub(super) fn unknown(&self, reason: UnknownReason) -> Completion {
        let (kind, ids) = (self.call.kind(), self.call.ids());
        Err(CallError::Unknown(UnknownOutcome { reason, kind, ids }))
    }

    /// The end of a call whose last attempt certainly had no effect.
    pub(super) fn refused(&self, refusal: Refusal) -> Completion {
        // What is malformed was so in every attempt, for it was the same bytes.
        let malformed = match &refusal {
            Refusal::Server(error) => (100..300).contains(&error.number()),
            Refusal::NotSent(_) => false,
        };
        if self.in_doubt && !malformed {
            return self.unknown(UnknownReason::RefusedInDoubt(refusal));
        }
        Err(CallError::Refused(refusal))
    }
}
