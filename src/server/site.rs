//! What the connections of one core see of the server: its limits, its counters, its sequencer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::mailbox::{Mailbox, Message};
use super::shared::{Counters, Shared};
use crate::engine::Submission;
use crate::io::Clock;
use crate::ledger::Op;
use crate::wire::Limits;

/// The surroundings of a core's connections.
pub(super) struct Site {
    index: u16,
    shared: Arc<Shared>,
    /// On the sequencer's core: requests on their way to the engine.
    inbox: Vec<Submission>,
}

impl Site {
    pub(super) const fn new(index: u16, shared: Arc<Shared>) -> Self {
        Self { index, shared, inbox: Vec::new() }
    }

    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn limits(&self) -> Limits {
        self.shared.limits
    }

    pub(super) fn committed(&self) -> Op {
        Op(self.shared.committed.load(Ordering::Acquire))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    pub(super) fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    pub(super) fn is_log_full(&self) -> bool {
        self.shared.log_full.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, which: impl Fn(&Counters) -> &AtomicU64) {
        which(&self.shared.counters).fetch_add(1, Ordering::Relaxed);
    }

    /// When a frame that begins now, or a hello, or a goodbye, has to be whole.
    pub(super) fn frame_deadline_ns(&self) -> u64 {
        self.now_monotonic_ns() + self.shared.client_ns_max
    }

    pub(super) fn now_unix_ns(&self) -> u64 {
        self.shared.clock.now().unix_ns
    }

    pub(super) fn now_monotonic_ns(&self) -> u64 {
        self.shared.clock.now().monotonic_ns
    }

    /// Hands a request to the sequencer.
    pub(super) fn submit(&mut self, submission: Submission) {
        self.count(|counters| &counters.requests_accepted);
        if self.index == 0 {
            self.inbox.push(submission);
        } else {
            self.shared.mailboxes[0].send(Message::Submit(submission));
        }
    }

    /// On the sequencer's core: the requests that have come since the last time.
    pub(super) fn take_inbox(&mut self) -> std::vec::Drain<'_, Submission> {
        self.inbox.drain(..)
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.shared.mailboxes[usize::from(self.index)]
    }

    /// A connection that was counted when it was accepted is gone.
    pub(super) fn forget_connection(&self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is room for more requests on this node.
    pub(super) fn has_room(&self) -> bool {
        self.shared.has_room()
    }
}
