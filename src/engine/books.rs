//! How many there are of everything, and how many there may be.

use super::order::Gathered;
use crate::ledger::{Transfer, TransferFlags};
use crate::wire::{ErrorCode, Request, RequestError};

/// The numbers that `status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineCounts {
    /// Accounts that exist.
    pub accounts: u64,
    /// Transfers that were created.
    pub transfers: u64,
    /// Holds that are open.
    pub holds: u64,
    /// Ordered batches.
    pub batches: u64,
    /// Events that were refused.
    pub refused: u64,
}

/// How much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Accounts that may exist.
    pub accounts_max: u64,
    /// Holds that may be open.
    pub holds_max: u64,
}

/// What exists against what may exist.
///
/// Invariant: while requests are admitted by [`Books::refuse_what_does_not_fit`], neither accounts nor holds exceed the
/// capacity. A log that is decided again is not held to it: its requests were admitted.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) counts: EngineCounts,
    pub(super) capacity: Capacity,
}

impl Books {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self { counts: EngineCounts::default(), capacity }
    }

    /// Takes the requests for whose accounts or holds there may be no room out of those gathered,
    /// before anything is ordered, each with what to answer. Whether there is room is judged by what
    /// they might create at most.
    pub(super) fn refuse_what_does_not_fit(
        &self,
        gathered: &mut Gathered,
    ) -> Vec<(super::order::Waiting, RequestError)> {
        let most = gathered.events as u64;
        let EngineCounts { mut accounts, mut holds, .. } = self.counts;
        let Capacity { accounts_max, holds_max } = self.capacity;
        let mut refused = Vec::new();
        if accounts + most <= accounts_max && holds + most <= holds_max {
            return refused;
        }
        for member in std::mem::take(&mut gathered.members) {
            let (new_accounts, new_holds) = match &member.submission.request {
                Request::CreateAccounts(events) => (events.len() as u64, 0),
                Request::CreateTransfers(events) => (0, holds_in(events)),
                _ => (0, 0),
            };
            let fits = (new_accounts == 0 || accounts + new_accounts <= accounts_max)
                && (new_holds == 0 || holds + new_holds <= holds_max);
            if fits {
                accounts += new_accounts;
                holds += new_holds;
                gathered.members.push(member);
                assert!(
                    (new_accounts == 0 || accounts <= accounts_max)
                        && (new_holds == 0 || holds <= holds_max),
                    "what is admitted fits"
                );
            } else {
                gathered.events -= member.submission.request.events();
                let text = format!(
                    "{accounts} of {accounts_max} accounts exist and {holds} of {holds_max} holds \
                     are open"
                );
                let error = RequestError::new(ErrorCode::CapacityExceeded).with_detail(text);
                refused.push((member, error));
            }
        }
        refused
    }
}

fn holds_in(events: &[Transfer]) -> u64 {
    events.iter().filter(|event| event.has(TransferFlags::PENDING)).count() as u64
}
