//! What all kinds of work share.

use super::books::Books;
use super::crew::Crew;
use super::fair::Fair;
use super::hash::IdHasher;
use super::owners::Owners;
use super::past::Past;
use super::releases::Releases;
use super::scans::Scan;
use super::sequence::{Sequence, Tip};
use super::source::Source;
use super::stage::Stage;
use super::submission::Release;
use crate::ledger::{Capacity, Timestamp};
use crate::log::Layout;
use crate::wire::Reply;

/// What an engine starts from.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Where frames go.
    pub layout: Layout,
    /// Key of the id hashes: random in production, fixed in simulations.
    pub hash_key: u128,
    /// Accounts that may exist.
    pub accounts_max: u64,
    /// Holds that may be open.
    pub holds_max: u64,
    /// Bytes of the newest frames kept in memory.
    pub recent_bytes_max: u64,
    /// Bytes that accounts and holds may take at most: a capacity that needs more is refused.
    pub state_bytes_max: u64,
}

/// The parts of the engine that a kind of work may use: all but the queue in front of it.
///
/// Invariant: only the one piece of work that is being led changes any of them.
#[derive(Debug)]
pub(super) struct Parts<O> {
    /// The state, in the hands of its owners.
    pub(super) crew: Crew<O>,
    /// The order, and the frames that carry it.
    pub(super) sequence: Sequence,
    /// The log behind.
    pub(super) past: Past,
    /// Memory that is kept from batch to batch and means nothing between two.
    pub(super) stage: Stage,
    /// Searches through all accounts, which go on between batches.
    pub(super) scans: Fair<Scan>,
    /// The reading of the clock that came with the call under way.
    pub(super) now: Timestamp,
    /// Answers that wait for the log.
    pub(super) releases: Releases,
    /// How many there are of everything.
    pub(super) books: Books,
}

impl<O: Owners> Parts<O> {
    pub(super) fn new(owners: O, options: &EngineOptions, tip: Tip) -> Self {
        let EngineOptions { layout, hash_key, accounts_max, holds_max, .. } = *options;
        let partitions = owners.partitions();
        Self {
            crew: Crew::new(owners, IdHasher::new(hash_key)),
            sequence: Sequence::new(layout, tip),
            past: Past::new(options.recent_bytes_max),
            stage: Stage::new(partitions),
            scans: Fair::default(),
            now: Timestamp(0),
            releases: Releases::new(tip.op),
            books: Books::new(Capacity { accounts_max, holds_max }, options.state_bytes_max),
        }
    }

    pub(super) fn with_owners<P: Owners>(self, hand_over: impl FnOnce(O) -> P) -> Parts<P> {
        let Self { crew, sequence, past, stage, scans, now, releases, books } = self;
        let crew = crew.with_owners(hand_over);
        Parts { crew, sequence, past, stage, scans, now, releases, books }
    }

    /// The digest of the whole state before the batch that the owners have loaded.
    pub(super) fn digest_before(&self) -> u64 {
        self.crew.digest_before().wrapping_add(self.books.digest())
    }

    /// Answers once all that is ordered now is committed.
    pub(super) fn reply(&mut self, to: Source, reply: Reply) {
        let op = self.sequence.tip().op;
        self.releases.push(Release::Reply { to, op, reply });
    }
}
