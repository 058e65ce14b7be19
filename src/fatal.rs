//! Every reason to stop the process, with its exit status.
//!
//! Doubt about durability or integrity ends the whole process at once: a core that panics alone
//! would leave its siblings answering. systemd knows the statuses (`RestartPreventExitStatus`).

use std::io::Write;

/// Why the process stops at once. The exit status of each is part of the operating manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Writing or syncing the log failed; what is on the disk is unknown until it is read again.
    LogWriteFailed,
    /// The log is damaged beyond what a crash can do.
    LogDamaged,
    /// A replay decided otherwise than the log records.
    DigestMismatch,
    /// A file of the data directory can't be read.
    DataUnreadable,
    /// The kernel no longer serves the connections, or reports what can't be.
    NetworkFailed,
    /// The data directory is no longer the one that was opened.
    DirectoryMoved,
    /// An invariant of the program doesn't hold.
    InvariantBroken,
    /// The system gives no more memory.
    OutOfMemory,
}

impl Reason {
    /// The exit status of the process.
    #[must_use]
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::LogWriteFailed => 70,
            Self::LogDamaged => 71,
            Self::DigestMismatch => 72,
            Self::DataUnreadable => 73,
            Self::NetworkFailed => 74,
            Self::DirectoryMoved => 75,
            Self::InvariantBroken => 76,
            Self::OutOfMemory => 77,
        }
    }
}

/// Says why, then ends the process without unwinding or flushing anything else.
pub fn stop(reason: Reason, detail: &str) -> ! {
    tracing::error!(?reason, detail, "stopping at once");
    // The last words must not depend on a log filter, nor on anybody listening.
    let _ = writeln!(std::io::stderr(), "partita: fatal: {reason:?}: {detail}");
    #[expect(clippy::exit, reason = "the one place that ends the process on doubt")]
    std::process::exit(i32::from(reason.exit_status()));
}

/// Ends the process for want of memory, without asking for any.
pub fn out_of_memory(bytes: usize) -> ! {
    let _ = writeln!(
        std::io::stderr(),
        "partita: fatal: OutOfMemory: the system refused {bytes} more bytes of memory: give the process more \
         (its cgroup, `ulimit -v`), or the ledger fewer accounts"
    );
    #[expect(clippy::exit, reason = "the process can't go on")]
    std::process::exit(i32::from(Reason::OutOfMemory.exit_status()));
}

/// From now on a panic, which is a bug, ends the process with a plain message and a status, and not with
/// a trace of the program's insides.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("it says no more");
        // So the standard library says it where a library of others starts a thread: want, not a bug.
        if message.starts_with("failed to spawn thread") {
            let text = "the system refused a thread: give the process more memory or threads (its cgroup, \
                        `ulimit -v`, `ulimit -u`)";
            stop(Reason::OutOfMemory, text);
        }
        let detail = format!(
            "{message} ({place}). This is a bug: keep the data directory and this message, and report it"
        );
        stop(Reason::InvariantBroken, &detail);
    }));
}
