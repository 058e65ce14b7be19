//! `partita version`: the versions of the program, the protocol and the log format.

use std::io::Write;

use clap::Args;

use super::exit::{Exit, Failure};

/// Arguments of `version`.
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints the versions.
pub(crate) fn run(args: &VersionArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let (protocol, log_format) = (crate::wire::VERSION, crate::log::FORMAT_VERSION);
    if args.json {
        let value = serde_json::json!({
            "version": version,
            "protocol": protocol,
            "log_format": log_format,
        });
        writeln!(out, "{value}")?;
    } else {
        writeln!(out, "partita {version} (protocol {protocol}, log format {log_format})")?;
    }
    Ok(Exit::Ok)
}
