//! Expiry: holds that have ended are released, in order.

use super::verbs::{Cold, Kind, Logged, Next};
use crate::engine::holds::expiry_key;
use crate::engine::order::Waiting;
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::engine::work::NO_ROW;
use crate::ledger::decide::{DenseRow, HoldState};
use crate::ledger::{AccountFlags, Timestamp, Transfer, TransferFlags, digest};
use crate::limits::EXPIRIES_PER_BATCH_MAX;
use crate::log::{Frame, FrameKind, FrameView};

/// An expiry under way.
#[derive(Debug)]
pub(in crate::engine) struct Expiry {
    base: Timestamp,
    /// The holds to release, in the order of their ends, once the owners have named them.
    holds: Option<Vec<Transfer>>,
}

impl Expiry {
    pub(super) const fn new(base: Timestamp) -> Self {
        Self { base, holds: None }
    }

    /// Asks for the accounts of the holds that the owners named.
    fn ask_for_accounts<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        let mut holds = Vec::new();
        parts.sequence.next_expiry = None;
        for (_, answer) in parts.crew.answers.drain(..) {
            if let Answer::Expired(ended, next) = answer {
                holds.extend(ended);
                if let Some(next) = next {
                    parts.sequence.note_expiry(next);
                }
            }
        }
        if holds.is_empty() {
            return Next::Nothing;
        }
        holds.sort_by_key(expiry_key);
        holds.truncate(EXPIRIES_PER_BATCH_MAX);
        for (hold, tag) in holds.iter().zip((0_u32..).step_by(2)) {
            assert!(
                expiry_key(hold).is_some_and(|(at, _)| at <= self.base.0),
                "only holds that have ended are released"
            );
            for (id, side) in [(hold.debit_account_id, 0), (hold.credit_account_id, 1)] {
                let (owner, probe) = parts.crew.probe(id, tag + side);
                parts.crew.work(owner).accounts.push(probe);
            }
        }
        parts.crew.send_loads();
        self.holds = Some(holds);
        Next::Asked
    }

    fn holds(&self) -> &[Transfer] {
        self.holds.as_deref().unwrap_or_default()
    }
}

impl Kind for Expiry {
    /// Asks the owners which holds have ended.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        for owner in 0..parts.crew.count() {
            parts.crew.ask(owner, Read::Expired(self.base));
        }
    }

    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        let Some(holds) = &self.holds else { return self.ask_for_accounts(parts) };
        for work in parts.crew.works.iter_mut().flatten() {
            for (probe, &place) in work.accounts.iter().zip(&work.account_places) {
                assert!(place != NO_ROW, "the accounts of a hold exist");
                let hold = &holds[(probe.tag >> 1) as usize];
                release_side(&mut work.rows[place as usize], hold, probe.tag & 1 == 1);
            }
        }
        Next::Decided
    }

    /// Nobody asked.
    fn answer<O: Owners>(self, parts: &mut Parts<O>) {
        // The owners know of later ends; they will be asked again at once, in case there are more.
        parts.sequence.next_expiry = Some(self.base);
    }
}

impl Logged for Expiry {
    const FRAME: FrameKind = FrameKind::Expire;

    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame {
        let state_digest = parts.digest_before();
        let Parts { crew, sequence, books, .. } = parts;
        let builder = sequence.start(Self::FRAME, self.base);
        let ids: Vec<u128> = self.holds().iter().map(|hold| hold.id).collect();
        for &id in &ids {
            builder.push_id(id);
            let (hash, owner) = crew.locate(id);
            crew.work(owner).closed.push((id, hash, HoldState::Expired));
        }
        let released = ids.len() as u64;
        assert!(books.counts.holds >= released, "a hold that is released was open");
        books.counts.holds -= released;
        books.counts.batches += 1;
        sequence.finish(self.base, digest::ids(&ids), state_digest)
    }

    fn read_back(frame: &FrameView<'_>) -> Self {
        Self::new(frame.header().timestamp)
    }

    fn take_out(&mut self, _: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        unreachable!("open holds are in memory")
    }

    fn is_empty(&self) -> bool {
        self.holds.as_ref().is_some_and(Vec::is_empty)
    }
}

fn release_side(row: &mut DenseRow, hold: &Transfer, credited: bool) {
    let (pending, closing) = if credited {
        (&mut row.credits_pending, TransferFlags::CLOSING_CREDIT)
    } else {
        (&mut row.debits_pending, TransferFlags::CLOSING_DEBIT)
    };
    assert!(*pending >= hold.amount, "what a hold reserves is pending until it is released");
    *pending -= hold.amount;
    if hold.has(closing) {
        row.flags &= !AccountFlags::CLOSED;
    }
}
