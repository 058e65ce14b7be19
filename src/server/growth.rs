//! The thread on which tables grow, beside the cores.

use std::thread;

use crate::engine::{Growth, growth};

/// How far the thread stands back behind others on its processor.
const NICE: i32 = 10;

/// Smaller tables grow where they are: that takes less time than to hand them over.
const PLACES_MIN: usize = 1 << 10;

/// Starts the thread. It ends when nobody can ask it any more.
pub(super) fn spawn() -> std::io::Result<Growth> {
    let (growth, grower) = growth(PLACES_MIN);
    thread::Builder::new().name("growth".into()).spawn(move || {
        // The log's writer and whoever else runs here comes first. Refused, it is only slower.
        let _ = rustix::process::nice(NICE);
        grower.run();
    })?;
    Ok(growth)
}
