//! The real data directory: a directory of a Linux filesystem.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::storage::{Open, Storage, StorageFile};

/// Who may do what with a file of the log: nobody but its owner. It holds the books in plain text.
pub const FILE_MODE: u32 = 0o600;

/// The same for the directories.
pub const DIRECTORY_MODE: u32 = 0o700;

/// A directory of a filesystem. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    path: Arc<Path>,
}

/// A file of a [`Directory`].
#[derive(Debug)]
pub struct DirectoryFile {
    file: File,
}

impl Directory {
    /// The directory at `path`. Neither checks nor creates it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the file `name` is.
    #[must_use]
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes the directory and those above it, and makes their names durable: else a loss of power could
/// take the whole directory away, with all that was synced in it.
///
/// # Errors
/// If it can't be made.
pub fn make_directories(path: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Whether what is written there lies in memory alone and is gone with the machine.
///
/// # Errors
/// If the file system can't be asked.
pub fn is_in_memory(path: &Path) -> io::Result<bool> {
    // The numbers of tmpfs and ramfs in the kernel's `magic.h`.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let kind = u64::from_ne_bytes(rustix::fs::statfs(path)?.f_type.to_ne_bytes());
    Ok(IN_MEMORY.contains(&(kind & 0xffff_ffff)))
}

/// Bytes that this process may still write on the file system of `path`. A quota isn't seen.
///
/// # Errors
/// If the file system can't be asked.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

impl DirectoryFile {
    /// The file itself, for what only a real one can do.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }
}

impl Storage for Directory {
    type File = DirectoryFile;

    fn open(&self, name: &str, open: Open) -> io::Result<DirectoryFile> {
        let mut options = OpenOptions::new();
        options.mode(FILE_MODE);
        match open {
            Open::Read => options.read(true),
            Open::Write => options.read(true).write(true),
            Open::Create => options.read(true).write(true).create_new(true),
        };
        let file = options.open(self.path_of(name))?;
        // Read-ahead would fill the page cache with large folios, and a store into a mapping then
        // dirties a whole folio instead of one page. A filesystem that ignores the hint is fine.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random);
        Ok(DirectoryFile { file })
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path_of(directory))? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_directory(&self, name: &str) -> io::Result<()> {
        match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(self.path_of(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path_of(from), self.path_of(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name))
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        File::open(self.path_of(directory))?.sync_all()
    }
}

impl StorageFile for DirectoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, target: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < target.len() {
            let from = offset + super::to_u64(done);
            match self.file.read_at(&mut target[done..], from) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget_cached(&self) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // A filesystem without preallocation gets zeros, so that space is still claimed now
            // and not when a frame is written.
            Err(rustix::io::Errno::OPNOTSUPP) => self.fill_with_zeros(bytes),
            Err(error) => Err(error.into()),
        }
    }
}

impl DirectoryFile {
    fn fill_with_zeros(&self, bytes: u64) -> io::Result<()> {
        let zeros = [0_u8; 64 * 1024];
        let mut at = self.len()?;
        while at < bytes {
            let count = super::to_usize(bytes - at).min(zeros.len());
            self.write_at(at, &zeros[..count])?;
            at += super::to_u64(count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_owner_may_look() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        make_directories(&path).unwrap();
        make_directories(&path).unwrap();
        let directory = Directory::new(&path);
        directory.create_directory("log").unwrap();
        directory.open("log/file", Open::Create).unwrap();
        for (name, mode) in [("", 0o700), ("../../a", 0o700), ("log", 0o700), ("log/file", 0o600)] {
            let found = fs::metadata(directory.path_of(name)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{name}");
        }
    }

    #[test]
    fn a_directory_in_memory_is_told_from_one_on_a_disk() {
        // The kernel's own lists are in neither.
        assert!(!is_in_memory(Path::new("/proc")).unwrap());
        assert!(is_in_memory(Path::new("/no such directory")).is_err());
        let shared = Path::new("/dev/shm");
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        if mounts.lines().any(|line| line.contains(" /dev/shm tmpfs ")) {
            assert!(is_in_memory(shared).unwrap());
        }
    }

    #[test]
    fn a_file_is_created_once_written_read_renamed_and_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path());
        let file = directory.open("a", Open::Create).unwrap();
        assert_eq!(
            directory.open("a", Open::Create).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        file.allocate(8_192).unwrap();
        assert_eq!(file.len().unwrap(), 8_192);
        file.write_at(4_000, b"ledger").unwrap();
        file.sync_data().unwrap();
        let mut target = [0_u8; 8];
        assert_eq!(file.read_at(3_999, &mut target).unwrap(), 8);
        assert_eq!(&target, b"\0ledger\0");
        assert_eq!(file.read_at(8_190, &mut target).unwrap(), 2);
        assert_eq!(
            file.read_exact_at(8_190, &mut target).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );

        directory.create_directory("sub").unwrap();
        directory.create_directory("sub").unwrap();
        directory.rename("a", "sub/b").unwrap();
        directory.sync_directory("").unwrap();
        directory.sync_directory("sub").unwrap();
        assert!(directory.list("").unwrap().is_empty());
        assert_eq!(directory.list("sub").unwrap(), ["b"]);
        directory.remove("sub/b").unwrap();
        assert!(directory.list("sub").unwrap().is_empty());
    }
}
