//! Leading a batch of fences through the owners: ids that were never seen never can be.

use super::batch::{FenceBatch, ranges};
use super::core::{Activity, Engine, Records};
use super::known::Known;
use super::owners::Owners;
use crate::ledger::{ResolveOutcome, ResolveResult, digest};
use crate::log::{Frame, FrameKind, RecordError};
use crate::wire::Reply;

impl<O: Owners, R: Records> Engine<O, R> {
    /// Asks the owners what they know of the ids.
    pub(super) fn begin_fence(&mut self, batch: FenceBatch) {
        for (tag, &id) in (0_u32..).zip(&batch.ids) {
            let (owner, probe) = self.probe(id, tag);
            self.work(owner).ids.push(probe);
        }
        self.send_loads();
        self.start(Activity::Fence(batch));
    }

    /// Fences what is unknown, all answers being there.
    pub(super) fn advance_fence(
        &mut self,
        batch: FenceBatch,
    ) -> Result<Option<Frame>, RecordError> {
        self.note_expiries();
        let mut known = vec![None; batch.ids.len()];
        for owner in 0..self.works.len() {
            let work = self.work(owner);
            for (probe, answer) in work.ids.iter().zip(&work.id_answers) {
                known[probe.tag as usize] = answer.known.map(Known::unpack);
            }
        }
        let mut results = Vec::with_capacity(batch.ids.len());
        for (&id, known) in batch.ids.iter().zip(known) {
            if known.is_none() {
                let (hash, owner) = self.locate(id);
                self.work(owner).sets.push((id, hash, Known::Fenced.pack()));
            }
            results.push(self.resolve(known.or(Some(Known::Fenced)))?);
        }
        let frame = self.write_fence(&batch, &results);
        self.send_applies();
        for (source, range) in ranges(&batch.members) {
            if let Some(source) = source {
                self.reply(source, Reply::ResolveResults(results[range].to_vec()));
            }
        }
        Ok(Some(frame))
    }

    /// What to answer about an id of which that is known.
    pub(super) fn resolve(&mut self, known: Option<Known>) -> Result<ResolveResult, RecordError> {
        let (outcome, timestamp) = match known {
            None => (ResolveOutcome::Unknown, 0),
            Some(Known::Burned) => (ResolveOutcome::Failed, 0),
            Some(Known::Fenced) => (ResolveOutcome::Fenced, 0),
            Some(Known::Created { position, .. }) => {
                (ResolveOutcome::Created, self.fetch(position)?.timestamp)
            }
        };
        Ok(ResolveResult { timestamp, outcome: outcome as u32, reserved: 0 })
    }

    fn write_fence(&mut self, batch: &FenceBatch, results: &[ResolveResult]) -> Frame {
        let state_digest = self.digest_before();
        self.start_frame(FrameKind::Fence, batch.base);
        for &id in &batch.ids {
            self.builder().push_id(id);
        }
        for member in &batch.members {
            let events = u32::try_from(member.events).unwrap_or(u32::MAX);
            self.builder().push_request(events);
        }
        let outcomes = results
            .iter()
            .map(|result| u128::from(result.timestamp) << 64 | u128::from(result.outcome));
        let outcome_digest = digest::ids(&outcomes.collect::<Vec<_>>());
        self.finish_frame(batch.base, outcome_digest, state_digest)
    }
}
