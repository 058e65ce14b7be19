//! A thread that looks, off the cores, whether the data directory is still the one that was opened.
//!
//! Files that were removed or moved away can still be written, so nothing else would tell: the server
//! would go on acknowledging into files that no restart finds.

use std::io;
use std::thread;
use std::time::Duration;

use crate::fatal::{self, Reason};
use crate::log::DirectoryWatch;

/// How often it looks: two system calls each time.
const EVERY: Duration = Duration::from_millis(500);

/// Starts the thread. It ends with the process.
pub(super) fn spawn(watch: DirectoryWatch) -> io::Result<()> {
    let run = move || {
        loop {
            thread::sleep(EVERY);
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
    thread::Builder::new().name("watch".to_owned()).spawn(run).map(drop)
}
