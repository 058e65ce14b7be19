//! `partita completions`: a completion script for a shell.

use std::io::Write;

use clap::{Args, Command};

use super::exit::{Exit, Failure};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Prints the script for a command line.
pub(crate) fn run(
    args: &CompletionsArgs,
    line: &mut Command,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    // The generator panics when its writer fails, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, line, "partita", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Ok)
}
