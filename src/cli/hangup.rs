//! SIGHUP of a server: read the log level again, or drain when the terminal goes.
//!
//! A service manager sends it to have settings read again; a terminal that closes sends it to what
//! runs in it. Neither is a reason to end without answering what is in flight.

use std::io::IsTerminal;

use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use super::exit::{Exit, Failure};

/// It sleeps, and now and then reads a small file.
const STACK_BYTES: usize = 256 << 10;

/// Answers every SIGHUP from now on, on a thread of its own: `reload` is called, or the process
/// stops as on SIGTERM if it runs in a terminal.
///
/// # Errors
/// There can't be a handler or a thread.
pub(super) fn watch(
    reload: impl Fn() -> Result<String, Failure> + Send + 'static,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Unavailable, format!("SIGHUP can't be watched: {error}"))
    };
    let mut signals = Signals::new([SIGHUP]).map_err(failed)?;
    let in_a_terminal = std::io::stdin().is_terminal()
        || std::io::stdout().is_terminal()
        || std::io::stderr().is_terminal();
    let answer = move || {
        for _ in signals.forever() {
            if in_a_terminal {
                // A server that isn't ready yet ends at once; one that serves drains.
                let _ = kill_process(getpid(), Signal::TERM);
                continue;
            }
            match reload() {
                Ok(level) => tracing::warn!(log = level, "SIGHUP: settings read again"),
                Err(failure) => {
                    let why = failure.message.unwrap_or_default();
                    tracing::error!(why, "SIGHUP: the settings can't be read; nothing changes");
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("hangup".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(answer).map(drop).map_err(failed)
}
