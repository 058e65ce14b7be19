//! The writer: it seals frames, writes them in groups and says how far the log is durable.
//!
//! What it does, and when, is decided by `machine`, without a thread, a ring or a file. `run` is the
//! thread that does it, with one of two devices for different disks and filesystems, behind one small
//! trait, `Device`. Frames come from a bounded queue, in log order. There is no system call for each
//! transfer. Any error of a write or sync ends the process: what the disk holds is unknown until it is
//! read again.

mod device;
mod direct;
mod handle;
mod machine;
mod mapped;
mod progress;
mod run;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;

pub use handle::{LogHandle, LogWriter, LogWriterKind, StartError, WriterOptions};
pub use machine::{Place, WriteFailed, WriterAction, WriterMachine};
pub use progress::{LogProgress, Notices};
