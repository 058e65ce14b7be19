//! What the cores of a node tell each other, and what carries it.

use crate::engine::{Job, Loaded, Source, Submission};
use crate::ledger::Op;
use crate::wire::Reply;

/// What one core, or a thread that works for the cores, tells a core.
#[derive(Debug)]
pub enum Message {
    /// A request, to the sequencer.
    Submit(Submission),
    /// An answer, to the core that serves the connection.
    Reply(Delivery),
    /// A job, to the owner of a partition.
    Job(Job),
    /// A job that the owner has done, back to the sequencer.
    Done(usize, Job),
    /// Old records that were asked for, to the sequencer.
    Loaded(Vec<Loaded>),
    /// A connection that named itself so is gone, to the sequencer.
    Gone(Source),
    /// To the sequencer: this core refuses every new request from now on. All that it ever took
    /// came before this.
    Refusing,
    /// From the sequencer, which has answered everything: nothing more will come.
    Drain,
}

/// An answer on its way to its connection.
#[derive(Debug)]
pub struct Delivery {
    /// Whom it is for.
    pub to: Source,
    /// The op that it reflects.
    pub op: Op,
    /// The answer itself.
    pub reply: Reply,
}

/// What the sequencer lets all cores see at any time, perhaps a little late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The last op that is committed.
    pub committed: Op,
    /// Events that wait for their turn.
    pub waiting_events: u64,
    /// Whether the disk has no space for more of the log.
    pub log_full: bool,
}

/// Where messages between cores go.
///
/// What one core sends to another arrives in the order in which it was sent. Nothing is promised
/// between what different cores send.
pub trait Post {
    /// How many cores there are. Core 0 is the sequencer's.
    fn cores(&self) -> usize;

    /// Sends a message to a core and wakes it.
    fn send(&self, core: usize, message: Message);

    /// Lets every core see this from now on.
    fn show(&self, shown: Shown);

    /// Wakes a core, because something that it looks at anyway has changed.
    fn ring(&self, core: usize);
}
