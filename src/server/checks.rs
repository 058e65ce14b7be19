//! What the machine must allow, looked at before anything is opened.

use rustix::process::{Resource, getrlimit};

use super::StartError;
use crate::io::raise_open_files;

/// What glommio itself insists on.
const MEMLOCK_BYTES_MIN: u64 = 512 << 10;

/// Below this, several cores and the log's staging memory may not fit.
const MEMLOCK_BYTES_WANTED: u64 = 64 << 20;

/// Checks io_uring and the limits of the process.
///
/// # Errors
/// What is missing, with the remedy.
pub(super) fn check_machine(connections_max: u64) -> Result<(), StartError> {
    check_memlock(getrlimit(Resource::Memlock).current)?;
    io_uring::IoUring::new(2).map_err(StartError::IoUring)?;
    check_files(connections_max);
    Ok(())
}

/// No limit is "unlimited".
fn check_memlock(limit: Option<u64>) -> Result<(), StartError> {
    match limit {
        Some(bytes) if bytes < MEMLOCK_BYTES_MIN => Err(StartError::Memlock { bytes }),
        Some(bytes) if bytes < MEMLOCK_BYTES_WANTED && !rustix::process::geteuid().is_root() => {
            tracing::warn!(bytes, "little memory may be locked; set LimitMEMLOCK=64M");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Raises the soft limit of open files as far as the connections need and the hard limit allows.
fn check_files(connections_max: u64) {
    let wanted = connections_max + 256;
    let open_files = raise_open_files(wanted);
    if open_files < wanted {
        tracing::warn!(
            open_files,
            connections_max,
            "fewer files may be open than connections are allowed; set LimitNOFILE"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_lockable_memory_is_refused_with_the_number() {
        assert!(matches!(check_memlock(Some(1024)), Err(StartError::Memlock { bytes: 1024 })));
        assert!(check_memlock(Some(MEMLOCK_BYTES_WANTED)).is_ok());
        assert!(check_memlock(None).is_ok());
        let text = StartError::Memlock { bytes: 1024 }.to_string();
        assert!(text.contains("1024") && text.contains("LimitMEMLOCK"), "{text}");
    }
}
