//! What all threads of the server see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use super::mailbox::{Mail, Mailbox};
use crate::io::SystemClock;
use crate::io::phases::Published;
use crate::node::{Counts, Message, Post, Shown, has_room};
use crate::wire::Limits;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers that only grow, shown by `status`.
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $($(#[$doc])* pub(super) $name: AtomicU64,)*
        }

        impl Counters {
            /// Each counter by name.
            pub(super) fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Connections that were accepted.
    connections_accepted,
    /// Connections that were refused because there were too many.
    connections_over_limit,
}

/// The state of the server that more than one thread reads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: SystemClock,
    /// How far the ledger's time is ahead of the machine's clock; negative if it lags behind.
    pub(super) clock_ahead_ns: AtomicI64,
    /// Jumps of the machine's clock since the start.
    pub(super) clock_steps: AtomicU64,
    pub(super) mailboxes: Arc<[Mailbox]>,
    pub(super) limits: Limits,
    pub(super) connections_max: u64,
    /// How long a client may take for a frame that it began.
    pub(super) client_ns_max: u64,
    pub(super) connections: AtomicU64,
    pub(super) committed: AtomicU64,
    pub(super) epoch: u64,
    /// Events that wait for their turn, as the sequencer saw last.
    pub(super) waiting_events: AtomicU64,
    /// Whether the disk has no space for more of the log.
    pub(super) log_full: AtomicBool,
    pub(super) draining: AtomicBool,
    /// Cores that have sent all their answers after the drain.
    pub(super) drained: AtomicU64,
    pub(super) counters: Counters,
    /// What has happened to the connections of each core.
    pub(super) counts: Box<[PublishedCounts]>,
    /// Where the time of each core goes.
    pub(super) phases: Box<[Published]>,
}

/// The counts of one core as others see them. Written by that core alone.
#[derive(Debug, Default)]
pub(super) struct PublishedCounts(CachePadded<[AtomicU64; Counts::NAMES.len()]>);

impl PublishedCounts {
    /// Lets the others see them.
    pub(super) fn publish(&self, counts: &Counts) {
        for (shown, value) in self.0.iter().zip(counts.values()) {
            shown.store(value, Ordering::Relaxed);
        }
    }

    /// Each of them, in the order of [`Counts::NAMES`].
    pub(super) fn values(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|value| value.load(Ordering::Relaxed))
    }
}

impl Shared {
    /// Whether there is room for more requests on this node.
    pub(super) fn has_room(&self) -> bool {
        has_room(self.waiting_events.load(Ordering::Relaxed))
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on nothing new is taken.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        for mailbox in self.mailboxes.iter() {
            mailbox.ring();
        }
    }
}

impl Post for Arc<Shared> {
    fn cores(&self) -> usize {
        self.mailboxes.len()
    }

    fn send(&self, core: usize, message: Message) {
        self.mailboxes[core].send(Mail::Message(message));
    }

    fn show(&self, shown: Shown) {
        self.committed.store(shown.committed.0, Ordering::Release);
        self.waiting_events.store(shown.waiting_events, Ordering::Relaxed);
        self.log_full.store(shown.log_full, Ordering::Relaxed);
    }

    fn ring(&self, core: usize) {
        self.mailboxes[core].ring();
    }
}
