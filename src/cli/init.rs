//! `partita init`: create a data directory.

use std::io::Write;

use clap::Args;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::{CapacityFlags, DataFlags};
use super::start::open_exit;
use crate::server::{cluster_config, initialize};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub capacity: CapacityFlags,
}

/// Runs the command.
pub(crate) fn run(
    _args: &InitArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = cluster_config(settings.cluster, settings.segment_bytes, settings.accounts_max);
    initialize(&settings.data, config, false).map_err(|error| {
        Failure::new(open_exit(&error), format!("{}: {error}", settings.data.display()))
    })?;
    writeln!(out, "cluster {:032x} in {}", config.cluster.0, settings.data.display())?;
    Ok(Exit::Ok)
}
