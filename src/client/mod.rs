//! The client library: from a caller's records to a definite outcome, or an honest "unknown".
//!
//! - [`Client`] is the handle that callers share; behind it one thread does the I/O.
//! - [`Session`] is the machine that connects, sends, resends and gives up. It has no socket and
//!   no clock: bytes and time are brought to it, so the simulator runs it as it is.
//! - [`Batcher`] gathers events of many callers into few requests, also without clock or thread.
//!
//! It promises that an answer called definite is one, and that a resent request is byte for byte
//! the first one. It never invents an id, never retries under another one, and never treats a lost
//! reply as a failure.

mod backoff;
mod batch;
mod calls;
mod driver;
mod handle;
mod inbox;
mod incoming;
mod options;
mod outcome;
mod session;
mod slot;

pub use batch::{Batch, BatchEvent, Batcher};
pub use handle::{Client, Pending};
pub use options::ConnectOptions;
pub use outcome::{
    Answer, CallError, ConnectError, LostReason, NotSentReason, Outcome, Refusal, Settled,
    UnknownOutcome, UnknownReason,
};
pub use session::{Action, Session, SessionConfig};
pub use slot::{Call, Completion};

#[cfg(test)]
mod tests;
