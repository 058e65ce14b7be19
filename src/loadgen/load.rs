//! What a run is asked to do, and what it yields.

use std::net::SocketAddr;

use hdrhistogram::Histogram;

use super::journal::Journal;
use super::workload::Workload;

/// What to do to a server.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// What the requests contain.
    pub workload: Workload,
    /// Connections, all busy at once.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// End after so many transfers.
    pub transfers: Option<u64>,
    /// End after so many seconds. With neither bound the run would not end.
    pub seconds: Option<u64>,
    /// Transfers a second on a fixed schedule; none is the closed loop.
    pub rate: Option<u64>,
}

/// How far the run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the measurement began.
    pub seconds: f64,
    /// Transfers answered.
    pub transfers: u64,
    /// Transfers answered a second, since the progress before.
    pub transfers_per_second: f64,
    /// Requests without an answer.
    pub in_flight: u64,
}

/// What a measurement yields.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) journal: Journal,
    pub(crate) latency_ns: Histogram<u64>,
    pub(crate) elapsed_ns: u64,
    /// The most requests that were due and not sent at one moment (open loop).
    pub(crate) waiting_max: u64,
}
