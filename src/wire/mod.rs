//! The protocol: every byte between a client and the server, as `docs/wire-protocol.md` tells it.
//!
//! Owns the frame header, the operations with their bounds, the hello, requests, replies and the
//! stable error codes. Promises that nothing is allocated before its size was checked, that no
//! input panics, and that a frame whose checksums don't agree is never taken for another message.
//! Never does I/O and never waits: the drivers bring bytes and take bytes away.

mod body;
mod code;
mod error;
mod command;
mod frame;
mod header;
mod hello;
mod kind;
mod reply;
mod request;
mod status;

pub use body::BodyBuffer;
pub use code::ErrorCode;
pub use command::is_reason;
pub use error::{ProtocolError, RequestError};
pub use frame::{FrameFields, append_frame, begin_frame, seal_frame};
pub use header::{HEADER_BYTES, Header, MAGIC, VERSION, VERSION_FIXED};
pub use hello::{CREDENTIAL_BYTES_MAX, Hello, HelloReply, Limits, Name};
pub use kind::{BODY_BYTES_MAX, FRAME_BODY_BYTES_MAX, Kind, REPLY_BODY_BYTES_MIN};
pub use reply::{Reply, ReplyTo, encode_create_results, encode_error, encode_reply};
pub use request::{
    Request, encode_create_accounts, encode_create_transfers, encode_ids, encode_request,
};
pub use status::StatusReport;

/// Records go between memory and wire without conversion, which is right only in this order.
const _: () = assert!(cfg!(target_endian = "little"));

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "random numbers are cut to bytes on purpose")]
mod tests;

#[cfg(test)]
mod document;
