//! `partita start`: serve the ledger.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::config::{LogWriter, Settings};
use super::exit::{Exit, Failure};
use super::flags::{DataFlags, ServerFlags};
use super::tied::TiedFlags;
use crate::fatal::{self, Reason};
use crate::log::{CreateError, LogWriterKind, MetaError, Position, ReadError, RecoveryError};
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
    /// The machine's clock is right, although it is long after the newest record of the log, or after
    /// this version was written.
    #[arg(long)]
    pub accept_clock: bool,
    /// Refuse a data directory that holds no cluster instead of making a new one. So it is also with
    /// --cluster, and under a service manager.
    #[arg(long)]
    pub no_create: bool,
    #[command(flatten)]
    pub tied: TiedFlags,
}

/// What a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartConfig {
    /// The data directory; created on first use, unless `never_create` says why not.
    pub data: PathBuf,
    /// The cluster that the data must belong to.
    pub cluster: Option<u128>,
    /// Why a directory without a cluster is refused instead of getting a new one.
    pub never_create: Option<&'static str>,
    /// Whether the operator says that the machine's clock is right.
    pub clock_accepted: bool,
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
            never_create: never_create(
                settings.cluster,
                args.no_create,
                std::env::var_os("NOTIFY_SOCKET").is_some(),
            ),
            clock_accepted: args.accept_clock,
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

/// Why a start must not make a new cluster. Somebody who names a cluster, or runs a service, expects
/// books that exist: an empty ledger in the place of a volume that isn't mounted would take every
/// transfer a second time.
const fn never_create(
    cluster: Option<u128>,
    no_create: bool,
    is_service: bool,
) -> Option<&'static str> {
    match (cluster, no_create, is_service) {
        (_, true, _) => Some("--no-create says so"),
        (Some(_), ..) => Some("a cluster is named"),
        (None, false, true) => Some("it runs under a service manager"),
        (None, false, false) => None,
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
        never_create: config.never_create,
        clock_accepted: config.clock_accepted,
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
fn fatal_reason(error: &StartError) -> Option<Reason> {
    let StartError::Open { source, .. } = error else { return None };
    match source {
        // Who may not look knows nothing about the data.
        error if is_permission(error) => None,
        OpenError::Copied(_) => None,
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
        error if is_permission(error) => Exit::Unavailable,
        OpenError::OtherCluster { .. }
        | OpenError::Contradicted { .. }
        | OpenError::SegmentBytes(_)
        | OpenError::Meta(MetaError::Version { .. } | MetaError::Rules { .. }) => Exit::Usage,
        OpenError::Create(CreateError::Exists) => Exit::Refused,
        // No room or no permission: nothing here is damaged.
        OpenError::Directory(_)
        | OpenError::Lock(_)
        | OpenError::Empty
        | OpenError::Absent { .. }
        | OpenError::Clock(_)
        | OpenError::Copied(_)
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

/// Whether the operating system said that this user may not.
fn is_permission(error: &OpenError) -> bool {
    let source = match error {
        OpenError::Directory(source)
        | OpenError::Meta(MetaError::Io(source))
        | OpenError::Read(ReadError::Io { source, .. } | ReadError::Directory(source))
        | OpenError::Create(CreateError::Io(source) | CreateError::Meta(MetaError::Io(source)))
        | OpenError::Recovery(
            RecoveryError::Read(ReadError::Io { source, .. } | ReadError::Directory(source))
            | RecoveryError::Sync(source)
            | RecoveryError::Repair { source, .. },
        ) => source,
        _ => return false,
    };
    source.kind() == std::io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn what_may_not_be_read_is_neither_damaged_nor_a_reason_to_stop_for_good() {
        let io = |kind| ReadError::Io { segment: 0, offset: 0, source: Error::from(kind) };
        for (kind, exit) in
            [(ErrorKind::PermissionDenied, Exit::Unavailable), (ErrorKind::Other, Exit::Damaged)]
        {
            let errors = [
                OpenError::Meta(MetaError::Io(Error::from(kind))),
                OpenError::Read(io(kind)),
                OpenError::Read(ReadError::Directory(Error::from(kind))),
                OpenError::Recovery(RecoveryError::Read(io(kind))),
            ];
            for source in errors {
                assert_eq!(open_exit(&source), exit, "{source}");
                let error = StartError::Open { path: PathBuf::new(), source };
                assert_eq!(fatal_reason(&error).is_none(), exit == Exit::Unavailable, "{error}");
            }
        }
    }

    #[test]
    fn only_a_start_that_nobody_named_anything_for_makes_a_cluster() {
        assert_eq!(never_create(None, false, false), None);
        assert!(never_create(None, false, true).unwrap().contains("service"));
        assert!(never_create(Some(1), false, false).unwrap().contains("cluster"));
        assert!(never_create(Some(1), true, true).unwrap().contains("--no-create"));
    }
}
