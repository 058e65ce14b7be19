//! New accounts.

use super::batch::Batch;
use super::verbs::{Cold, Kind, Logged, Next};
use crate::engine::batch_ids::BatchIds;
use crate::engine::order::Waiting;
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::ledger::decide::{AccountOperand, BatchClock};
use crate::ledger::{Account, AccountFlags, CreateAccountStatus as Status, CreateResult, digest};
use crate::log::{Frame, FrameKind, FrameView, Refusal};
use crate::wire::{Reply, Request};

/// A batch of `create_accounts`.
#[derive(Debug)]
pub(in crate::engine) struct Accounts {
    batch: Batch<Account>,
    /// What is known of each event, once the owners have answered.
    operands: Vec<AccountOperand>,
    /// One for each event, once decided.
    results: Vec<CreateResult>,
}

impl Accounts {
    pub(super) const fn new(batch: Batch<Account>) -> Self {
        Self { batch, operands: Vec::new(), results: Vec::new() }
    }

    fn merge_answers<O: Owners>(&mut self, parts: &mut Parts<O>) {
        self.operands.resize(self.batch.events.len(), AccountOperand::default());
        for (_, answer) in parts.crew.answers.drain(..) {
            if let Answer::Accounts(found) = answer {
                for (tag, account) in found {
                    self.operands[tag as usize].stored = Some(account);
                }
            }
        }
        let mut ids = BatchIds::default();
        ids.start(self.batch.events.len());
        let hasher = parts.crew.hasher();
        for (at, event) in (0_u32..).zip(&self.batch.events) {
            let first = ids.note_event(hasher.hash(event.id), event.id, at);
            self.operands[at as usize].first = first;
        }
    }

    /// Notes which of the timestamps that callers give belong to transfers. Gives the events for which
    /// old records have to be loaded first.
    fn check_timestamps<O: Owners>(&mut self, parts: &Parts<O>) -> Vec<Cold> {
        let mut cold = Vec::new();
        let newest_account = parts.sequence.newest_account;
        for (at, (event, operand)) in self.batch.events.iter().zip(&mut self.operands).enumerate() {
            // Others are refused anyway, or exist.
            let matters = operand.stored.is_none() && event.timestamp > newest_account;
            if event.has(AccountFlags::IMPORTED) && matters {
                match parts.past.created_at(event.timestamp) {
                    Ok(taken) => operand.timestamp_taken = taken,
                    Err(load) => cold.push(Cold { event: at, load }),
                }
            }
        }
        cold
    }
}

impl Kind for Accounts {
    /// Asks the owners for the accounts that exist already.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        let crew = &mut parts.crew;
        self.operands.clear();
        let mut probes = vec![Vec::new(); crew.count()];
        for (tag, event) in (0_u32..).zip(&self.batch.events) {
            let (owner, probe) = crew.probe(event.id, tag);
            probes[owner].push(probe);
        }
        crew.send_loads();
        for (owner, probes) in probes.into_iter().enumerate() {
            crew.ask(owner, Read::Accounts(probes));
        }
    }

    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        parts.sequence.next_expiry = parts.crew.next_expiry();
        if self.operands.is_empty() {
            self.merge_answers(parts);
        }
        let cold = self.check_timestamps(parts);
        if !cold.is_empty() {
            return Next::Cold(cold);
        }
        assert_eq!(self.operands.len(), self.batch.events.len(), "every event has its operand");
        let newest = parts.sequence.newest_account;
        let mut clock = BatchClock { base: self.batch.base.0, newest };
        let decider = &mut parts.stage.accounts;
        decider.start(self.batch.events.len());
        let Self { batch, operands, results } = self;
        for (_, range) in batch.ranges() {
            decider.decide_request(&batch.events, operands, range, &mut clock, results);
        }
        assert!(clock.newest >= newest, "accounts are created in the order of their timestamps");
        assert_eq!(self.results.len(), self.batch.events.len(), "every event has its result");
        parts.sequence.newest_account = clock.newest;
        Next::Decided
    }

    fn answer<O: Owners>(mut self, parts: &mut Parts<O>) {
        self.batch.answer(parts, &mut self.results, Reply::CreateResults);
    }
}

impl Logged for Accounts {
    const FRAME: FrameKind = FrameKind::CreateAccounts;

    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame {
        let state_digest = parts.digest_before();
        let Parts { crew, sequence, books, .. } = parts;
        let builder = sequence.start(Self::FRAME, self.batch.base);
        let results = &self.results;
        for (index, (event, result)) in (0_u32..).zip(self.batch.events.iter().zip(results)) {
            if result.status == Status::Created.code() {
                let account = Account { timestamp: result.timestamp, ..*event };
                builder.push_account(&account);
                let (hash, owner) = crew.locate(account.id);
                crew.work(owner).created_accounts.push((account, hash));
                books.counts.accounts += 1;
            } else {
                builder.push_account(event);
                builder.push_refusal(Refusal { index, status: result.status });
                books.counts.refused += 1;
            }
        }
        self.batch.push_requests(builder);
        books.counts.batches += 1;
        sequence.finish(self.batch.last(), digest::outcomes(&self.results), state_digest)
    }

    fn read_back(frame: &FrameView<'_>) -> Self {
        let mut refusals = frame.refusals().iter().peekable();
        let events = (0_u32..)
            .zip(frame.accounts())
            .map(|(index, account)| {
                let refused = refusals.next_if(|refusal| refusal.index == index).is_some();
                let keep = refused || account.has(AccountFlags::IMPORTED);
                Account { timestamp: if keep { account.timestamp } else { 0 }, ..*account }
            })
            .collect();
        assert!(refusals.peek().is_none(), "refusals stand in the order of the events");
        Self::new(Batch::read_back(frame, events))
    }

    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        self.batch.take_out(cold, Request::CreateAccounts)
    }

    fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }
}
