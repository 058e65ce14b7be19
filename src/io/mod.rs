//! The doors to the outside: clock, files, memory maps, the kernel's submission ring, prefetch.
//!
//! Owns every system call that the storage path makes and all `unsafe` of the crate. It never knows
//! what the bytes mean. Each door has a trait where a simulator needs to stand in for it.

mod clock;
mod directory;
pub mod memory;
mod prefetch;
mod storage;
mod width;

pub use clock::{Clock, Now, SystemClock};
pub use directory::{Directory, DirectoryFile};
pub use prefetch::{prefetch_read, prefetch_write};
pub use storage::{Open, Storage, StorageFile};
pub(crate) use width::{to_u64, to_usize};
