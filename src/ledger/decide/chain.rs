//! Chains: a run of linked events and the one that closes it, created whole or not at all.

use crate::ledger::{CreateResult, CreateTransferStatus};

/// These three have the same number for accounts and for transfers.
const CREATED: u32 = CreateTransferStatus::Created.code();
const CHAIN_OPEN: u32 = CreateTransferStatus::LinkedEventChainOpen.code();
const FAILED: u32 = CreateTransferStatus::LinkedEventFailed.code();

/// One kind of event, to be decided one by one.
pub(super) trait Chained {
    /// Whether the event is linked to the next.
    fn is_linked(&self, at: usize) -> bool;
    /// The timestamp that belongs to the event's place in the batch.
    fn slot(&self, at: usize) -> u64;
    /// The result of the event if it is the exact repetition of one that was created.
    fn repeats(&self, at: usize) -> Option<CreateResult>;
    /// Decides the event and, if it is created, carries it out on the dense rows.
    fn decide(&mut self, at: usize) -> CreateResult;
    /// From now on remember what is overwritten.
    fn open_chain(&mut self);
    /// Forget what was overwritten.
    fn keep_chain(&mut self);
    /// Take back all since the chain was opened, but for burned ids.
    fn roll_back_chain(&mut self);
}

/// Decides the events of one request, which is where chains end at the latest.
pub(super) fn decide_request<T: Chained>(
    events: &mut T,
    range: std::ops::Range<usize>,
    results: &mut Vec<CreateResult>,
) {
    let mut at = range.start;
    while at < range.end {
        if events.is_linked(at) {
            let last = (at..range.end).find(|&member| !events.is_linked(member));
            decide_chain(events, at, last, range.end, results);
            at = last.map_or(range.end, |last| last + 1);
        } else {
            let result = events.decide(at);
            results.push(result);
            at += 1;
        }
    }
}

/// Decides a chain from `start` to `last`, or to the end of the request if nothing closes it.
fn decide_chain<T: Chained>(
    events: &mut T,
    start: usize,
    last: Option<usize>,
    request_end: usize,
    results: &mut Vec<CreateResult>,
) {
    let end = last.map_or(request_end, |last| last + 1);
    if last.is_some() && (start..end).all(|at| events.repeats(at).is_some()) {
        results.extend((start..end).filter_map(|at| events.repeats(at)));
        return;
    }
    let first_result = results.len();
    let mut broken = false;
    events.open_chain();
    for at in start..end {
        if last.is_none() && at + 1 == end {
            broken = true;
            fail_before(events, start, &mut results[first_result..], usize::MAX);
            results.push(refusal(events.slot(at), CHAIN_OPEN));
        } else if broken {
            results.push(refusal(events.slot(at), FAILED));
        } else {
            let result = events.decide(at);
            results.push(result);
            if result.status != CREATED {
                broken = true;
                fail_before(events, start, &mut results[first_result..], at);
            }
        }
    }
    if broken {
        events.roll_back_chain();
    } else {
        events.keep_chain();
    }
}

/// Marks the members that were created so far as failed with their chain.
fn fail_before<T: Chained>(events: &T, start: usize, results: &mut [CreateResult], culprit: usize) {
    for (offset, result) in results.iter_mut().enumerate() {
        if start + offset < culprit && result.status == CREATED {
            *result = refusal(events.slot(start + offset), FAILED);
        }
    }
}

const fn refusal(timestamp: u64, status: u32) -> CreateResult {
    CreateResult { timestamp, status, reserved: 0 }
}
