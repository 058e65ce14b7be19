//! `partita verify`: check a stopped or copied data directory from end to end.

use std::io::Write;

use clap::Args;

use super::args::DataFlags;
use super::config::Settings;
use super::exit::{Exit, Failure};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub data: DataFlags,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub(crate) fn run(
    _args: &VerifyArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "verify: this build can't do that yet"))
}
