//! `partita import`: foreign history by a mapping file.
//!
//! text → `reader` (lines, fields) → `plan` by `rules` (accounts, transfer) → `send` → `report`.
//! Each transfer's id is derived from the line's natural key, so that a repeated or interrupted
//! import changes nothing twice. A line that can't be used is reported by its number, and the
//! others are imported all the same.

mod amounts;
mod complaint;
mod ids;
mod mapping;
mod plan;
mod reader;
mod report;
mod rules;
mod run;
mod send;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::config::Settings;
use crate::cli::exit::{Exit, Failure};
use crate::cli::flags::ConnectFlags;
use crate::cli::remote::{CallError, Server, Target};
use crate::ledger::{Account, CreateAccountStatus, CreateResult, CreateTransferStatus, Transfer};
use crate::limits::EVENTS_PER_REQUEST_MAX;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// How lines become accounts and transfers (TOML).
    #[arg(long, value_name = "FILE")]
    pub mapping: PathBuf,
    /// Delimited text, plain or gzip; - is stdin.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Write what became of every line to this file as CSV.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// End with status 0 if at most this many lines were refused or unreadable.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub allow_refused: u64,
    /// Read and map everything, but send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Which time the records get, whatever the mapping says.
    #[arg(long, value_name = "KIND")]
    pub timestamps: Option<mapping::Timestamps>,
    /// Transfers in one request.
    #[arg(long, value_name = "N", default_value_t = EVENTS_PER_REQUEST_MAX)]
    pub batch: usize,
    /// Requests under way at a time.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub in_flight: usize,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Imports, and reports.
pub(crate) fn run(
    args: &ImportArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let prepared = run::Prepared::new(args)?;
    if args.dry_run {
        return prepared.run(args, &mut DryRun::default(), out);
    }
    prepared.run(args, &mut Server::connect(settings)?, out)
}

/// A ledger that accepts everything and keeps nothing, to try a mapping out.
#[derive(Debug, Default)]
struct DryRun {
    submitted: std::collections::VecDeque<usize>,
}

impl Target for DryRun {
    fn create_accounts(&mut self, accounts: &[Account]) -> Result<Vec<CreateResult>, CallError> {
        let status = CreateAccountStatus::Created.code();
        Ok(vec![CreateResult { status, ..CreateResult::default() }; accounts.len()])
    }

    fn submit_transfers(&mut self, transfers: Vec<Transfer>) -> Result<(), CallError> {
        self.submitted.push_back(transfers.len());
        Ok(())
    }

    fn collect_transfers(&mut self) -> Result<Vec<CreateResult>, CallError> {
        let count = self.submitted.pop_front().unwrap_or(0);
        let status = CreateTransferStatus::Created.code();
        Ok(vec![CreateResult { status, ..CreateResult::default() }; count])
    }
}
