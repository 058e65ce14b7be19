//! What the machine must allow, looked at before anything is opened.

use io_uring::IoUring;
use rustix::process::{Resource, getrlimit};

use super::StartError;
use crate::io::raise_open_files;

/// What glommio itself insists on.
const MEMLOCK_BYTES_MIN: u64 = 512 << 10;

/// Below this, several cores and the log's staging memory may not fit.
const MEMLOCK_BYTES_WANTED: u64 = 64 << 20;

/// Descriptors that the server itself may need: segments, rings, pipes, the pieces of the log that
/// queries read. Connections never take these, or the log would fail for want of one.
const OWN_FILES: u64 = 256;

/// Checks io_uring and the limits of the process. Gives how many connections it can serve.
///
/// # Errors
/// What is missing, with the remedy.
pub(super) fn check_machine(connections_max: u64) -> Result<u64, StartError> {
    check_memlock(getrlimit(Resource::Memlock).current)?;
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(2)
        .map(|_: IoUring| ())
        .map_err(StartError::IoUring)?;
    let files = raise_open_files(connections_max.saturating_add(OWN_FILES));
    connections_of(files, connections_max)
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

/// The connections that so many open files leave room for.
fn connections_of(files: u64, wanted: u64) -> Result<u64, StartError> {
    match files.saturating_sub(OWN_FILES).min(wanted) {
        0 => Err(StartError::Files { files, least: OWN_FILES + 1 }),
        possible => {
            if possible < wanted {
                tracing::warn!(
                    files,
                    connections = possible,
                    wanted,
                    "so few files may be open that fewer connections are served; set LimitNOFILE"
                );
            }
            Ok(possible)
        }
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

    #[test]
    fn connections_never_take_the_descriptors_of_the_log() {
        assert_eq!(connections_of(u64::MAX, 16_384).unwrap(), 16_384);
        assert_eq!(connections_of(1_024, 16_384).unwrap(), 1_024 - OWN_FILES);
        assert!(matches!(connections_of(100, 10), Err(StartError::Files { files: 100, .. })));
    }
}
