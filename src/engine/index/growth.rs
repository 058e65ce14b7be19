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

impl Job {
    fn perform(self) {
        match self {
            Self::Double { shard, table, hasher, to } => {
                let grown = table.doubled(hasher);
                assert_eq!(grown.used(), table.used(), "a table grows without losing anything");
                // The index shall be the last to hold it, and then send it to be freed here.
                drop(table);
                to.push((shard, grown));
            }
            Self::Free(table) => drop(table),
        }
    }
}

/// Where an index sends its tables to be grown. At most one of each shard is under way.
#[derive(Debug, Clone)]
pub struct Growth {
    jobs: Sender<Job>,
    places_min: usize,
}

/// The thread's side. It is over when all its [`Growth`]s are gone.
pub struct Grower(Receiver<Job>);

/// A pair of the two sides. Tables of fewer places than `places_min` grow where they are.
#[must_use]
pub fn growth(places_min: usize) -> (Growth, Grower) {
    let (jobs, receiver) = unbounded();
    (Growth { jobs, places_min }, Grower(receiver))
}

impl Grower {
    /// Does what is asked, until nobody can ask any more.
    pub fn run(self) {
        self.0.into_iter().for_each(Job::perform);
    }

    /// Does one thing of what has been asked. Whether there was anything.
    #[must_use]
    pub fn step(&self) -> bool {
        self.0.try_recv().map(Job::perform).is_ok()
    }
}

impl Growth {
    pub(super) const fn places_min(&self) -> usize {
        self.places_min
    }

    /// Lends a table out to be doubled. False if there is no thread any more.
    pub(super) fn double(
        &self,
        shard: usize,
        table: &Arc<Table>,
        hasher: IdHasher,
        to: &Grown,
    ) -> bool {
        let job = Job::Double { shard, table: Arc::clone(table), hasher, to: Arc::clone(to) };
        self.jobs.send(job).is_ok()
    }

    pub(super) fn free(&self, table: Arc<Table>) {
        // Without the thread it is freed here.
        let _ = self.jobs.send(Job::Free(table));
    }
}
