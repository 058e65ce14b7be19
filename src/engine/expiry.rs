//! Leading an expiry through the owners: holds that have ended are released, in order.

use super::core::{Activity, Engine, Records};
use super::holds::expiry_key;
use super::owners::{Answer, Owners, Read};
use super::work::NO_ROW;
use crate::ledger::decide::{DenseRow, HoldState};
use crate::ledger::{AccountFlags, Timestamp, Transfer, TransferFlags, digest};
use crate::limits::EXPIRIES_PER_BATCH_MAX;
use crate::log::{Frame, FrameKind};

/// An expiry under way.
#[derive(Debug)]
pub(super) struct ExpiryBatch {
    base: Timestamp,
    /// The holds to release, once the owners have named them.
    holds: Option<Vec<Transfer>>,
}

impl<O: Owners, R: Records> Engine<O, R> {
    /// Asks the owners which holds have ended by `base`.
    pub(super) fn begin_expiry(&mut self, base: Timestamp) {
        for owner in 0..self.works.len() {
            self.ask(owner, Read::Expired(base));
        }
        self.start(Activity::Expiry(ExpiryBatch { base, holds: None }));
    }

    /// Goes on with an expiry for which all awaited answers are there.
    pub(super) fn advance_expiry(&mut self, mut batch: ExpiryBatch) -> Option<Frame> {
        let Some(holds) = batch.holds.take() else {
            self.ask_for_accounts_of_expired(batch.base);
            return None;
        };
        let state_digest = self.digest_before();
        self.release_all(&holds);
        self.start_frame(FrameKind::Expire, batch.base);
        let mut ids = Vec::with_capacity(holds.len());
        for hold in &holds {
            self.builder().push_id(hold.id);
            let (hash, owner) = self.locate(hold.id);
            self.work(owner).closed.push((hold.id, hash, HoldState::Expired));
            ids.push(hold.id);
        }
        self.counts.holds -= holds.len() as u64;
        let frame = self.finish_frame(batch.base, digest::ids(&ids), state_digest);
        self.send_applies();
        // The owners know of later ones; they will be asked again when the next one is due.
        self.next_expiry = Some(batch.base);
        Some(frame)
    }

    fn ask_for_accounts_of_expired(&mut self, base: Timestamp) {
        let mut holds = Vec::new();
        self.next_expiry = None;
        for (_, answer) in self.answers.drain(..) {
            if let Answer::Expired(ended, next) = answer {
                holds.extend(ended);
                self.next_expiry = self.next_expiry.into_iter().chain(next).min();
            }
        }
        if holds.is_empty() {
            return;
        }
        holds.sort_by_key(expiry_key);
        holds.truncate(EXPIRIES_PER_BATCH_MAX);
        for (hold, tag) in holds.iter().zip((0_u32..).step_by(2)) {
            for (id, side) in [(hold.debit_account_id, 0), (hold.credit_account_id, 1)] {
                let (owner, probe) = self.probe(id, tag + side);
                self.work(owner).accounts.push(probe);
            }
        }
        self.send_loads();
        self.start(Activity::Expiry(ExpiryBatch { base, holds: Some(holds) }));
    }

    fn release_all(&mut self, holds: &[Transfer]) {
        for work in self.works.iter_mut().flatten() {
            for (probe, &place) in work.accounts.iter().zip(&work.account_places) {
                assert!(place != NO_ROW, "the accounts of a hold exist");
                let hold = &holds[(probe.tag >> 1) as usize];
                release_side(&mut work.rows[place as usize], hold, probe.tag & 1 == 1);
            }
        }
    }
}

fn release_side(row: &mut DenseRow, hold: &Transfer, credited: bool) {
    let closing = if credited {
        row.credits_pending -= hold.amount;
        TransferFlags::CLOSING_CREDIT
    } else {
        row.debits_pending -= hold.amount;
        TransferFlags::CLOSING_DEBIT
    };
    if hold.has(closing) {
        row.flags &= !AccountFlags::CLOSED;
    }
}
