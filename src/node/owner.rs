//! A core other than the sequencer's: the owner of a partition, and of its own connections.

use super::message::{Delivery, Message, Post};
use crate::engine::{Partition, perform};

/// The owner of a partition.
///
/// Its jobs are done in the order in which they come, each once. When the node is draining it tells
/// the sequencer once, behind every request that its connections have submitted.
#[derive(Debug)]
pub struct Owner<P> {
    /// Its own number, from 1 up.
    core: usize,
    partition: Partition,
    post: P,
    /// Whether the sequencer knows that this core takes nothing new.
    refusing: bool,
    /// Whether the sequencer has said that nothing more will come.
    drained: bool,
}

impl<P: Post> Owner<P> {
    /// The owner of that partition on that core.
    ///
    /// # Panics
    /// If that is the sequencer's core, or none of the node's.
    #[must_use]
    pub fn new(core: usize, partition: Partition, post: P) -> Self {
        assert!(core > 0, "core 0 is the sequencer's");
        assert!(core < post.cores(), "messages to this core would go nowhere");
        Self { core, partition, post, refusing: false, drained: false }
    }

    /// The node is draining, and the connections of this core have seen it: they refuse whatever
    /// comes from now on. May be told any number of times.
    pub fn handle_draining(&mut self) {
        if !self.refusing {
            self.refusing = true;
            self.post.send(0, Message::Refusing);
        }
    }

    /// Takes a message. Gives the answer in it, if it is for a connection of this core.
    ///
    /// # Panics
    /// If the message is for the sequencer, or for another core's connection.
    pub fn handle_message(&mut self, message: Message) -> Option<Delivery> {
        match message {
            Message::Job(job) => {
                let done = perform(&mut self.partition, job);
                self.post.send(0, Message::Done(self.core, done));
                None
            }
            Message::Reply(delivery) => {
                let core = usize::from(delivery.to.core);
                assert_eq!(
                    core, self.core,
                    "an answer goes to the core that serves its connection"
                );
                Some(delivery)
            }
            Message::Drain => {
                assert!(self.refusing, "the sequencer ends only when all cores refuse");
                self.drained = true;
                None
            }
            Message::Submit(_)
            | Message::Done(..)
            | Message::Loaded(_)
            | Message::Gone(_)
            | Message::Refusing => {
                unreachable!("only the sequencer is sent this")
            }
        }
    }

    /// Whether all answers of this core are with its connections, so that it is over once those
    /// have sent them.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.drained
    }
}
