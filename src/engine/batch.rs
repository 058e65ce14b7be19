//! Batches of writes: requests of one kind that are ordered and decided together.

use super::core::{Activity, Engine, Records};
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
    pub(super) fn begin_writes(&mut self, group: Group, base: Timestamp) {
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
            self.begin_new_transfers(batch);
        } else if !accounts.is_empty() {
            self.begin_new_accounts(AccountBatch { members, events: accounts, base });
        } else {
            self.begin_fence(FenceBatch { members, ids, base });
        }
    }

    /// Refuses accounts for which there is no room, before they are ordered.
    fn begin_new_accounts(&mut self, batch: AccountBatch) {
        let (exist, fit) = (self.counts.accounts, self.options.accounts_max);
        if exist + batch.events.len() as u64 > fit {
            let text = format!("{exist} accounts exist and {fit} fit into this cluster");
            self.refuse_all(&batch.members, &text);
        } else {
            self.begin_accounts(batch);
        }
    }

    /// Refuses a batch with holds for which there is no room, before it is ordered.
    fn begin_new_transfers(&mut self, batch: TransferBatch) {
        let (open, fit) = (self.counts.holds, self.options.holds_max);
        // Counts only when it may matter.
        if open + batch.events.len() as u64 > fit {
            let new = batch.events.iter().filter(|event| event.has(TransferFlags::PENDING)).count();
            if open + new as u64 > fit {
                let text = format!("{open} holds are open and {fit} fit into this cluster");
                self.refuse_all(&batch.members, &text);
                return;
            }
        }
        self.begin_transfers(batch);
    }

    fn refuse_all(&mut self, members: &[Member], text: &str) {
        for source in members.iter().filter_map(|member| member.source) {
            let error = RequestError::new(ErrorCode::CapacityExceeded);
            self.reply(source, Reply::Error(error.with_detail(text.to_owned())));
        }
    }

    pub(super) fn start(&mut self, activity: Activity) {
        self.set_activity(activity);
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
