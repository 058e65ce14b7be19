//! Leading a batch of new accounts through the owners.

use super::batch::{AccountBatch, ranges};
use super::batch_ids::BatchIds;
use super::core::{Activity, Engine, Records};
use super::owners::{Answer, Owners, Read};
use crate::ledger::decide::{AccountOperand, BatchClock};
use crate::ledger::{
    Account, AccountFlags, CreateAccountStatus as Status, CreateResult, Timestamp, digest,
};
use crate::log::{Frame, FrameKind, RecordError, Refusal};
use crate::wire::Reply;

impl<O: Owners, R: Records> Engine<O, R> {
    /// Asks the owners for the accounts that exist already.
    pub(super) fn begin_accounts(&mut self, batch: AccountBatch) {
        let mut probes = vec![Vec::new(); self.works.len()];
        for (tag, event) in (0_u32..).zip(&batch.events) {
            let (owner, probe) = self.probe(event.id, tag);
            probes[owner].push(probe);
        }
        self.send_loads();
        for (owner, probes) in probes.into_iter().enumerate() {
            self.ask(owner, Read::Accounts(probes));
        }
        self.start(Activity::Accounts(batch));
    }

    /// Decides the batch, all answers being there.
    pub(super) fn advance_accounts(
        &mut self,
        batch: AccountBatch,
    ) -> Result<Option<Frame>, RecordError> {
        self.note_expiries();
        let operands = self.account_operands(&batch)?;
        let mut clock = BatchClock { base: batch.base.0, newest: self.newest_account };
        let mut results = Vec::with_capacity(batch.events.len());
        self.account_decider.start(batch.events.len());
        for (_, range) in ranges(&batch.members) {
            let decider = &mut self.account_decider;
            decider.decide_request(&batch.events, &operands, range, &mut clock, &mut results);
        }
        self.newest_account = clock.newest;
        let frame = self.write_accounts(&batch, &results);
        self.send_applies();
        for (source, range) in ranges(&batch.members) {
            if let Some(source) = source {
                self.reply(source, Reply::CreateResults(results[range].to_vec()));
            }
        }
        Ok(Some(frame))
    }

    fn account_operands(
        &mut self,
        batch: &AccountBatch,
    ) -> Result<Vec<AccountOperand>, RecordError> {
        let mut operands = vec![AccountOperand::default(); batch.events.len()];
        for (_, answer) in self.answers.drain(..) {
            if let Answer::Accounts(found) = answer {
                for (tag, account) in found {
                    operands[tag as usize].stored = Some(account);
                }
            }
        }
        let mut ids = BatchIds::default();
        ids.start(batch.events.len());
        for (at, event) in (0_u32..).zip(&batch.events) {
            let operand = &mut operands[at as usize];
            operand.first = ids.note_event(self.hasher.hash(event.id), event.id, at);
            // Others are refused anyway, or exist.
            let matters = operand.stored.is_none() && event.timestamp > self.newest_account;
            if event.has(AccountFlags::IMPORTED) && matters {
                operand.timestamp_taken = self.transfer_created_at(event.timestamp)?;
            }
        }
        Ok(operands)
    }

    /// Whether a transfer has exactly that timestamp.
    fn transfer_created_at(&mut self, timestamp: u64) -> Result<bool, RecordError> {
        let frames = &self.transfer_frames;
        let after = frames.partition_point(|&(newest, _)| newest < timestamp);
        let Some(&(newest, position)) = frames.get(after) else { return Ok(false) };
        if newest == timestamp {
            return Ok(true);
        }
        if let Some(frame) = self.recent.containing(position) {
            let mut entries = frame.transfers().iter();
            let created = entries.any(|entry| {
                entry.transfer.timestamp == timestamp && !frame.is_refused(entry.index())
            });
            return Ok(created);
        }
        self.records.created_at(position, timestamp)
    }

    fn write_accounts(&mut self, batch: &AccountBatch, results: &[CreateResult]) -> Frame {
        let state_digest = self.digest_before();
        self.start_frame(FrameKind::CreateAccounts, batch.base);
        for (index, (event, result)) in (0_u32..).zip(batch.events.iter().zip(results)) {
            if result.status == Status::Created.code() {
                let account = Account { timestamp: result.timestamp, ..*event };
                self.builder().push_account(&account);
                let (hash, owner) = self.locate(account.id);
                self.work(owner).created_accounts.push((account, hash));
                self.counts.accounts += 1;
            } else {
                self.builder().push_account(event);
                self.builder().push_refusal(Refusal { index, status: result.status });
                self.counts.refused += 1;
            }
        }
        for member in &batch.members {
            let events = u32::try_from(member.events).unwrap_or(u32::MAX);
            self.builder().push_request(events);
        }
        let last = Timestamp(batch.base.0 + batch.events.len() as u64);
        self.finish_frame(last, digest::outcomes(results), state_digest)
    }
}
