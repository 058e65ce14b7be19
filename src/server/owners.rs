//! The owners of the partitions on their core threads, as the sequencer reaches them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mailbox::{Mailbox, Message};
use crate::engine::{Job, Owners, Partition, perform};

/// Partition 0 is the sequencer's own; the others live on the other cores.
pub(super) struct CoreOwners {
    own: Partition,
    mailboxes: Arc<[Mailbox]>,
    done: VecDeque<(usize, Job)>,
}

impl CoreOwners {
    pub(super) const fn new(own: Partition, mailboxes: Arc<[Mailbox]>) -> Self {
        Self { own, mailboxes, done: VecDeque::new() }
    }
}

impl Owners for CoreOwners {
    fn partitions(&self) -> usize {
        self.mailboxes.len()
    }

    fn send(&mut self, owner: usize, job: Job) {
        if owner == 0 {
            let done = perform(&mut self.own, job);
            self.done.push_back((0, done));
        } else {
            self.mailboxes[owner].send(Message::Job(job));
        }
    }

    fn receive(&mut self) -> Option<(usize, Job)> {
        self.done.pop_front()
    }

    fn accept(&mut self, owner: usize, job: Job) {
        self.done.push_back((owner, job));
    }
}
