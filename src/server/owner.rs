//! A core other than the sequencer's: the owner of a partition, and of its own connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::mailbox::Message;
use crate::engine::{Partition, perform};
use crate::io::phases::{Phase, lap};

/// Works off the mailbox of the core until the server has been drained.
pub(super) fn run(mut core: Core, mut partition: Partition) {
    let shared = Arc::clone(core.site.shared());
    let own = usize::from(core.site.index());
    let mut drain = false;
    let mut refusing = false;
    loop {
        if shared.is_draining() && !refusing {
            // The connections of this core are served on this thread: they see it, too.
            refusing = true;
            shared.refusing.fetch_add(1, Ordering::Release);
            shared.mailboxes[0].ring();
        }
        let mut busy = core.take_events() | shared.mailboxes[own].take_ring();
        lap(Phase::Check);
        while let Some(message) = shared.mailboxes[own].receive() {
            busy = true;
            match message {
                Message::Connection(stream) => core.adopt(stream),
                Message::Job(job) => {
                    let done = perform(&mut partition, job);
                    shared.mailboxes[0].send(Message::Done(own, done));
                }
                Message::Reply { to, op, reply } => core.deliver(to, op, &reply),
                Message::Drain => drain = true,
                Message::Submit(_) | Message::Gone(_) | Message::Done(..) | Message::Loaded(_) => {
                    unreachable!("only the sequencer is told this")
                }
            }
        }
        core.settle();
        lap(Phase::Reply);
        if busy {
            core.submit();
        } else if drain && !core.is_busy() {
            break;
        } else {
            core.sleep();
        }
    }
    shared.drained.fetch_add(1, Ordering::Release);
    core.serve_until_the_end();
}
