//! The log: the one durable truth. Everything else can be rebuilt from it.
//!
//! Owns positions, frames, the chain, segments, group commit, both writers, the reader and recovery.
//! A frame is valid only as a whole and only where it was written; an acknowledged frame is never
//! cut off; doubt ends in a refusal. It never interprets what a batch means and never skips what it
//! doesn't know. `docs/log-format.md` describes every byte.

mod commit;
mod frame;
mod group;
mod inspect;
mod keeper;
mod lock;
mod meta;
mod position;
mod prepare;
mod reader;
mod records;
mod recovery;
mod room;
mod segment;
#[cfg(test)]
mod stepped;
mod writer;

pub use commit::CommitRule;
pub use frame::{
    Amendment, ChainValue, ClusterId, CommandArguments, CommandEntry, EpochReason, EpochStart,
    FORMAT_VERSION, FRAME_ALIGNMENT, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Frame, FrameBuf,
    FrameBuffer, FrameBuilder, FrameCounts, FrameError, FrameHeader, FrameKind, FramePool,
    FrameStart, FrameVersion, FrameView, Genesis, HistoryRow, HistorySide, Links, NOTE_BYTES_MAX,
    Principal, Refusal, RequestEntry, Sealer, TransferEntry, entry_position,
};
pub use group::{Durable, GroupCommit, GroupConfig, GroupError, IN_FLIGHT_BYTES_MAX, WriteRequest};
pub use inspect::{IdentityError, has_segments};
pub use keeper::{KeeperAction, KeeperFailed, KeeperMachine};
pub use lock::{DirectoryLock, DirectoryUse, DirectoryWatch, LockError, Moved};
pub use meta::{ClusterConfig, CommitHint, Meta, MetaError, MetaFile};
pub use position::{Epoch, Layout, Position, SEGMENT_BYTES_DEFAULT, SEGMENT_HEADER_BYTES};
pub use prepare::{CreateError, Preparation, create_log, prepare_segment};
pub use reader::{LogIdentity, LogReader, Progress, ReadError, Stop};
pub use records::{RecordError, RecordReader, StoredTransfer};
pub use recovery::{
    Beyond, Cut, Examination, Findings, LogEnd, RecoveryError, RecoveryInput, Row, Shape, Verdict,
};
pub use room::Room;
pub use segment::{SegmentError, SegmentHeader, segment_name};
pub use writer::{
    LogHandle, LogProgress, LogWriter, LogWriterKind, Notices, Place, StartError, WriteFailed,
    WriterAction, WriterMachine, WriterOptions,
};
