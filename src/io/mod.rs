//! The doors to the outside: clock, files, memory maps, the kernel's submission ring, prefetch.
//!
//! Owns every system call that the storage path makes and all `unsafe` of the crate. It never knows
//! what the bytes mean. Each door has a trait where a simulator needs to stand in for it.

mod affinity;
mod allocator;
mod clock;
mod directory;
mod file_lock;
mod machine;
mod map;
pub mod memory;
mod open_files;
pub mod phases;
mod prefetch;
mod receive_buffers;
mod ring;
mod sockets;
mod steady;
mod storage;
mod wake;
mod width;

pub use affinity::{leave_processors, processors};
pub use allocator::Allocator;
pub use clock::{Clock, Now, SystemClock};
pub use directory::{
    DIRECTORY_MODE, Directory, DirectoryFile, FILE_MODE, free_bytes, is_in_memory, make_directories,
};
pub use file_lock::{is_locked, lock_file};
pub use machine::machine_memory_bytes;
pub use map::{FileMap, forget_cached};
pub use open_files::raise_open_files;
pub use prefetch::prefetch_read;
pub use ring::{Completion, Ring};
pub use sockets::{Chunk, Filling, SocketEvent, SocketHandle, Sockets, end_writing, shut_down};
pub use steady::{ClockStep, SLEW_PPM, STEP_NS_MIN, SteadyClock};
pub use storage::{Open, Storage, StorageFile};
pub use wake::{Sleeper, Waker, sleeper};
pub(crate) use width::{to_u64, to_usize};
