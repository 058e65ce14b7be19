//! The lock of a data directory: one process at a time may write to it.
//!
//! It rests on what can't be removed without effect: on the directory itself and on `meta`, the file
//! without which there is no cluster. The file `lock` is a note for people and tools: who holds the
//! lock, and which directory is being served. A second process can't get past the lock by removing
//! that file, nor by moving the files into a new directory.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use super::meta::META_NAME;
use crate::io::{Directory, FILE_MODE, is_locked, lock_file};

const LOCK_NAME: &str = "lock";

/// The lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    directory: Directory,
    root: File,
    /// None before the cluster is made.
    meta: Option<File>,
    /// None as long as there is no cluster: who looks into an empty directory leaves nothing in it.
    note: Option<File>,
    left: Option<Served>,
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

/// Which directory a server serves: the numbers of its files, which no copy of it shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Served {
    root_inode: u64,
    meta_inode: u64,
}

/// How a directory was used, as far as it can be seen without its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUse {
    /// Whether a process holds the lock now.
    pub is_held: bool,
    /// The note of the last process that held it, and when it was written.
    note: Option<(String, i64, i64)>,
    /// Whether the note is from another directory, in which a server was at work.
    pub is_copy_of_running: bool,
}

/// What has become of the directory that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Moved {
    /// Its name is gone.
    #[error("{} is gone", .0.display())]
    Gone(PathBuf),
    /// Another directory or file has its name.
    #[error("{} is another one than at the start", .0.display())]
    Another(PathBuf),
}

/// Looks whether a directory is still the one that was opened.
#[derive(Debug, Clone)]
pub struct DirectoryWatch {
    known: Vec<(PathBuf, u64, u64)>,
}

impl DirectoryLock {
    /// Takes the lock of `directory`, which must exist.
    ///
    /// # Errors
    /// If another process holds it, or the files can't be opened.
    pub fn acquire(directory: &Directory) -> Result<Self, LockError> {
        let root = File::open(directory.path())?;
        if !root.metadata()?.is_dir() {
            return Err(LockError::Io(io::Error::from(NotADirectory)));
        }
        take(&root, directory)?;
        let path = directory.path_of(META_NAME);
        let meta = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(meta) => Some(meta),
            // Something else in its place is told by whoever reads it.
            Err(error) if matches!(error.kind(), NotFound | IsADirectory) => None,
            Err(error) => return Err(LockError::Io(error)),
        };
        if let Some(meta) = &meta
            && !lock_file(meta)?
        {
            return Err(held(directory));
        }
        let mut note = match &meta {
            Some(_) => Some(open_note(directory)?),
            None => None,
        };
        let mut text = String::new();
        if let Some(note) = &mut note {
            // Programs of an earlier version lock this file alone.
            take(note, directory)?;
            // What isn't text was not left by a server.
            let _ = note.read_to_string(&mut text);
        }
        let left = served_of(&text);
        let mut lock = Self { directory: directory.clone(), root, meta, note, left };
        // Until the log is opened, what an earlier server left stays readable.
        lock.write_note(left)?;
        Ok(lock)
    }

    /// Whether the directory is a copy of one in which a server was at work when it was copied.
    #[must_use]
    pub fn is_copy_of_running(&self) -> bool {
        self.served().is_ok_and(|served| self.left.is_some_and(|left| left != served))
    }

    /// Notes that this very directory is served from now on.
    ///
    /// # Errors
    /// If the note can't be written.
    pub fn begin_serving(&mut self) -> io::Result<()> {
        let served = self.served()?;
        self.write_note(Some(served))
    }

    /// Notes that the server has stopped and all is on the disk, and gives the lock back.
    ///
    /// # Errors
    /// If the note can't be written. The lock is given back all the same.
    pub fn end_serving(mut self) -> io::Result<()> {
        self.write_note(None)
    }

    /// What looks later whether the directory is still this one.
    ///
    /// # Errors
    /// If the numbers of the files can't be had.
    pub fn watch(&self) -> io::Result<DirectoryWatch> {
        let root = self.root.metadata()?;
        let mut known = vec![(self.directory.path().to_owned(), root.dev(), root.ino())];
        if let Some(meta) = &self.meta {
            let found = meta.metadata()?;
            known.push((self.directory.path_of(META_NAME), found.dev(), found.ino()));
        }
        Ok(DirectoryWatch { known })
    }

    fn served(&self) -> io::Result<Served> {
        let meta_inode = self.meta.as_ref().map_or(Ok(0), |meta| meta.metadata().map(|m| m.ino()));
        Ok(Served { root_inode: self.root.metadata()?.ino(), meta_inode: meta_inode? })
    }

    fn write_note(&mut self, served: Option<Served>) -> io::Result<()> {
        let Some(note) = &mut self.note else { return Ok(()) };
        let mut text = format!("{}\n", std::process::id());
        if let Some(Served { root_inode, meta_inode }) = served {
            text += &format!("serving directory {root_inode} meta {meta_inode}\n");
        }
        note.set_len(0)?;
        note.rewind()?;
        note.write_all(text.as_bytes())
    }
}

