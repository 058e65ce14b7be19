//! What callers asked, what they were told, and whether that was true.

use super::auditor::Wrong;
use super::report::Count;
use super::state::{World, note};
use crate::client::{Answer, CallError, Completion, UnknownOutcome};
use crate::ledger::{Op, ResolveFlags, ResolveOutcome, ResolveResult};
use crate::wire::{Kind, Reply, Request};

/// One request of a caller, however often it was sent.
pub(super) struct CallRecord {
    pub(super) caller: usize,
    pub(super) request: Request,
    /// The highest op that anyone was told of before this was asked.
    floor: Op,
    /// How often the server took it in.
    pub(super) submitted: u64,
    /// Every answer to it that the server let go.
    pub(super) released: Vec<(Op, u64, Reply)>,
    verdict: Option<Verdict>,
    /// It settles an unknown outcome.
    settles: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Definite,
    Refused,
    Unknown,
}

impl CallRecord {
    pub(super) const fn new(caller: usize, request: Request, floor: Op, settles: bool) -> Self {
        Self { caller, request, floor, submitted: 0, released: Vec::new(), verdict: None, settles }
    }

    /// A write of which a caller was told that it has no effect.
    pub(super) fn was_refused(&self) -> bool {
        self.verdict == Some(Verdict::Refused) && self.request.is_write()
    }

    /// What this call has settled, if that is what it was for.
    fn settled(&self) -> &[ResolveResult] {
        let definite = self.settles && self.verdict == Some(Verdict::Definite);
        match self.released.last() {
            Some((_, _, Reply::ResolveResults(results))) if definite => results,
            _ => &[],
        }
    }
}

impl World {
    /// A session says what became of a call.
    pub(super) fn completed(
        &mut self,
        correlation: u64,
        completion: Completion,
    ) -> Result<(), Wrong> {
        note!(self, "call {correlation} ends: {completion:.200?}");
        let Some(record) = self.calls.get_mut(&correlation) else {
            return Err(format!("call {correlation} is completed and was never made"));
        };
        if record.verdict.is_some() {
            return Err(format!("call {correlation} is completed twice"));
        }
        let (verdict, count) = match &completion {
            Ok(_) => (Verdict::Definite, Count::Definite),
            Err(CallError::Refused(_)) => (Verdict::Refused, Count::Refused),
            Err(CallError::Unknown(_)) => (Verdict::Unknown, Count::Unknown),
        };
        record.verdict = Some(verdict);
        self.report.count(count);
        let caller = record.caller;
        self.callers[caller].open -= 1;
        self.open_calls -= 1;
        match completion {
            Ok(answer) => self.definite(correlation, &answer),
            Err(CallError::Refused(refusal)) => self.refused(correlation, &refusal.to_string()),
            Err(CallError::Unknown(unknown)) => {
                self.unknown(correlation, &unknown);
                Ok(())
            }
        }
    }

    fn definite(&mut self, correlation: u64, answer: &Answer<Reply>) -> Result<(), Wrong> {
        let Some(record) = self.calls.get_mut(&correlation) else { return Ok(()) };
        let Answer { op, epoch, value } = answer;
        let given = (*op, *epoch, value.clone());
        let Some(at) = record.released.iter().position(|released| *released == given) else {
            return Err(format!(
                "call {correlation} got an answer that was never given: {given:?}"
            ));
        };
        // What is told in the end stands last.
        record.released.truncate(at + 1);
        if *op < record.floor {
            let floor = record.floor.0;
            return Err(format!(
                "call {correlation} was made after op {floor} was known, and its answer is as of op {}",
                op.0
            ));
        }
        self.told = self.told.max(*op);
        match (&record.request, value) {
            (Request::CreateAccounts(events), Reply::CreateResults(results)) => {
                self.workload.note_accounts(events, results);
            }
            (Request::CreateTransfers(events), Reply::CreateResults(results)) => {
                self.workload.note_transfers(events, results);
            }
            (Request::ResolveTransfers { .. }, Reply::ResolveResults(results))
                if record.settles =>
            {
                let unknown = ResolveOutcome::Unknown as u32;
                if results.iter().any(|result| result.outcome == unknown) {
                    return Err(format!("call {correlation} fences, and leaves ids unknown"));
                }
                self.report.count(Count::Settled);
            }
            _ => {}
        }
        Ok(())
    }

    fn refused(&mut self, correlation: u64, why: &str) -> Result<(), Wrong> {
        let Some(record) = self.calls.get(&correlation) else { return Ok(()) };
        if record.was_refused() && record.submitted > 0 {
            return Err(format!(
                "call {correlation} is said to have had no effect ({why}), and was taken in"
            ));
        }
        if record.settles {
            let Request::ResolveTransfers { ids, .. } = &record.request else { return Ok(()) };
            let (caller, ids) = (record.caller, ids.clone());
            self.settle(caller, ids);
        }
        Ok(())
    }

    /// Nobody knows: so it is settled, for good.
    fn unknown(&mut self, correlation: u64, unknown: &UnknownOutcome) {
        let Some(record) = self.calls.get(&correlation) else { return };
        let caller = record.caller;
        if unknown.kind == Kind::CreateTransfers || record.settles {
            let possible = |id: &u128| *id != 0 && *id != u128::MAX;
            let ids: Vec<u128> = unknown.ids.iter().copied().filter(possible).collect();
            self.settle(caller, ids);
        }
    }

    fn settle(&mut self, caller: usize, ids: Vec<u128>) {
        if !ids.is_empty() {
            let request = Request::ResolveTransfers { ids, flags: ResolveFlags::FENCE };
            self.issue(caller, request, true);
        }
    }

    /// Holds everything that was settled against the last state.
    pub(super) fn check_settled(&self) -> Result<(), Wrong> {
        for (correlation, record) in &self.calls {
            let Request::ResolveTransfers { ids, .. } = &record.request else { continue };
            for (id, result) in ids.iter().zip(record.settled()) {
                let model = self.auditor.model();
                let ResolveResult { outcome, timestamp, .. } = *result;
                if !super::auditor::still_true(model, *id, outcome, timestamp) {
                    return Err(format!(
                        "call {correlation} settled id {id} as {outcome}, and it is not so"
                    ));
                }
            }
        }
        Ok(())
    }
}
