//! Owners that keep the books beside the engine: for every ledger, debits must equal credits.

use std::collections::BTreeMap;

use super::owners::{Inline, Job, Owners};

/// The sums of one ledger's counters, modulo 2^128.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialBalance {
    /// In minor units.
    pub debits_pending: u128,
    /// In minor units.
    pub debits_posted: u128,
    /// In minor units.
    pub credits_pending: u128,
    /// In minor units.
    pub credits_posted: u128,
}

impl TrialBalance {
    /// Whether debits equal credits.
    #[must_use]
    pub const fn is_even(&self) -> bool {
        self.debits_pending == self.credits_pending && self.debits_posted == self.credits_posted
    }
}

/// Partitions in line whose every change of a row is added up by ledger.
#[derive(Debug)]
pub struct Audited {
    inline: Inline,
    ledgers: BTreeMap<u32, TrialBalance>,
}

impl Audited {
    /// Keeps the books of these partitions, which must be empty.
    #[must_use]
    pub const fn new(inline: Inline) -> Self {
        Self { inline, ledgers: BTreeMap::new() }
    }

    /// The sums of each ledger.
    #[must_use]
    pub const fn ledgers(&self) -> &BTreeMap<u32, TrialBalance> {
        &self.ledgers
    }

    /// A ledger whose debits differ from its credits, if there is one.
    #[must_use]
    pub fn uneven(&self) -> Option<(u32, TrialBalance)> {
        let mut ledgers = self.ledgers.iter();
        ledgers.find(|(_, balance)| !balance.is_even()).map(|(&ledger, &balance)| (ledger, balance))
    }
}

impl Owners for Audited {
    fn partitions(&self) -> usize {
        Owners::partitions(&self.inline)
    }

    fn send(&mut self, owner: usize, job: Job) {
        if let Job::Apply(work) = &job {
            let partition = &self.inline.partitions()[owner];
            assert_eq!(work.slots.len(), work.rows.len(), "every row knows its slot");
            for (&slot, after) in work.slots.iter().zip(&work.rows) {
                let before = partition.row(slot);
                let sums = self.ledgers.entry(after.ledger).or_default();
                for (sum, before, after) in [
                    (&mut sums.debits_pending, before.debits_pending, after.debits_pending),
                    (&mut sums.debits_posted, before.debits_posted, after.debits_posted),
                    (&mut sums.credits_pending, before.credits_pending, after.credits_pending),
                    (&mut sums.credits_posted, before.credits_posted, after.credits_posted),
                ] {
                    *sum = sum.wrapping_sub(before).wrapping_add(after);
                }
            }
        }
        self.inline.send(owner, job);
    }

    fn receive(&mut self) -> Option<(usize, Job)> {
        self.inline.receive()
    }

    fn accept(&mut self, owner: usize, job: Job) {
        self.inline.accept(owner, job);
    }
}
