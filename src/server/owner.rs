//! A core other than the sequencer's: the owner of a partition, and of its own connections.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::mailbox::Message;
use crate::engine::{Partition, perform};

/// Works off the mailbox of the core until the server has been drained.
pub(super) async fn run(core: Rc<Core>, mut partition: Partition) {
    let shared = Arc::clone(core.shared());
    let own = usize::from(core.index());
    let mut drain = false;
    let mut refusing = false;
    loop {
        if shared.is_draining() && !refusing {
            // The connections of this core are served on this thread: they see it, too.
            refusing = true;
            shared.refusing.fetch_add(1, Ordering::Release);
            shared.mailboxes[0].ring();
        }
        let mut busy = false;
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
                Message::Submit(_) | Message::Done(..) => {}
            }
        }
        core.wake_waiting();
        if busy {
            core.yield_now().await;
        } else if drain && !core.is_busy() {
            break;
        } else {
            shared.mailboxes[own].wait().await;
        }
    }
    shared.drained.fetch_add(1, Ordering::Release);
}
