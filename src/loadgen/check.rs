//! After the measurement: the server's balances are those of the acknowledged transfers, exactly.

use super::journal::{Answer, Journal};
use super::workload::{Effect, Event, Workload};
use crate::io::{to_u64, to_usize};
use crate::ledger::Account;

/// The four counters of an account. 64 bits hold all that a run can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    pub(crate) debits_pending: u64,
    pub(crate) debits_posted: u64,
    pub(crate) credits_pending: u64,
    pub(crate) credits_posted: u64,
}

impl Counters {
    /// Those of a record; a counter beyond 64 bits reads as the largest value and so disagrees.
    pub(crate) fn of(account: &Account) -> Self {
        let narrow = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
        Self {
            debits_pending: narrow(account.debits_pending),
            debits_posted: narrow(account.debits_posted),
            credits_pending: narrow(account.credits_pending),
            credits_posted: narrow(account.credits_posted),
        }
    }
}

/// An account that doesn't stand as it must.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Disagreement {
    /// Its id.
    pub account: String,
    /// What the acknowledged transfers add up to.
    pub expected: String,
    /// What the server says.
    pub found: String,
}

/// Adds the effect of every acknowledged transfer to the counters that the accounts began with.
pub(crate) fn expected(
    workload: &Workload,
    journal: &Journal,
    mut accounts: Vec<Counters>,
) -> Vec<Counters> {
    let mut failed = journal.failed().iter().peekable();
    let last = journal.requests_built().saturating_sub(1);
    for (request, answer) in journal.answers() {
        if !matches!(answer, Answer::AllCreated | Answer::SomeFailed) {
            continue;
        }
        let count = if request.0 == last { journal.events_of_last() } else { workload.batch };
        let holds = journal.holds_of(request);
        for index in 0..count {
            if failed.next_if(|f| (f.request, f.index) == (request, index)).is_none() {
                apply(&mut accounts, &workload.event(request, holds, count, index));
            }
        }
    }
    accounts
}

fn apply(accounts: &mut [Counters], event: &Event) {
    let (pending, posted) = match event.effect {
        Effect::Move => (0, event.amount),
        Effect::Hold => (event.amount, 0),
        Effect::Post { held } => (held.wrapping_neg(), event.amount),
        Effect::Void { held } => (held.wrapping_neg(), 0),
    };
    // Wrapping, since what is released may be added up before what was held: the sums are right
    // in any order.
    let debit = &mut accounts[to_usize(event.debit)];
    debit.debits_pending = debit.debits_pending.wrapping_add(pending);
    debit.debits_posted = debit.debits_posted.wrapping_add(posted);
    let credit = &mut accounts[to_usize(event.credit)];
    credit.credits_pending = credit.credits_pending.wrapping_add(pending);
    credit.credits_posted = credit.credits_posted.wrapping_add(posted);
}

/// Every account whose counters differ.
pub(crate) fn compare(
    workload: &Workload,
    expected: &[Counters],
    found: &[Counters],
) -> Vec<Disagreement> {
    let differ = |index: u64, expected: &Counters, found: &Counters| Disagreement {
        account: workload.account_id(index).to_string(),
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    };
    let pairs = (0..).zip(expected.iter().zip(found));
    let mut all: Vec<_> = pairs
        .filter(|(_, (expected, found))| expected != found)
        .map(|(index, (expected, found))| differ(index, expected, found))
        .collect();
    if expected.len() != found.len() {
        let nothing = Counters::default();
        all.push(differ(to_u64(found.len()), &nothing, &nothing));
    }
    all
}
