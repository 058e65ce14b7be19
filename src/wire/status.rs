//! The server's report about itself, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a server is. Fields may be added; readers ignore what they don't know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusReport {
    /// The server's version.
    pub version: String,
    /// The cluster, 32 hexadecimal digits.
    pub cluster: String,
    /// `serving` or `draining`.
    pub state: String,
    /// Why no write is accepted now; empty while writes are accepted.
    pub writes_refused: String,
    /// The current epoch.
    pub epoch: u64,
    /// The last committed op.
    pub op: u64,
    /// The newest timestamp given, in nanoseconds since the Unix epoch.
    pub timestamp: u64,
    /// How far the ledger's time is ahead of the machine's clock, in nanoseconds; negative if it lags.
    pub clock_ahead_ns: i64,
    /// Jumps of the machine's clock since the start. None of them moved the ledger's time.
    pub clock_steps: u64,
    /// Seconds since the process started.
    pub uptime_seconds: u64,
    /// Core threads, and so partitions.
    pub cores: u32,
    /// `direct` or `mapped`.
    pub log_writer: String,
    /// The end of the durable log, as a position.
    pub log_position: u64,
    /// Accounts that exist.
    pub accounts: u64,
    /// Accounts that fit.
    pub accounts_max: u64,
    /// Transfers that exist.
    pub transfers: u64,
    /// Holds that are open.
    pub holds: u64,
    /// Holds that can be open at once.
    pub holds_max: u64,
    /// Free bytes of the file system of the data directory, as far as the server may take them.
    pub disk_free_bytes: Option<u64>,
    /// Connections that are open.
    pub connections: u64,
    /// Requests that are being served.
    pub requests_in_flight: u64,
    /// Everything else that is counted, by name.
    pub counters: BTreeMap<String, u64>,
}

impl StatusReport {
    /// What each thread has spent its time on, in nanoseconds since the start: the counters named
    /// `phase_THREAD_PHASE_ns`, by thread and phase.
    #[must_use]
    pub fn phases(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let mut phases: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (name, &ns) in &self.counters {
            let name = name.strip_prefix("phase_").and_then(|name| name.strip_suffix("_ns"));
            if let Some((thread, phase)) = name.and_then(|name| name.split_once('_')) {
                phases.entry(thread.to_owned()).or_default().insert(phase.to_owned(), ns);
            }
        }
        phases
    }
}
