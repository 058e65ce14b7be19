//! The thread of any other core: it drives the machine of a partition's owner, and serves the
//! connections of its core.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::mailbox::Mail;
use crate::engine::Partition;
use crate::io::phases::{Phase, lap};
use crate::node::Owner;

/// Works off the mailbox of the core until the server has been drained.
pub(super) fn run(mut core: Core, partition: Partition) {
    let shared = Arc::clone(core.site.shared());
    let own = usize::from(core.site.index());
    let mut machine = Owner::new(own, partition, Arc::clone(&shared));
    loop {
        if shared.is_draining() {
            // The connections of this core are served on this thread: they see it, too.
            machine.handle_draining();
        }
        let mut busy = core.take_events() | shared.mailboxes[own].take_ring();
        lap(Phase::Check);
        while let Some(mail) = shared.mailboxes[own].receive() {
            busy = true;
            match mail {
                Mail::Connection(stream) => core.adopt(stream),
                Mail::Message(message) => {
                    if let Some(delivery) = machine.handle_message(message) {
                        core.deliver(&delivery);
                    }
                }
            }
        }
        core.settle();
        lap(Phase::Reply);
        if busy {
            core.submit();
        } else if machine.is_over() && !core.is_busy() {
            break;
        } else {
            core.sleep();
        }
    }
    shared.drained.fetch_add(1, Ordering::Release);
    core.serve_until_the_end();
}
