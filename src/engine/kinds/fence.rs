//! Fences: ids that were never seen never can be.

use super::batch::Batch;
use super::verbs::{Cold, Kind, Logged, Next};
use crate::engine::known::Known;
use crate::engine::order::Waiting;
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::ledger::{ResolveFlags, ResolveOutcome, ResolveResult, digest};
use crate::log::{Frame, FrameKind, FrameView, Position};
use crate::wire::{Reply, Request};

/// A batch of `resolve_transfers` with `fence`.
#[derive(Debug)]
pub(in crate::engine) struct Fences {
    batch: Batch<u128>,
    /// One for each id, once decided.
    results: Vec<ResolveResult>,
}

impl Fences {
    pub(super) const fn new(batch: Batch<u128>) -> Self {
        Self { batch, results: Vec::new() }
    }
}

impl Kind for Fences {
    /// Asks the owners what they know of the ids.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        for (tag, &id) in (0_u32..).zip(&self.batch.events) {
            let (owner, probe) = parts.crew.probe(id, tag);
            parts.crew.work(owner).ids.push(probe);
        }
        parts.crew.send_loads();
    }

    /// Fences what is unknown.
    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        parts.sequence.next_expiry = parts.crew.next_expiry();
        let mut known = vec![None; self.batch.events.len()];
        for work in parts.crew.works.iter().flatten() {
            assert_eq!(work.ids.len(), work.id_answers.len(), "every id is answered");
            for (probe, answer) in work.ids.iter().zip(&work.id_answers) {
                known[probe.tag as usize] = answer.known.map(Known::unpack);
            }
        }
        let mut cold = Vec::new();
        self.results.clear();
        for (event, known) in known.iter().enumerate() {
            let known = known.unwrap_or(Known::Fenced);
            match resolve(known, |position| parts.past.transfer(position).map(|t| t.timestamp)) {
                Ok(result) => self.results.push(result),
                Err(load) => cold.push(Cold { event, load }),
            }
        }
        if !cold.is_empty() {
            return Next::Cold(cold);
        }
        assert_eq!(self.results.len(), self.batch.events.len(), "every id has its result");
        for (&id, known) in self.batch.events.iter().zip(known) {
            if known.is_none() {
                let (hash, owner) = parts.crew.locate(id);
                parts.crew.work(owner).sets.push((id, hash, Known::Fenced.pack()));
            }
        }
        Next::Decided
    }

    fn answer<O: Owners>(mut self, parts: &mut Parts<O>) {
        self.batch.answer(parts, &mut self.results, Reply::ResolveResults);
    }
}

impl Logged for Fences {
    const FRAME: FrameKind = FrameKind::Fence;

    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame {
        let state_digest = parts.digest_before();
        let Parts { sequence, books, .. } = parts;
        let builder = sequence.start(Self::FRAME, self.batch.base);
        for &id in &self.batch.events {
            builder.push_id(id);
        }
        self.batch.push_requests(builder);
        let outcome = |result: &ResolveResult| {
            u128::from(result.timestamp) << 64 | u128::from(result.outcome)
        };
        let outcomes: Vec<u128> = self.results.iter().map(outcome).collect();
        books.counts.batches += 1;
        // A fence uses no timestamp up.
        sequence.finish(self.batch.base, digest::ids(&outcomes), state_digest)
    }

    fn read_back(frame: &FrameView<'_>) -> Self {
        Self::new(Batch::read_back(frame, frame.ids().to_vec()))
    }

    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        let request = |ids| Request::ResolveTransfers { ids, flags: ResolveFlags::FENCE };
        self.batch.take_out(cold, request)
    }

    fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }
}

/// What to answer about an id of which that is known.
///
/// # Errors
/// What `timestamp_of` needs first.
fn resolve(
    known: Known,
    timestamp_of: impl FnOnce(Position) -> Result<u64, Load>,
) -> Result<ResolveResult, Load> {
    let (outcome, timestamp) = match known {
        Known::Burned => (ResolveOutcome::Failed, 0),
        Known::Fenced => (ResolveOutcome::Fenced, 0),
        Known::Created { position, .. } => {
            (ResolveOutcome::Created, timestamp_of(Position(position))?)
        }
    };
    Ok(ResolveResult { timestamp, outcome: outcome as u32, reserved: 0 })
}
