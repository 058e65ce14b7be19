//! The engine: one global order, partitioned state, answers only from what is committed.
//!
//! A batch goes through order, resolve and load (its owners copy what it names into dense rows),
//! decide (`ledger::decide`, serial, in the order of the batch), the building of its log frame,
//! and apply. The owners of the partitions are reached through [`Owners`]: in line on one core, or
//! by queues on many, with the same code and the same results.

mod audit;
mod batch_ids;
mod books;
mod core;
mod crew;
mod fair;
mod hash;
mod holds;
mod index;
mod kinds;
mod known;
mod order;
mod owners;
mod partition;
mod parts;
mod past;
mod query;
mod releases;
mod replay;
mod scans;
mod sequence;
mod slots;
mod source;
mod stage;
mod stored;
mod submission;
mod table;
#[cfg(test)]
mod tests;
mod turn;
mod work;

pub use audit::{Audited, TrialBalance};
pub use books::EngineCounts;
pub use core::Engine;
pub use fair::Fair;
pub use hash::IdHasher;
pub use index::{Grower, Growth, IdIndex, growth};
pub use known::Known;
pub use owners::{Answer, Inline, Job, Owners, Read, perform};
pub use partition::Partition;
pub use parts::EngineOptions;
pub use past::{Found, Load, Loaded, Records};
pub use query::{
    Answered, CommittedLog, LongRead, Queries, Reading, Resolved, Scanned, run as run_query,
};
pub use replay::ReplayError;
pub use scans::ScanCursor;
pub use sequence::Tip;
pub use source::Source;
pub use stored::{StoredLog, balance_of, created, created_in, visit_frame};
pub use submission::{Polled, Release, Submission};
pub use turn::Permit;
pub use work::{Probe, Work};