fn open_note(directory: &Directory) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(directory.path_of(LOCK_NAME))
}

/// Locks a file or directory for this process alone.
fn take(file: &File, directory: &Directory) -> Result<(), LockError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(held(directory)),
        Err(error) => Err(LockError::Io(error.into())),
    }
}

fn held(directory: &Directory) -> LockError {
    let text = std::fs::read_to_string(directory.path_of(LOCK_NAME)).unwrap_or_default();
    LockError::Held { holder: text.lines().next().and_then(|line| line.trim().parse().ok()) }
}

/// What a note says about the directory that was served.
fn served_of(text: &str) -> Option<Served> {
    let line = text.lines().find_map(|line| line.strip_prefix("serving directory "))?;
    let (root, meta) = line.split_once(" meta ")?;
    Some(Served { root_inode: root.parse().ok()?, meta_inode: meta.trim().parse().ok()? })
}

impl DirectoryUse {
    /// Looks at a directory without taking its lock, so that a server can start meanwhile.
    ///
    /// # Errors
    /// If the directory can't be looked at.
    pub fn look(directory: &Directory) -> io::Result<Self> {
        let root = File::open(directory.path())?;
        let path = directory.path_of(LOCK_NAME);
        let note = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let found = std::fs::metadata(&path)?;
                Some((text, found.mtime(), found.mtime_nsec()))
            }
            Err(_) => None,
        };
        let (meta_inode, is_held) = match File::open(directory.path_of(META_NAME)) {
            Ok(meta) => (meta.metadata()?.ino(), is_locked(&meta)?),
            Err(error) if error.kind() == NotFound => (0, false),
            Err(error) => return Err(error),
        };
        let here = Served { root_inode: root.metadata()?.ino(), meta_inode };
        let left = note.as_ref().and_then(|(text, _, _)| served_of(text));
        let is_copy_of_running = !is_held && left.is_some_and(|left| left != here);
        Ok(Self { is_held, note, is_copy_of_running })
    }

    /// Whether a server may have written between this look and a later one.
    #[must_use]
    pub fn is_used_since(&self, earlier: &Self) -> bool {
        self.is_held || earlier.is_held || self.note != earlier.note
    }
}

impl DirectoryWatch {
    /// Looks once.
    ///
    /// # Errors
    /// What has become of the directory. Whatever else keeps it from being seen is no answer: the open
    /// files say themselves when they can't be read or written.
    pub fn check(&self) -> Result<(), Moved> {
        for (path, device, inode) in &self.known {
            match std::fs::metadata(path) {
                Ok(found) if (found.dev(), found.ino()) == (*device, *inode) => {}
                Ok(_) => return Err(Moved::Another(path.clone())),
                Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                    return Err(Moved::Gone(path.clone()));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        let data = temporary.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join(META_NAME), "meta").unwrap();
        (temporary, Directory::new(data))
    }

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let (temporary, directory) = directory();
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let second = DirectoryLock::acquire(&directory).unwrap_err();
        assert!(
            matches!(second, LockError::Held { holder: Some(pid) } if pid == std::process::id())
        );
        assert!(second.to_string().contains("another process (pid "));
        assert!(DirectoryUse::look(&directory).unwrap().is_held);
        drop(lock);
        assert!(!DirectoryUse::look(&directory).unwrap().is_held);
        assert!(DirectoryLock::acquire(&directory).is_ok());
        let missing = Directory::new(temporary.path().join("missing"));
        assert!(matches!(DirectoryLock::acquire(&missing), Err(LockError::Io(_))));
    }

