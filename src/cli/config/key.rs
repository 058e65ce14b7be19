//! The settings by name: one name for the flag, the environment variable and the file.

use std::collections::BTreeMap;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The data directory.
    Data,
    /// The cluster that is meant.
    Cluster,
    /// Where the server listens.
    Listen,
    /// Where client commands connect to.
    Connect,
    /// Core threads of the server.
    Cores,
    /// How the log reaches the disk.
    LogWriter,
    /// Size of a segment of the log.
    SegmentBytes,
    /// Accounts that the ledger can hold.
    AccountsMax,
    /// Connections that the server accepts at once.
    ConnectionsMax,
    /// How long a client may pause inside a frame.
    ClientTimeoutMs,
    /// What the program logs about itself.
    Log,
    /// How it is logged.
    LogFormat,
}

impl Key {
    /// Every setting, in the order of `config show`.
    pub(crate) const ALL: [Self; 12] = [
        Self::Data,
        Self::Cluster,
        Self::Listen,
        Self::Connect,
        Self::Cores,
        Self::LogWriter,
        Self::SegmentBytes,
        Self::AccountsMax,
        Self::ConnectionsMax,
        Self::ClientTimeoutMs,
        Self::Log,
        Self::LogFormat,
    ];

    /// The name in the configuration file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Cluster => "cluster",
            Self::Listen => "listen",
            Self::Connect => "connect",
            Self::Cores => "cores",
            Self::LogWriter => "log_writer",
            Self::SegmentBytes => "segment_bytes",
            Self::AccountsMax => "accounts_max",
            Self::ConnectionsMax => "connections_max",
            Self::ClientTimeoutMs => "client_timeout_ms",
            Self::Log => "log",
            Self::LogFormat => "log_format",
        }
    }

    /// The setting of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The name of the flag.
    pub(crate) fn flag(self) -> String {
        format!("--{}", self.name().replace('_', "-"))
    }

    /// The name of the environment variable.
    pub(crate) fn variable(self) -> String {
        format!("PARTITA_{}", self.name().to_uppercase())
    }
}

/// The settings that were typed as flags, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    values: BTreeMap<Key, String>,
}

impl Flags {
    /// Notes a flag, if it was typed.
    pub(crate) fn put(&mut self, key: Key, value: Option<&String>) {
        if let Some(value) = value {
            self.values.insert(key, value.clone());
        }
    }

    /// What was typed for a setting.
    pub(crate) fn get(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_keys() {
        for key in Key::ALL {
            assert_eq!(Key::from_name(key.name()), Some(key));
        }
        assert_eq!(Key::from_name("dta"), None);
        assert_eq!(Key::SegmentBytes.flag(), "--segment-bytes");
        assert_eq!(Key::SegmentBytes.variable(), "PARTITA_SEGMENT_BYTES");
    }
}
