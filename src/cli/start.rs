//! `partita start`: serve the ledger.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::config::{LogWriter, Settings};
use super::exit::{Exit, Failure};
use super::flags::{DataFlags, ServerFlags};
use crate::fatal::{self, Reason};
use crate::log::{CreateError, LogWriterKind, MetaError, Position, ReadError};
use crate::server::{OpenError, ServerConfig, StartError, serve};

/// Arguments of `start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub server: ServerFlags,
    /// Give up everything from this position of a damaged log on. Read docs/operating.md first.
    #[arg(long, value_name = "POSITION")]
    pub accept_loss_at: Option<u64>,
}

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartConfig {
    /// The data directory; created on first use.
    pub data: PathBuf,
    /// The cluster that the data must belong to; a new one gets this id.
    pub cluster: Option<u128>,
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
    /// Time that a client has for a frame; none is the server's own default.
    pub client_timeout: Option<Duration>,
    /// The position from which an operator gives a damaged log up. Only ever from the command line.
    pub accept_loss_at: Option<u64>,
}

impl StartConfig {
    /// The part of the settings that a server needs.
    pub(crate) fn from_settings(settings: &Settings, args: &StartArgs) -> Self {
        Self {
            data: settings.data.clone(),
            cluster: settings.cluster,
            listen: settings.listen,
            cores: settings.cores,
            log_writer: settings.log_writer,
            segment_bytes: settings.segment_bytes,
            accounts_max: settings.accounts_max,
            connections_max: settings.connections_max,
            client_timeout: settings.client_timeout_ms.map(Duration::from_millis),
            accept_loss_at: args.accept_loss_at,
        }
    }
}

/// Serves until it is told to stop. Says where on stdout as soon as requests are served.
pub(crate) fn run(config: &StartConfig, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = ServerConfig {
        data: config.data.clone(),
        listen: config.listen,
        cores: config.cores,
        log_writer: match config.log_writer {
            LogWriter::Direct => LogWriterKind::Direct,
            LogWriter::Mapped => LogWriterKind::Mapped,
        },
        segment_bytes: config.segment_bytes,
        accounts_max: config.accounts_max,
        connections_max: config.connections_max,
        cluster: config.cluster,
        client_timeout: config.client_timeout,
        accept_loss_at: config.accept_loss_at.map(Position),
    };
    let ready = |address| {
        // Nobody may be reading; that is no reason not to serve.
        let _ = writeln!(out, "ready {address}").and_then(|()| out.flush());
        tracing::info!(%address, data = %config.data.display(), "serving");
    };
    serve(&config, ready).map_err(|error| {
        if let Some(reason) = fatal_reason(&error) {
            fatal::stop(reason, &error.to_string());
        }
        Failure::new(exit_of(&error), error.to_string())
    })?;
    Ok(Exit::Ok)
}

/// Doubt about the data ends the server with a status that its service manager knows: starting it
/// again would only read the same damage again.
const fn fatal_reason(error: &StartError) -> Option<Reason> {
    let StartError::Open { source, .. } = error else { return None };
    match source {
        OpenError::Read(ReadError::Io { .. }) | OpenError::Meta(MetaError::Io(_)) => {
            Some(Reason::DataUnreadable)
        }
        OpenError::Read(_)
        | OpenError::Recovery(_)
        | OpenError::Meta(MetaError::Damaged)
        | OpenError::Create(CreateError::MetaMissing) => Some(Reason::LogDamaged),
        OpenError::Replay(_) => Some(Reason::DigestMismatch),
        _ => None,
    }
}

/// The class of what kept the server from starting.
pub(crate) fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Cores(_) => Exit::Usage,
        StartError::Open { source, .. } => open_exit(source),
        StartError::IoUring(_)
        | StartError::Memlock { .. }
        | StartError::Files { .. }
        | StartError::Listen { .. }
        | StartError::Writer(_)
        | StartError::Core(_)
        | StartError::Thread(_) => Exit::Unavailable,
    }
}

/// The class of what keeps a data directory from being opened.
pub(crate) fn open_exit(error: &OpenError) -> Exit {
    match error {
        OpenError::OtherCluster { .. }
        | OpenError::SegmentBytes(_)
        | OpenError::Meta(MetaError::Version { .. } | MetaError::Rules { .. }) => Exit::Usage,
        OpenError::Create(CreateError::Exists) => Exit::Refused,
        // No room or no permission: nothing here is damaged.
        OpenError::Directory(_)
        | OpenError::Lock(_)
        | OpenError::Empty
        | OpenError::Create(CreateError::Io(_) | CreateError::Meta(MetaError::Io(_))) => {
            Exit::Unavailable
        }
        OpenError::Create(CreateError::MetaMissing | CreateError::Meta(_))
        | OpenError::Meta(_)
        | OpenError::Read(_)
        | OpenError::Replay(_)
        | OpenError::Recovery(_) => Exit::Damaged,
    }
}
