//! A data directory in memory that remembers what was synced and what only seemed to be written.
//!
//! Each file has a live image, which the process sees, and a durable one, which survives a crash. A
//! sync copies from one to the other. [`MemoryStorage::crash`] gives the directory as it may look
//! after a power cut: any choice of unsynced sectors and names. Faults can be planted: errors from the n-th
//! sync or write on, a full disk, flipped bits.

mod content;
mod disk;
mod file;

pub use content::{Fault, SECTOR_BYTES};
pub use disk::MemoryStorage;
pub use file::MemoryFile;
