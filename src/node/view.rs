//! What connections see of their node: a value that is made once a turn.

use crate::ledger::Op;
use crate::wire::Limits;

/// The node as the connections of one core see it during one turn.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The monotonic clock, in nanoseconds.
    pub now_ns: u64,
    /// What the hello tells.
    pub limits: Limits,
    /// The last op that is committed.
    pub committed: Op,
    /// Its epoch.
    pub epoch: u64,
    /// Whether the node stops and takes nothing new.
    pub draining: bool,
    /// Why writes are refused, if they are.
    pub writes_refused: Option<&'static str>,
    /// Whether there is room for more requests on this node.
    pub has_room: bool,
    /// How long a client may take for a hello, for the rest of a frame, or for its goodbye.
    pub client_ns_max: u64,
}

impl View {
    /// When a frame that begins now, or a hello, or a goodbye, has to be whole.
    #[must_use]
    pub const fn deadline_ns(&self) -> u64 {
        self.now_ns.saturating_add(self.client_ns_max)
    }
}
