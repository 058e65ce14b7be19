//! Why bytes are not the frame that should stand there.

use thiserror::Error;

/// Why bytes are not the frame that should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Nothing was written there: the magic is all zero.
    #[error("nothing is written there")]
    Unwritten,
    /// The bytes end before the frame does.
    #[error("the bytes end before the frame does")]
    Short,
    /// The first bytes are not a frame's.
    #[error("the first bytes are not those of a frame")]
    Magic,
    /// The header is not what was written, or it belongs elsewhere.
    #[error("the header's checksum is wrong")]
    HeaderChecksum,
    /// A whole header of another format.
    #[error("format version {0} is not known")]
    Version(u16),
    /// A whole header of an unknown kind of frame.
    #[error("frame kind {0} is not known")]
    Kind(u16),
    /// The log is decided by newer rules.
    #[error("version {0} of the rules is not known")]
    Rules(u32),
    /// A whole header that contradicts itself.
    #[error("the header contradicts itself")]
    Fields,
    /// A block is not what was written.
    #[error("the checksum of block {0} is wrong")]
    Block(usize),
    /// Block sums or trailer are not what was written.
    #[error("the trailer is wrong")]
    Trailer,
    /// Entries or sections hold what no writer of this version writes.
    #[error("the content contradicts itself")]
    Content,
}
