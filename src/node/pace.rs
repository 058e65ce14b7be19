//! How far the sequencer runs ahead of the disk, and how much may wait for it: the busier the disk,
//! the larger the batches.

use crate::engine::Permit;
use crate::limits::EVENTS_WAITING;

/// Batches that may be on their way to the disk while small requests wait to share the next one.
const BATCHES_AHEAD_MAX: u64 = 2;

/// So many waiting events make a batch of their own, whatever the log is doing.
const EVENTS_WORTH_A_BATCH: usize = 2_048;

/// Batches that may be on their way to the disk at all.
const BATCHES_MAX: u64 = 64;

/// What may be ordered while `ahead` batches aren't durable yet and so many events wait.
#[must_use]
pub const fn permit(ahead: u64, waiting_events: usize) -> Permit {
    let worth = waiting_events >= EVENTS_WORTH_A_BATCH;
    if ahead >= BATCHES_MAX || (ahead >= BATCHES_AHEAD_MAX && !worth) {
        Permit::Reads
    } else {
        Permit::All
    }
}

/// Whether there is room for more requests on this node while so many events wait for their turn.
#[must_use]
pub const fn has_room(waiting_events: u64) -> bool {
    waiting_events < EVENTS_WAITING
}
