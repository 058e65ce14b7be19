//! `partita start`: serve the ledger.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::args::{DataFlags, ServerFlags};
use super::config::{LogWriter, Settings};
use super::exit::{Exit, Failure};

/// Arguments of `start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub server: ServerFlags,
}

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartConfig {
    /// The data directory; created on first use.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Core threads, 1 to [`crate::limits::PARTITIONS_MAX`]; none leaves it to the server.
    pub cores: Option<usize>,
    /// How the log reaches the disk.
    pub log_writer: LogWriter,
    /// Bytes of a segment of the log; none is the log's own default.
    pub segment_bytes: Option<u64>,
    /// Accounts that the ledger can hold; none is the engine's own default.
    pub accounts_max: Option<u64>,
    /// Connections accepted at once; none is the server's own default.
    pub connections_max: Option<u64>,
}

impl StartConfig {
    /// The part of the settings that a server needs.
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        Self {
            data: settings.data.clone(),
            listen: settings.listen,
            cores: settings.cores,
            log_writer: settings.log_writer,
            segment_bytes: settings.segment_bytes,
            accounts_max: settings.accounts_max,
            connections_max: settings.connections_max,
        }
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(config: &StartConfig, _out: &mut dyn Write) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Unavailable,
        format!("this build has no server to start on {}", config.listen),
    ))
}
