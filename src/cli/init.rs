//! `partita init`: create a data directory.

use std::io::Write;

use clap::Args;

use super::args::{CapacityFlags, DataFlags};
use super::config::Settings;
use super::exit::{Exit, Failure};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub capacity: CapacityFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &InitArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "init: this build can't do that yet"))
}
