//! `partita status`: how a running server is doing.

use std::io::Write;

use clap::Args;

use super::args::ConnectFlags;
use super::config::Settings;
use super::exit::{Exit, Failure};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &StatusArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "status: this build can't do that yet"))
}
