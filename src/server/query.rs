//! The thread that carries out reads which walk the log.

use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::shared::Shared;
use crate::engine::{Answered, LongRead, Queries, Source, StoredLog};
use crate::fatal::{self, Reason};
use crate::io::{Clock, Storage};
use crate::ledger::Op;
use crate::node::{Delivery, Message, Post};

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Query {
    /// A read whose op is committed.
    Read { to: Source, op: Op, read: LongRead },
    /// A connection is gone: nobody waits for its answers.
    Gone(Source),
}

/// Starts the thread. It ends when the sender is dropped and all is answered. At most one request for each
/// credit of each connection waits in the queue.
pub(super) fn spawn<S: Storage>(
    mut log: StoredLog<S>,
    shared: Arc<Shared>,
) -> std::io::Result<Sender<Query>> {
    let (sender, asked): (_, Receiver<Query>) = unbounded();
    thread::Builder::new().name("query".into()).spawn(move || {
        let mut queries = Queries::default();
        loop {
            if queries.is_idle() {
                let Ok(first) = asked.recv() else { return };
                take_in(&mut queries, first, &shared);
            }
            while let Ok(next) = asked.try_recv() {
                take_in(&mut queries, next, &shared);
            }
            match queries.step(&mut log, shared.clock.now().monotonic_ns) {
                Ok(Some(Answered { to, op, reply })) => {
                    shared.send(usize::from(to.core), Message::Reply(Delivery { to, op, reply }));
                }
                Ok(None) => {}
                Err(error) => fatal::stop(Reason::DataUnreadable, &error.to_string()),
            }
        }
    })?;
    Ok(sender)
}

fn take_in(queries: &mut Queries, query: Query, shared: &Shared) {
    match query {
        Query::Read { to, op, read } => {
            queries.submit(to, op, read, shared.clock.now().monotonic_ns);
        }
        Query::Gone(source) => queries.handle_gone(source),
    }
}
