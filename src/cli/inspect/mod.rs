//! `partita inspect`: look into a data directory, without a server and without changing anything.
//!
//! Each view reads the log from its start, frame by frame, every byte checked. It shows what is
//! written and never decides anew whether it was right to write it: that is `verify`.

mod account;
mod frames;
mod log;
mod transfer;
#[cfg(test)]
mod tests;

use std::io::Write;

use clap::{Args, Subcommand};

use super::config::Settings;
use super::exit::{Exit, Failure};
use log::Log;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// What to look at.
    #[command(subcommand)]
    pub view: View,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// The data directory [default: ./partita-data].
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<String>,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum View {
    /// The files of the log, and which ops are in them.
    Segments,
    /// The frames of the log, one line each.
    Frames {
        /// The first op to show.
        #[arg(long, value_name = "OP", default_value_t = 1)]
        from: u64,
        /// Frames to show at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
    },
    /// One frame with all its events and their outcomes.
    Frame {
        /// The op.
        op: u64,
    },
    /// One account: its creation, its balance, its latest transfers.
    Account {
        /// The id.
        id: String,
        /// Transfers to show at most, the latest ones.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// One transfer id: every time that it was met.
    Transfer {
        /// The id.
        id: String,
    },
}

/// Looks.
pub(crate) fn run(
    args: &InspectArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let log = Log::open(&settings.data)?;
    match &args.view {
        View::Segments => frames::segments(log, args.json, out),
        View::Frames { from, limit } => frames::frames(log, (*from, *limit), args.json, out),
        View::Frame { op } => frames::frame(log, *op, args.json, out),
        View::Account { id, limit } => account::run(log, parse_id(id)?, *limit, args.json, out),
        View::Transfer { id } => transfer::run(log, parse_id(id)?, args.json, out),
    }
}

fn parse_id(text: &str) -> Result<u128, Failure> {
    super::shell::fields::parse_number(text, u128::MAX).map_err(Failure::usage)
}
