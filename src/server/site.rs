//! One core's place in the server: what it sees of the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::mailbox::Mailbox;
use super::shared::Shared;
use crate::io::{Clock, Now};
use crate::ledger::Op;
use crate::node::{LOG_FULL, View};

/// A core among the others.
pub(super) struct Site {
    index: u16,
    shared: Arc<Shared>,
}

impl Site {
    pub(super) const fn new(index: u16, shared: Arc<Shared>) -> Self {
        Self { index, shared }
    }

    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The node as the connections of this core see it from now on.
    pub(super) fn view(&self) -> View {
        let shared = &*self.shared;
        View {
            now_ns: self.now_monotonic_ns(),
            limits: shared.limits,
            committed: Op(shared.committed.load(Ordering::Acquire)),
            epoch: shared.epoch,
            draining: shared.is_draining(),
            writes_refused: shared.log_full.load(Ordering::Relaxed).then_some(LOG_FULL),
            has_room: shared.has_room(),
            client_ns_max: shared.client_ns_max,
        }
    }

    pub(super) fn now(&self) -> Now {
        self.shared.clock.now()
    }

    pub(super) fn now_monotonic_ns(&self) -> u64 {
        self.shared.clock.now().monotonic_ns
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.shared.mailboxes[usize::from(self.index)]
    }

    /// A connection that was counted when it was accepted is gone.
    pub(super) fn forget_connection(&self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
