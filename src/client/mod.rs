//! The client library: from a caller's records to a definite outcome, or an honest "unknown".
//!
//! [`Session`] is the machine that connects, sends, resends and gives up. It has no socket and no
//! clock: bytes and time are brought to it, so the simulator runs it as it is.
//!
//! It promises that an answer called definite is one, and that a resent request is byte for byte
//! the first one. It never invents an id, never retries under another one, and never treats a lost
//! reply as a failure.

mod backoff;
mod incoming;
mod outcome;
mod session;
mod slot;

pub use outcome::{
    Answer, CallError, ConnectError, LostReason, NotSentReason, Outcome, Refusal, Settled,
    UnknownOutcome, UnknownReason,
};
pub use session::{Action, Session, SessionConfig};
pub use slot::{Call, Completion};
