//! The load generator: what a client can send at most, measured honestly.
//!
//! Owns the workloads (pure and seeded), the driver that keeps thousands of connections busy from
//! one thread, the report, and the check at the end that the server's balances are exactly those of
//! the acknowledged transfers. Promises that no latency is left out: in the open loop a request's
//! time runs from when it was due, whether or not it could be sent then. Never allocates or copies
//! for each transfer while it measures, and never takes an answer for granted: every reply's
//! checksum is verified, and every request must be answered exactly once.

mod check;
mod connection;
mod driver;
mod error;
mod greeting;
mod journal;
mod load;
mod report;
mod schedule;
mod server;
mod setup;
mod timer;
mod workload;

#[cfg(test)]
mod tests;

pub use check::Disagreement;
pub use driver::{drive, run};
pub use error::LoadError;
pub use load::{Load, Progress};
pub use report::{Latency, Report};
pub use server::{OwnServer, ServerOptions};
pub use workload::{Ids, Mix, Workload};
