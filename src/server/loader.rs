//! The thread that reads old records for requests which wait for them.

use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::shared::Shared;
use crate::engine::{Load, Loaded, Records, StoredLog};
use crate::fatal::{self, Reason};
use crate::io::Storage;
use crate::node::{Message, Post};

/// Starts the thread. It ends when the sender is dropped. The engine bounds what it asks for.
pub(super) fn spawn<S: Storage>(
    mut log: StoredLog<S>,
    shared: Arc<Shared>,
) -> std::io::Result<Sender<Vec<Load>>> {
    let (sender, asked): (_, Receiver<Vec<Load>>) = unbounded();
    thread::Builder::new().name("loader".into()).spawn(move || {
        for loads in asked {
            let loaded: Result<Vec<Loaded>, _> =
                loads.into_iter().map(|load| log.load(load)).collect();
            match loaded {
                Ok(loaded) => shared.send(0, Message::Loaded(loaded)),
                Err(error) => fatal::stop(Reason::DataUnreadable, &error.to_string()),
            }
        }
    })?;
    Ok(sender)
}
