//! The writer: a thread that seals frames, writes them in groups and says how far the log is durable.
//!
//! There are two, for different disks and filesystems, behind one small trait, `Device`. Both take
//! frames from a bounded queue, in log order. Neither makes a system call for each transfer. Any
//! error of a write or sync ends the process: what the disk holds is unknown until it is read again.

mod device;
mod direct;
mod handle;
mod mapped;
mod run;

#[cfg(test)]
mod killed;
#[cfg(test)]
mod tests;

pub use handle::{LogHandle, LogProgress, LogWriter, LogWriterKind, StartError, WriterOptions};
