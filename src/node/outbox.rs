//! What connections want of their node: filled during a turn, emptied by whoever drives it.

use crate::engine::{Source, Submission};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What has happened to the connections of one core since the start. Numbers only grow.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// The names, in the order of [`Self::values`].
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Each count, in the order of [`Self::NAMES`].
            #[must_use]
            pub const fn values(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$name,)*]
            }
        }
    };
}

counts! {
    /// Connections that were ended because their hello, the rest of a frame or their goodbye took
    /// too long, or a large body while others waited for its room.
    connections_too_slow,
    /// Connections that were ended because they didn't read their answers.
    connections_unread,
    /// Requests that were refused before they reached the ledger.
    requests_refused,
    /// Requests that reached the ledger.
    requests_accepted,
    /// Requests that were answered.
    requests_answered,
}

/// What the connections of a core have to say to the node.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Whole and admitted requests, in the order in which each connection sent them.
    pub submissions: Vec<Submission>,
    /// Connections that nothing can be sent to any more, though requests of theirs are unanswered
    /// (`correlation` is 0). Their reads may be forgotten; their writes are to be answered as ever.
    /// To be told behind the submissions.
    pub gone: Vec<Source>,
    /// What has happened.
    pub counts: Counts,
}
