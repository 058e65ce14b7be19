//! Flags that several commands share. Settings stay text here, as in `args`.

use std::path::PathBuf;

use clap::Args;

use super::config::{Flags, Key};

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct CommonFlags {
    /// Work with this cluster and no other (32 hexadecimal digits).
    #[arg(long, value_name = "ID", global = true)]
    pub cluster: Option<String>,
    /// Read settings from this file and no other.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to log on stderr: a level, or a list of module=level.
    #[arg(long, value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How to log: text or json.
    #[arg(long, value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
}

/// `--data`, for commands that work on a data directory.
#[derive(Debug, Args)]
pub(crate) struct DataFlags {
    /// The data directory [default: ./partita-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
}

/// `--connect`, for commands that talk to a server.
#[derive(Debug, Args)]
pub(crate) struct ConnectFlags {
    /// The server to talk to [default: 127.0.0.1:7400].
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
}

/// Flags of a server.
#[derive(Debug, Args)]
pub(crate) struct ServerFlags {
    /// Where to listen [default: 127.0.0.1:7400].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Core threads [default: by the machine].
    #[arg(long, value_name = "N")]
    pub cores: Option<String>,
    /// How the log reaches the disk [default: direct].
    #[arg(long, value_name = "WRITER", value_parser = ["direct", "mapped"])]
    pub log_writer: Option<String>,
    #[command(flatten)]
    pub capacity: CapacityFlags,
    /// Connections accepted at once.
    #[arg(long, value_name = "N")]
    pub connections_max: Option<String>,
    /// Milliseconds that a client has to complete a frame it began.
    #[arg(long, value_name = "MS")]
    pub client_timeout_ms: Option<String>,
}

/// Flags that a data directory remembers.
#[derive(Debug, Args)]
pub(crate) struct CapacityFlags {
    /// Size of a segment of the log, such as 64MiB.
    #[arg(long, value_name = "SIZE")]
    pub segment_bytes: Option<String>,
    /// Accounts that the ledger can hold.
    #[arg(long, value_name = "N")]
    pub accounts_max: Option<String>,
}

impl DataFlags {
    pub(super) fn put(&self, flags: &mut Flags) {
        flags.put(Key::Data, self.data.as_ref());
    }
}

impl ConnectFlags {
    pub(super) fn put(&self, flags: &mut Flags) {
        flags.put(Key::Connect, self.connect.as_ref());
    }
}

impl ServerFlags {
    pub(super) fn put(&self, flags: &mut Flags) {
        flags.put(Key::Listen, self.listen.as_ref());
        flags.put(Key::Cores, self.cores.as_ref());
        flags.put(Key::LogWriter, self.log_writer.as_ref());
        flags.put(Key::ConnectionsMax, self.connections_max.as_ref());
        flags.put(Key::ClientTimeoutMs, self.client_timeout_ms.as_ref());
        self.capacity.put(flags);
    }
}

impl CapacityFlags {
    pub(super) fn put(&self, flags: &mut Flags) {
        flags.put(Key::SegmentBytes, self.segment_bytes.as_ref());
        flags.put(Key::AccountsMax, self.accounts_max.as_ref());
    }
}
