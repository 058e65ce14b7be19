//! The door to a data directory: named files that are read and written at offsets.
//!
//! Small enough that a simulator can stand in for it, with everything a disk does wrong: writes that
//! are torn or lost until they are synced, flipped bits, errors, a full disk. A name may hold one
//! `/`: a file in a subdirectory. What is not synced may be lost in a crash, in part and in any
//! order; a new name may be lost until its directory is synced.

use std::io;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Existing, for reading only.
    Read,
    /// Existing, for reading and writing.
    Write,
    /// New and empty, for reading and writing; an error if the name exists.
    Create,
}

/// A data directory.
pub trait Storage: Clone + Send + Sync + 'static {
    /// A file of it.
    type File: StorageFile;

    /// Opens or creates a file.
    fn open(&self, name: &str, open: Open) -> io::Result<Self::File>;

    /// The names of the files directly in `directory` (`""` is the root), in ascending order.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Creates a subdirectory if it doesn't exist.
    fn create_directory(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, replacing what had it. Atomic; durable after the directory's sync.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names in `directory` (`""` is the root) durable.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
}

/// An open file.
pub trait StorageFile: Send + Sync + 'static {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads from `offset` until `target` is full or the file ends; says how many bytes it read.
    fn read_at(&self, offset: u64, target: &mut [u8]) -> io::Result<usize>;

    /// Reads exactly `target.len()` bytes, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, offset: u64, target: &mut [u8]) -> io::Result<()> {
        if self.read_at(offset, target)? == target.len() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the read does"))
        }
    }

    /// Writes all of `bytes` at `offset`, lengthening the file where needed.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written durable, also the length.
    fn sync_data(&self) -> io::Result<()>;

    /// Reserves space up to `bytes`; new bytes read as 0. The length becomes `bytes` if it was less.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Lets go of what the machine keeps of the file in memory, if it is durable. Only a hint.
    fn forget_cached(&self) {}
}
