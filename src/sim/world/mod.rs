//! One node and its clients in one thread and in virtual time, all from one seed.
//!
//! The engine, the log with its recovery, the wire and the client's sessions are the real ones; the
//! disk, the network and the clocks are not. Power cuts, kills, torn and lost writes, slow, full and
//! failing disks, rotten bytes and lost connections come at any point. The auditor says at once
//! when an answer, a restart or a client's verdict is not what it should be. The same seed gives
//! the same world on every machine.
//!
//! - `state`: the world, its queue of events and its end.
//! - `network`, `port`: connections with delays, partial delivery and loss; the server's side.
//! - `callers`, `calls`: clients, what they ask and what they were told.
//! - `node`, `logging`, `serving`: the server's inside, its log, and how events move them.
//! - `disasters`, `damage`, `starting`: what goes wrong, and coming back from it.
//! - `auditor`: what is right.
//! - `many`: many seeds on several threads.

mod auditor;
mod callers;
mod calls;
mod damage;
mod disasters;
mod logging;
mod many;
mod network;
mod node;
mod port;
mod report;
mod serving;
mod starting;
mod state;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use many::{Many, simulate_many};
pub use report::{Count, Report};

use state::World;

/// How large a world is.
#[derive(Debug, Clone, Copy)]
pub struct SimulationOptions {
    /// Requests that the clients send, besides those that settle unknown outcomes.
    pub steps: u32,
    /// Whether to keep a record of what happens.
    pub trace: bool,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        Self { steps: 60, trace: false }
    }
}

/// A world in which something was wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}, event {event}: {what}")]
pub struct Failure {
    /// The seed: the same one fails in the same way.
    pub seed: u64,
    /// Which event showed it.
    pub event: u64,
    /// What was wrong.
    pub what: String,
    /// The last things that happened, if a record was kept.
    pub trace: Vec<String>,
}

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// The seed of the world that this thread runs. Where a panic ends the process at once, only the
/// panic hook can still ask.
#[must_use]
pub fn current_seed() -> u64 {
    SEED.get()
}

/// Runs the world of a seed.
///
/// # Errors
/// The first thing that was wrong.
pub fn simulate(seed: u64, options: SimulationOptions) -> Result<Report, Box<Failure>> {
    SEED.set(seed);
    let mut world = World::new(seed, options);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let what = match ended {
        Ok(Ok(())) => return Ok(world.into_report()),
        Ok(Err(what)) => what,
        Err(panic) => format!("a panic: {}", text_of(panic.as_ref())),
    };
    let (event, trace) = world.into_trace();
    Err(Box::new(Failure { seed, event, what, trace }))
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
