//! `partita inspect`: look into a data directory.

use std::io::Write;

use clap::Args;

use super::args::DataFlags;
use super::config::Settings;
use super::exit::{Exit, Failure};

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub data: DataFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &InspectArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "inspect: this build can't do that yet"))
}
