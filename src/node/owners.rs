//! The owners of the partitions, as the sequencer reaches them.

use std::collections::VecDeque;

use super::message::{Message, Post};
use crate::engine::{Job, Owners, Partition, perform};

/// Partition 0 is the sequencer's own; the others live on the other cores.
#[derive(Debug)]
pub struct CoreOwners<P> {
    own: Partition,
    post: P,
    done: VecDeque<(usize, Job)>,
}

impl<P: Post> CoreOwners<P> {
    /// The owners, with the sequencer's own partition and the way to the others.
    #[must_use]
    pub const fn new(own: Partition, post: P) -> Self {
        Self { own, post, done: VecDeque::new() }
    }
}

impl<P: Post> Owners for CoreOwners<P> {
    fn partitions(&self) -> usize {
        self.post.cores()
    }

    fn send(&mut self, owner: usize, job: Job) {
        if owner == 0 {
            let done = perform(&mut self.own, job);
            self.done.push_back((0, done));
        } else {
            self.post.send(owner, Message::Job(job));
        }
    }

    fn receive(&mut self) -> Option<(usize, Job)> {
        self.done.pop_front()
    }

    fn accept(&mut self, owner: usize, job: Job) {
        self.done.push_back((owner, job));
    }
}
