//! The server as a process, against the worst that a network, a machine and a directory can do.
//!
//! Everything here talks to the built program over real sockets. What a simulation can show
//! belongs there instead.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "waits for a process are bounded by real time")]
#![expect(clippy::print_stdout, reason = "a test says what the machine keeps it from showing")]

mod bystander;
mod capacity;
mod clock;
mod commands;
mod disk;
mod disk_rounds;
mod doors;
mod fuzz;
mod many;
mod memory;
mod peer;
mod process;
mod refusals;
mod slow;
mod small_disk;
mod stop;
mod versions;
mod wire;
