//! Frames: one ordered batch each, self-checking, and valid only where they were written.
//!
//! `format` has the bytes, `builder` and `sealed` write them, `view` reads them back; nothing else in
//! the crate knows an offset of a frame.

mod buffer;
mod builder;
mod entries;
mod error;
mod format;
mod header;
mod request;
mod seal;
mod tear;
mod view;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

pub use buffer::{FrameBuf, FrameBuffer, FramePool};
pub use builder::{Frame, FrameBuilder, FrameStart};
pub use entries::{
    Amendment, EpochReason, EpochStart, Genesis, HistoryRow, HistorySide, Links, Refusal,
    TransferEntry,
};
pub use error::FrameError;
pub use format::{
    FORMAT_VERSION, FRAME_ALIGNMENT, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameCounts, FrameKind,
    FrameVersion, NOTE_BYTES_MAX, entry_position,
};
pub use header::{ChainValue, ClusterId, FrameHeader};
pub use request::{CommandArguments, CommandEntry, Principal, RequestEntry};
pub use seal::Sealer;
pub(super) use tear::is_torn;
pub use view::FrameView;
pub(super) use view::check_blocks;
