//! Answers that wait for the log.

use std::collections::VecDeque;

use super::submission::Release;
use crate::ledger::Op;

/// Answers in the order of their ops.
///
/// Invariant: nothing comes out whose op is not committed, and `committed` never goes back.
#[derive(Debug)]
pub(super) struct Releases {
    waiting: VecDeque<Release>,
    committed: Op,
}

impl Releases {
    pub(super) const fn new(committed: Op) -> Self {
        Self { waiting: VecDeque::new(), committed }
    }

    pub(super) fn push(&mut self, release: Release) {
        let last = self.waiting.back().map_or(self.committed, Release::op);
        assert!(
            release.op() >= last.min(self.committed),
            "answers are given in the order of their ops"
        );
        self.waiting.push_back(release);
    }

    /// The next answer whose op is committed.
    pub(super) fn poll(&mut self) -> Option<Release> {
        let op = self.waiting.front()?.op();
        if op > self.committed {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Everything up to `op` is committed.
    pub(super) fn commit(&mut self, op: Op) {
        assert!(op >= self.committed, "what is committed stays so");
        self.committed = op;
    }

    pub(super) const fn committed(&self) -> Op {
        self.committed
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
