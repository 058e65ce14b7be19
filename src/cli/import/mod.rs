//! `partita import`: bring in foreign data.

use std::io::Write;

use clap::Args;

use crate::cli::args::ConnectFlags;
use crate::cli::config::Settings;
use crate::cli::exit::{Exit, Failure};

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &ImportArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "import: this build can't do that yet"))
}
