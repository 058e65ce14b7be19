//! One connection without its socket: bytes in, requests out; answers in, bytes out.
//!
//! The codec cuts bytes into frames and keeps what is to be sent; the session decides what they
//! mean: hello, principal, credit, deadlines, room, and the end.

mod codec;
mod credit;
mod outgoing;
mod pool;
mod session;

pub(super) use outgoing::Spare;
pub(super) use pool::Pool;
pub(super) use session::{Next, OthersWait, Place, Session, Surroundings};
