//! A thread that looks, off the cores, whether the data directory is still the one that was opened, and
//! how much room its disk has.
//!
//! Files that were removed or moved away can still be written, so nothing else would tell: the server
//! would go on acknowledging into files that no restart finds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::fatal::{self, Reason};
use crate::io::free_bytes;
use crate::log::DirectoryWatch;

/// How often it looks: three system calls each time.
const EVERY: Duration = Duration::from_millis(500);

/// The free bytes of a disk, as they were seen last. Asking the disk may take long, so no core does.
#[derive(Debug, Clone)]
pub(super) struct DiskFree(Arc<AtomicU64>);

/// The disk doesn't tell.
const UNKNOWN: u64 = u64::MAX;

impl DiskFree {
    /// How many there were, if the disk told.
    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&bytes| bytes != UNKNOWN)
    }

    fn look(&self, data: &Path) {
        self.0.store(free_bytes(data).unwrap_or(UNKNOWN), Ordering::Relaxed);
    }
}

/// Starts the thread. It ends with the process.
pub(super) fn spawn(watch: DirectoryWatch, data: PathBuf) -> io::Result<DiskFree> {
    let disk_free = DiskFree(Arc::new(AtomicU64::new(UNKNOWN)));
    disk_free.look(&data);
    let seen = disk_free.clone();
    let run = move || {
        loop {
            thread::sleep(EVERY);
            seen.look(&data);
            if let Err(moved) = watch.check() {
                let detail = format!(
                    "{moved}: the data directory was moved, replaced or unmounted while it was \
                     served. What was acknowledged is in the files that this server had open: find \
                     them before anything is started again"
                );
                fatal::stop(Reason::DirectoryMoved, &detail);
            }
        }
    };
    thread::Builder::new().name("watch".to_owned()).spawn(run).map(|_| disk_free)
}
