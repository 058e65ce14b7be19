//! Growing tables on another thread.
//!
//! To double a table means to touch memory for the first time and to move every entry: a
//! millisecond for a table of some ten thousand. So the thread that owns an index lends the table
//! out, notes what changes meanwhile in a small one, and goes on.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, unbounded};
use crossbeam::queue::SegQueue;

use super::table::Table;
use crate::engine::hash::IdHasher;

/// Tables that have grown, with the number of their shard.
pub(super) type Grown = Arc<SegQueue<(usize, Table)>>;

enum Job {
    /// Doubles a table that nobody changes.
    Double { shard: usize, table: Arc<Table>, hasher: IdHasher, to: Grown },
    /// Gives the memory of a table back, which takes time, too.
    Free(Arc<Table>),
}

/// Where an index sends its tables to be grown. At most one of each shard is under way.
#[derive(Debug, Clone)]
pub struct Growth(Sender<Job>);

/// The thread's side. It is over when all its [`Growth`]s are gone.
pub struct Grower(Receiver<Job>);

/// A pair of the two sides.
#[must_use]
pub fn growth() -> (Growth, Grower) {
    let (sender, receiver) = unbounded();
    (Growth(sender), Grower(receiver))
}

impl Grower {
    /// Does what is asked, until nobody can ask any more.
    pub fn run(self) {
        for job in self.0 {
            match job {
                Job::Double { shard, table, hasher, to } => {
                    let grown = table.doubled(hasher);
                    // The index shall be the last to hold it, and then send it to be freed here.
                    drop(table);
                    to.push((shard, grown));
                }
                Job::Free(table) => drop(table),
            }
        }
    }
}

impl Growth {
    /// Lends a table out to be doubled. False if there is no thread any more.
    pub(super) fn double(
        &self,
        shard: usize,
        table: &Arc<Table>,
        hasher: IdHasher,
        to: &Grown,
    ) -> bool {
        let job = Job::Double { shard, table: Arc::clone(table), hasher, to: Arc::clone(to) };
        self.0.send(job).is_ok()
    }

    pub(super) fn free(&self, table: Arc<Table>) {
        // Without the thread it is freed here.
        let _ = self.0.send(Job::Free(table));
    }
}
