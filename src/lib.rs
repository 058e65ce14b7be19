//! Partita: a ledger appliance that records who owes whom.
//!
//! The modules stand in the order in which they may use each other: each uses only those above it.
//! `docs/architecture.md` has the map, and a test keeps the order.

pub mod limits;
pub mod checksum;
pub mod fatal;
pub mod io;
pub mod ledger;
pub mod log;
pub mod checkpoint;
pub mod wire;
pub mod engine;
pub mod node;
pub mod server;
pub mod client;
pub mod loadgen;
pub mod sim;
pub mod cli;
