//! Locks on open files that others can ask about without taking them.
#![expect(unsafe_code, reason = "these locks have no safe door in the crates we use")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks a whole file, open for writing, for this open file alone, until that is closed. Says whether
/// it has the lock now.
///
/// # Errors
/// If the file system knows no locks.
pub fn lock_file(file: &File) -> io::Result<bool> {
    let mut wanted = whole(libc::F_WRLCK);
    match fcntl(file, libc::F_OFD_SETLK, &mut wanted) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether another open file has this file locked. Takes nothing, so nobody is kept out by the
/// question.
///
/// # Errors
/// If the file system knows no locks.
pub fn is_locked(file: &File) -> io::Result<bool> {
    let mut asked = whole(libc::F_WRLCK);
    fcntl(file, libc::F_OFD_GETLK, &mut asked)?;
    Ok(i32::from(asked.l_type) != libc::F_UNLCK)
}

fn whole(kind: i32) -> libc::flock {
    // SAFETY: `flock` is a C struct of integers, for which all zeros is a value: the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = i16::try_from(kind).unwrap_or_default();
    lock.l_whence = i16::try_from(libc::SEEK_SET).unwrap_or_default();
    lock
}

fn fcntl(file: &File, command: i32, lock: &mut libc::flock) -> io::Result<()> {
    let lock: *mut libc::flock = lock;
    // SAFETY: the descriptor is open as long as `file` lives, and `lock` points to a whole `flock` that
    // nobody else uses during the call, as both commands want.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_by_others_without_being_disturbed_and_ends_with_its_file() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        let first = File::create(&path).unwrap();
        let look = File::open(&path).unwrap();
        assert!(!is_locked(&look).unwrap());
        assert!(lock_file(&first).unwrap());
        assert!(is_locked(&look).unwrap());
        let second = File::options().write(true).open(&path).unwrap();
        assert!(!lock_file(&second).unwrap());
        // Closing another open file of the same process lets nothing go.
        drop((second, look));
        assert!(is_locked(&File::open(&path).unwrap()).unwrap());
        drop(first);
        assert!(!is_locked(&File::open(&path).unwrap()).unwrap());
    }
}
