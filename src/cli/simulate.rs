//! `partita simulate`: run the simulator from a seed.

use std::io::Write;

use clap::Args;

use super::exit::{Exit, Failure};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Seeds to run, one after the other.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
}

/// Runs the command.
pub(crate) fn run(_args: &SimulateArgs, _out: &mut dyn Write) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "simulate: this build can't do that yet"))
}
