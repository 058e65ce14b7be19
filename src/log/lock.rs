//! The lock of a data directory: one process at a time may write to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};

use thiserror::Error;

use crate::io::Directory;

const LOCK_NAME: &str = "lock";

/// The lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why the lock can't be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another process{} uses the data directory", holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Held {
        /// Its number, if it could be read.
        holder: Option<u32>,
    },
    /// The operating system says no.
    #[error("the data directory can't be locked: {0}")]
    Io(#[from] io::Error),
}

impl DirectoryLock {
    /// Takes the lock of `directory`, which must exist.
    ///
    /// # Errors
    /// If another process holds it, or the file can't be opened.
    pub fn acquire(directory: &Directory) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.path_of(LOCK_NAME))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let holder =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { holder });
            }
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // Only for the message of a second process; the lock itself is the kernel's.
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path());
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let second = DirectoryLock::acquire(&directory).unwrap_err();
        assert!(
            matches!(second, LockError::Held { holder: Some(pid) } if pid == std::process::id())
        );
        assert!(second.to_string().contains("another process (pid "));
        drop(lock);
        assert!(DirectoryLock::acquire(&directory).is_ok());
        let missing = Directory::new(temporary.path().join("missing"));
        assert!(matches!(DirectoryLock::acquire(&missing), Err(LockError::Io(_))));
    }
}
