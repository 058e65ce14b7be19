//! Batches of writes: requests of one kind that are ordered and decided together.

use super::core::{Engine, EngineCounts, Records};
use super::order::Group;
use super::owners::Owners;
use super::submission::Source;
use crate::ledger::{Account, Timestamp, Transfer, TransferFlags};
use crate::wire::{ErrorCode, Reply, Request, RequestError};

/// One request of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Who asked; none when the log is replayed.
    pub(super) source: Option<Source>,
    pub(super) events: usize,
}

/// A batch of `create_transfers`.
#[derive(Debug)]
pub(super) struct TransferBatch {
    pub(super) members: Vec<Member>,
    pub(super) events: Vec<Transfer>,
    pub(super) base: Timestamp,
    /// Whether the accounts of the holds have been asked for.
    pub(super) second_round: bool,
}

/// A batch of `create_accounts`.
#[derive(Debug)]
pub(super) struct AccountBatch {
    pub(super) members: Vec<Member>,
    pub(super) events: Vec<Account>,
    pub(super) base: Timestamp,
}

/// A batch of `resolve_transfers` with `fence`.
#[derive(Debug)]
pub(super) struct FenceBatch {
    pub(super) members: Vec<Member>,
    pub(super) ids: Vec<u128>,
    pub(super) base: Timestamp,
}

/// The ranges of the events of each member.
pub(super) fn ranges(
    members: &[Member],
) -> impl Iterator<Item = (Option<Source>, std::ops::Range<usize>)> {
    members.iter().scan(0, |start, member| {
        let range = *start..*start + member.events;
        *start = range.end;
        Some((member.source, range))
    })
}

impl<O: Owners, R: Records> Engine<O, R> {
    /// Starts a batch with the requests of the group.
    pub(super) fn begin_writes(&mut self, mut group: Group, base: Timestamp) {
        self.refuse_what_does_not_fit(&mut group);
        let events = group.events;
        let members = group
            .members
            .iter()
            .map(|member| Member { source: Some(member.source), events: member.request.events() })
            .collect();
        let mut transfers = Vec::new();
        let mut accounts = Vec::new();
        let mut ids = Vec::new();
        for member in group.members {
            match member.request {
                Request::CreateTransfers(more) => gather(&mut transfers, more, events),
                Request::CreateAccounts(more) => gather(&mut accounts, more, events),
                Request::ResolveTransfers { ids: more, .. } => gather(&mut ids, more, events),
                _ => {}
            }
        }
        if !transfers.is_empty() {
            let batch = TransferBatch { members, events: transfers, base, second_round: false };
            self.begin_transfers(batch);
        } else if !accounts.is_empty() {
            self.begin_accounts(AccountBatch { members, events: accounts, base });
        } else if !ids.is_empty() {
            self.begin_fence(FenceBatch { members, ids, base });
        }
    }

    /// Refuses the requests for whose accounts or holds there may be no room, before anything is
    /// ordered. The others of the group go on.
    fn refuse_what_does_not_fit(&mut self, group: &mut Group) {
        let most = group.events as u64;
        let EngineCounts { mut accounts, mut holds, .. } = self.counts;
        let (accounts_max, holds_max) = (self.options.accounts_max, self.options.holds_max);
        if accounts + most <= accounts_max && holds + most <= holds_max {
            return;
        }
        for member in std::mem::take(&mut group.members) {
            let (new_accounts, new_holds) = match &member.request {
                Request::CreateAccounts(events) => (events.len(), 0),
                Request::CreateTransfers(events) => {
                    (0, events.iter().filter(|event| event.has(TransferFlags::PENDING)).count())
                }
                _ => (0, 0),
            };
            let fits = accounts + new_accounts as u64 <= accounts_max
                && (new_holds == 0 || holds + new_holds as u64 <= holds_max);
            if fits {
                accounts += new_accounts as u64;
                holds += new_holds as u64;
                group.members.push(member);
            } else {
                group.events -= member.request.events();
                let text = format!(
                    "{accounts} of {accounts_max} accounts exist and {holds} of {holds_max} holds \
                     are open"
                );
                let error = RequestError::new(ErrorCode::CapacityExceeded).with_detail(text);
                self.reply(member.source, Reply::Error(error));
            }
        }
    }
}

/// Appends without copying when there is nothing yet.
fn gather<T: Copy>(all: &mut Vec<T>, mut more: Vec<T>, expected: usize) {
    if all.is_empty() {
        std::mem::swap(all, &mut more);
        all.reserve(expected - all.len());
    } else {
        all.extend_from_slice(&more);
    }
}
