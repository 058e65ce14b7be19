//! How many there are of everything, and how many there may be.

use super::order::Gathered;
use crate::ledger::{Capacity, Command, Transfer, TransferFlags, digest};
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

/// What exists against what may exist.
///
/// Invariant: while requests are admitted by [`Books::refuse_what_does_not_fit`], neither accounts nor holds exceed the
/// capacity. A log that is decided again is not held to it: its requests were admitted. The capacity never
/// shrinks.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) counts: EngineCounts,
    capacity: Capacity,
    /// A command has raised it: from then on it is part of the state.
    is_raised: bool,
    /// Bytes that accounts and holds may take on this machine.
    state_bytes_max: u64,
}

impl Books {
    pub(super) fn new(capacity: Capacity, state_bytes_max: u64) -> Self {
        let counts = EngineCounts::default();
        Self { counts, capacity, is_raised: false, state_bytes_max }
    }

    pub(super) const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// A command raises the capacity.
    pub(super) fn raise(&mut self, capacity: Capacity) {
        let Capacity { accounts_max, holds_max } = self.capacity;
        assert!(
            capacity.accounts_max >= accounts_max && capacity.holds_max >= holds_max,
            "a capacity never shrinks"
        );
        assert!(capacity != self.capacity, "what changes nothing is refused");
        self.capacity = capacity;
        self.is_raised = true;
    }

    /// The part of the state digest that is here: none before the first command.
    pub(super) const fn digest(&self) -> u64 {
        if self.is_raised { digest::raised_capacity(self.capacity) } else { 0 }
    }

    /// Why this machine can't obey a command, whatever the ledger says.
    fn refuse_command(&self, request: &Request) -> Option<RequestError> {
        let Request::Command { command: Command::RaiseCapacity(asked), .. } = request else {
            return None;
        };
        // What is settled isn't judged again: the holds of a ledger made without a word may come to
        // more memory than a small machine has, which is no reason to refuse it accounts.
        let more = |asked, now| if asked > now { asked } else { 0 };
        let raised = Capacity {
            accounts_max: more(asked.accounts_max, self.capacity.accounts_max),
            holds_max: more(asked.holds_max, self.capacity.holds_max),
        };
        if raised.bytes() <= self.state_bytes_max {
            return None;
        }
        let text = format!(
            "the {} accounts and {} holds that are asked for can take {} MiB of memory, and this \
             machine has {} MiB",
            raised.accounts_max,
            raised.holds_max,
            raised.bytes() >> 20,
            self.state_bytes_max >> 20
        );
        Some(RequestError::new(ErrorCode::CapacityTooLarge).with_detail(text))
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
        if let [member] = &gathered.members[..]
            && let Some(error) = self.refuse_command(&member.submission.request)
        {
            gathered.events -= member.submission.request.events();
            return gathered.members.pop().map(|member| (member, error)).into_iter().collect();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_beyond_the_memory_is_refused_before_it_is_ordered_and_others_pass() {
        let capacity = Capacity { accounts_max: 1_000, holds_max: 1_000 };
        let twice = Capacity { accounts_max: 2_000, holds_max: 0 };
        let need = twice.bytes();
        let request = |asked| Request::Command {
            command: Command::RaiseCapacity(asked),
            reason: "growth".to_owned(),
        };
        for (most, refused) in [(need, false), (need - 1, true)] {
            let books = Books::new(capacity, most);
            let error = books.refuse_command(&request(twice));
            assert_eq!(error.is_some(), refused, "{error:?}");
            if let Some(error) = error {
                assert_eq!(error.code(), Some(ErrorCode::CapacityTooLarge));
                assert!(error.detail.starts_with("the 2000 accounts and 0 holds"), "{error}");
            }
            // What raises nothing is the ledger's to refuse.
            let less = Capacity { accounts_max: 1, holds_max: 1_000 };
            assert_eq!(books.refuse_command(&request(less)), None);
        }
        let small = Books::new(capacity, 0);
        assert!(
            small.refuse_command(&request(Capacity { holds_max: u64::MAX, ..twice })).is_some()
        );
    }

    #[test]
    fn only_a_capacity_that_was_raised_is_part_of_the_state() {
        let capacity = Capacity { accounts_max: 10, holds_max: 10 };
        let mut books = Books::new(capacity, u64::MAX);
        assert_eq!(books.digest(), 0);
        books.raise(Capacity { accounts_max: 11, ..capacity });
        let first = books.digest();
        books.raise(Capacity { accounts_max: 11, holds_max: 11 });
        assert!(first != 0 && books.digest() != 0 && first != books.digest());
    }
}
