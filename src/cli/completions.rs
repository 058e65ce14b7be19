//! `partita completions`: a completion script for a shell.

use std::io::Write;

use clap::{Args, CommandFactory};

use super::args::Arguments;
use super::exit::{Exit, Failure};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    // The generator panics when its writer fails, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "partita", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Ok)
}