    #[test]
    fn neither_removing_the_note_nor_moving_the_files_gets_past_the_lock() {
        let (temporary, directory) = directory();
        let _lock = DirectoryLock::acquire(&directory).unwrap();
        std::fs::remove_file(directory.path_of(LOCK_NAME)).unwrap();
        assert!(matches!(DirectoryLock::acquire(&directory), Err(LockError::Held { .. })));
        let other = Directory::new(temporary.path().join("other"));
        std::fs::create_dir(other.path()).unwrap();
        std::fs::rename(directory.path_of(META_NAME), other.path_of(META_NAME)).unwrap();
        assert!(matches!(DirectoryLock::acquire(&other), Err(LockError::Held { .. })));
    }

    #[test]
    fn a_copy_of_a_running_directory_tells_itself_and_one_of_a_stopped_one_doesn_t() {
        let (temporary, directory) = directory();
        let copy = |name: &str| {
            let copy = Directory::new(temporary.path().join(name));
            std::fs::create_dir(copy.path()).unwrap();
            for file in [LOCK_NAME, META_NAME] {
                std::fs::copy(directory.path_of(file), copy.path_of(file)).unwrap();
            }
            copy
        };
        let mut lock = DirectoryLock::acquire(&directory).unwrap();
        lock.begin_serving().unwrap();
        let running = copy("running");
        assert!(DirectoryUse::look(&running).unwrap().is_copy_of_running);
        // It stays so when somebody tries to serve it in vain.
        assert!(DirectoryLock::acquire(&running).unwrap().is_copy_of_running());
        assert!(DirectoryUse::look(&running).unwrap().is_copy_of_running);
        // A crash leaves the note of this very directory.
        drop(lock);
        let lock = DirectoryLock::acquire(&directory).unwrap();
        assert!(!lock.is_copy_of_running());
        lock.end_serving().unwrap();
        assert!(!DirectoryUse::look(&copy("stopped")).unwrap().is_copy_of_running);
    }

    #[test]
    fn a_use_in_between_shows() {
        let (_temporary, directory) = directory();
        let before = DirectoryUse::look(&directory).unwrap();
        assert!(!DirectoryUse::look(&directory).unwrap().is_used_since(&before));
        let lock = DirectoryLock::acquire(&directory).unwrap();
        assert!(DirectoryUse::look(&directory).unwrap().is_used_since(&before));
        drop(lock);
        assert!(DirectoryUse::look(&directory).unwrap().is_used_since(&before));
    }

    #[test]
    fn a_directory_that_was_moved_or_replaced_is_noticed() {
        let (temporary, directory) = directory();
        let lock = DirectoryLock::acquire(&directory).unwrap();
        let watch = lock.watch().unwrap();
        assert_eq!(watch.check(), Ok(()));
        std::fs::remove_file(directory.path_of(LOCK_NAME)).unwrap();
        assert_eq!(watch.check(), Ok(()), "the note is only a note");
        let meta = directory.path_of(META_NAME);
        std::fs::rename(&meta, temporary.path().join("kept")).unwrap();
        assert_eq!(watch.check(), Err(Moved::Gone(meta.clone())));
        std::fs::write(&meta, "meta").unwrap();
        assert_eq!(watch.check(), Err(Moved::Another(meta.clone())));
        std::fs::rename(temporary.path().join("kept"), &meta).unwrap();
        assert_eq!(watch.check(), Ok(()));
        std::fs::rename(directory.path(), temporary.path().join("volume")).unwrap();
        assert!(matches!(watch.check(), Err(Moved::Gone(_))));
        std::fs::create_dir(directory.path()).unwrap();
        assert!(matches!(watch.check(), Err(Moved::Another(_))));
    }
}
