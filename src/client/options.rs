//! How a client behaves: addresses, deadlines, bounds.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::outcome::ConnectError;
use super::session::SessionConfig;

/// What to connect to, and how patiently. Start from [`ConnectOptions::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Servers as `host:port`, tried in turn. Names are looked up once, when connecting.
    pub addresses: Vec<String>,
    /// The cluster that is meant; 0 is any.
    pub cluster: u128,
    /// The client's name, for the server's messages (32 bytes are kept).
    pub name: String,
    /// Until when the first connection must stand, from the call of `connect`.
    pub connect_deadline: Duration,
    /// Whether to wait for a server where nobody listens yet, until that deadline.
    pub wait_for_server: bool,
    /// How long one attempt at a connection may take.
    pub connect_timeout: Duration,
    /// Until when a request must be answered, from its submission, over all its attempts.
    pub request_deadline: Duration,
    /// The first wait between attempts.
    pub backoff_min: Duration,
    /// The longest wait between attempts.
    pub backoff_max: Duration,
    /// How often one request is sent at most.
    pub attempts_max: u32,
    /// How many requests may be unanswered on the connection, if the server allows that many.
    pub in_flight_max: u32,
    /// How many calls may be outstanding before the next caller has to wait.
    pub outstanding_max: usize,
    /// Creates with fewer events than this share requests with those of other callers; larger ones
    /// go alone, without another copy. 0 never shares.
    pub share_below: usize,
    /// How long a shared request waits for more events while another one is in flight.
    pub linger: Duration,
    /// Spreads the waits between attempts; nothing takes it from the clock.
    pub seed: Option<u64>,
}

impl ConnectOptions {
    /// Sensible patience for one address.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            addresses: vec![address.into()],
            cluster: 0,
            name: "partita-client".to_owned(),
            connect_deadline: Duration::from_secs(5),
            wait_for_server: true,
            connect_timeout: Duration::from_secs(2),
            request_deadline: Duration::from_secs(30),
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_secs(1),
            attempts_max: 10,
            in_flight_max: 1_024,
            outstanding_max: 65_536,
            share_below: 1_024,
            linger: Duration::from_micros(500),
            seed: None,
        }
    }

    /// The addresses of all servers, in the order given.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let mut found = Vec::new();
        for address in &self.addresses {
            match address.to_socket_addrs() {
                Ok(several) => found.extend(several),
                Err(error) => {
                    return Err(ConnectError::NoAddress(format!("{address}: {error}")));
                }
            }
        }
        if found.is_empty() {
            return Err(ConnectError::NoAddress("no address is given".to_owned()));
        }
        Ok(found)
    }

    pub(super) fn session(&self, addresses: usize, now_ns: u64, seed: u64) -> SessionConfig {
        SessionConfig {
            cluster: self.cluster,
            name: self.name.clone(),
            addresses,
            connect_timeout_ns: nanoseconds(self.connect_timeout),
            connect_deadline_ns: now_ns.saturating_add(nanoseconds(self.connect_deadline)),
            backoff_min_ns: nanoseconds(self.backoff_min),
            backoff_max_ns: nanoseconds(self.backoff_max),
            attempts_max: self.attempts_max.max(1),
            in_flight_max: self.in_flight_max.max(1),
            seed: self.seed.unwrap_or(seed),
        }
    }
}

/// A time span as a number; the longest one stands for "for ever".
pub(super) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
