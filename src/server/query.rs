//! The thread that answers reads which walk the log.

use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::mailbox::Message;
use super::shared::Shared;
use crate::engine::{LongRead, Source, StoredLog, run_query};
use crate::fatal::{self, Reason};
use crate::io::Storage;
use crate::ledger::Op;

/// A read whose op is committed.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) to: Source,
    pub(super) op: Op,
    pub(super) read: LongRead,
}

/// Starts the thread. It ends when the sender is dropped. At most one request for each credit of
/// each connection waits in the queue.
pub(super) fn spawn<S: Storage>(
    mut log: StoredLog<S>,
    shared: Arc<Shared>,
) -> std::io::Result<Sender<Query>> {
    let (sender, queries): (_, Receiver<Query>) = unbounded();
    thread::Builder::new().name("query".into()).spawn(move || {
        for Query { to, op, read } in queries {
            match run_query(&read, &mut log) {
                Ok(reply) => {
                    let mailbox = &shared.mailboxes[usize::from(to.core)];
                    mailbox.send(Message::Reply { to, op, reply });
                }
                Err(error) => fatal::stop(Reason::DataUnreadable, &error.to_string()),
            }
        }
    })?;
    Ok(sender)
}
