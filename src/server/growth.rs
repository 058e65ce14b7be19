//! The thread on which tables grow, beside the cores.

use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::engine::{Growth, growth};

/// How far the thread stands back behind others on its processor.
const NICE: i32 = 10;

/// Starts the thread. It ends when nobody can ask it any more.
pub(super) fn spawn(cores: usize) -> std::io::Result<Growth> {
    let (growth, grower) = growth();
    thread::Builder::new().name("growth".into()).spawn(move || {
        leave_alone(cores);
        // The log's writer and whoever else runs here comes first. Refused, it is only slower.
        let _ = rustix::process::nice(NICE);
        grower.run();
    })?;
    Ok(growth)
}

/// Keeps this thread away from the processors of the cores, if there are others: it works for
/// milliseconds at a time, and a core that has to share waits as long.
fn leave_alone(cores: usize) {
    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    for core in 0..cores.min(CpuSet::MAX_CPU) {
        allowed.unset(core);
    }
    if allowed.count() > 0 {
        // Where the kernel doesn't like it, the thread runs where it may.
        let _ = sched_setaffinity(None, &allowed);
    }
}
