//! `partita shell`: talk to a running server.

use std::io::Write;

use clap::Args;

use crate::cli::args::ConnectFlags;
use crate::cli::config::Settings;
use crate::cli::exit::{Exit, Failure};

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &ShellArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "shell: this build can't do that yet"))
}
