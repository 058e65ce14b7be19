//! `partita bench`: measure throughput and latency.

use std::io::Write;

use clap::Args;

use super::args::{ConnectFlags, ServerFlags};
use super::config::Settings;
use super::exit::{Exit, Failure};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub connect: ConnectFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    /// Transfers to create.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub transfers: u64,
    /// Transfers in one request.
    #[arg(long, value_name = "B", default_value_t = 8_189)]
    pub batch: usize,
    /// Connections.
    #[arg(long, value_name = "C", default_value_t = 1)]
    pub connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, value_name = "W", default_value_t = 4)]
    pub in_flight: usize,
    /// Transfers a second on a fixed schedule (open loop); without it, as fast as answers come.
    #[arg(long, value_name = "R")]
    pub rate: Option<u64>,
    /// Accounts to spread the transfers over.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub accounts: u64,
    /// How transfer ids are made.
    #[arg(long, value_name = "KIND", default_value = "ordered", value_parser = ["ordered", "random"])]
    pub ids: String,
    /// Accounts that get more than their share.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub hot_accounts: u64,
    /// Percent of the transfers that go to the hot accounts.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub hot_percent: u8,
    /// What the transfers do.
    #[arg(
        long,
        value_name = "MIX",
        default_value = "simple",
        value_parser = ["simple", "limits", "two-phase", "chains"]
    )]
    pub mix: String,
    /// Write the result as JSON to this file; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub json: Option<std::path::PathBuf>,
}

/// Runs the command.
pub(crate) fn run(
    _args: &BenchArgs,
    _settings: &Settings,
    _out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "bench: this build can't do that yet"))
}
