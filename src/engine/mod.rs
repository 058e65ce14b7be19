//! The engine: one global order, partitioned state, answers only from what is committed.
//!
//! A batch goes through order, resolve and load (its owners copy what it names into dense rows),
//! decide (`ledger::decide`, serial, in the order of the batch), the building of its log frame,
//! and apply. The owners of the partitions are reached through [`Owners`]: in line on one core, or
//! by queues on many, with the same code and the same results.

mod accounts;
mod audit;
mod batch;
mod batch_ids;
mod core;
mod expiry;
mod fence;
mod hash;
mod holds;
mod index;
mod known;
mod order;
mod owners;
mod partition;
mod query;
mod reads;
mod recent;
mod replay;
mod slots;
mod stored;
mod submission;
mod table;
mod transfers;
mod turn;
mod work;

pub use audit::{Audited, TrialBalance};
pub use core::{Engine, EngineCounts, EngineOptions, LogEnd, Records};
pub use hash::IdHasher;
pub use index::{Grower, Growth, IdIndex, growth};
pub use known::Known;
pub use owners::{Answer, Inline, Job, Owners, Read, perform};
pub use partition::Partition;
pub use query::{CommittedLog, LongRead, Scanned, run as run_query};
pub use replay::ReplayError;
pub use stored::{StoredLog, balance_of, created, visit_frame};
pub use submission::{Release, Source, Submission};
pub use turn::Permit;
pub use work::{Probe, Work};
