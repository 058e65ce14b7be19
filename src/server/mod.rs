//! The server: connections on core threads around the engine.
//!
//! Owns the listener, the connections, the hand-off to the sequencer on core 0, the query thread,
//! and the order of start and stop. It promises that bytes from the network can neither stop the
//! server nor reach the ledger unchecked, and that nothing is answered before it is committed. It
//! decides nothing about money.

mod acceptor;
mod checks;
mod clock;
mod core;
mod gather;
mod growth;
mod loader;
mod mailbox;
mod notify;
mod open;
mod owner;
mod query;
mod residence;
mod sequencer;
mod shared;
mod site;
mod start;
mod watch;

pub use clock::{ClockError, judge_clock};
pub use open::{
    Expected, OpenError, Opened, ReplayOptions, Replayed, cluster_config, initialize, open, replay,
};
pub use start::{ServerConfig, StartError, serve};
