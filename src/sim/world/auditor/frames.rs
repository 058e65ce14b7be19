//! Taking a frame in: what was asked, decided again by the model, and compared with what the frame
//! says came of it.

use std::collections::{BTreeMap, VecDeque};

use super::{Auditor, Written, Wrong};
use crate::io::to_usize;
use crate::ledger::{
    Account, AccountFlags, Command, CommandStatus, CreateAccountStatus, CreateResult,
    CreateTransferStatus, ResolveFlags, Timestamp, Transfer, TransferFlags,
};
use crate::log::{CommandEntry, FrameKind, FrameView};
use crate::sim::coverage::Situation;
use crate::wire::{Reply, Request};

/// The requests of a frame as they arrived, in order. None for frames that no client asked for.
pub(super) fn requests_of(view: &FrameView<'_>) -> Result<Vec<Request>, Wrong> {
    let sizes: Vec<usize> =
        view.requests().map(|request| to_usize(u64::from(request.events))).collect();
    Ok(match view.header().kind {
        FrameKind::CreateAccounts => {
            parts(accounts_of(view), &sizes).into_iter().map(Request::CreateAccounts).collect()
        }
        FrameKind::CreateTransfers => {
            parts(transfers_of(view), &sizes).into_iter().map(Request::CreateTransfers).collect()
        }
        FrameKind::Fence => parts(view.ids().to_vec(), &sizes)
            .into_iter()
            .map(|ids| Request::ResolveTransfers { ids, flags: ResolveFlags::FENCE })
            .collect(),
        FrameKind::Expire => Vec::new(),
        FrameKind::Command => {
            view.commands().iter().map(|entry| command_of(view, entry)).collect::<Result<_, _>>()?
        }
        kind => return Err(format!("a {kind:?} frame while serving")),
    })
}

fn command_of(view: &FrameView<'_>, entry: &CommandEntry) -> Result<Request, Wrong> {
    let command = Command::from_words(entry.kind, entry.version, entry.arguments);
    let reason = String::from_utf8(view.notes().to_vec());
    match (command, reason) {
        (Some(command), Ok(reason)) => Ok(Request::Command { command, reason }),
        other => Err(format!("a frame holds the command {other:?}")),
    }
}

fn parts<T>(events: Vec<T>, sizes: &[usize]) -> Vec<Vec<T>> {
    let mut events = events.into_iter();
    sizes.iter().map(|&size| events.by_ref().take(size).collect()).collect()
}

fn statuses_of(view: &FrameView<'_>) -> BTreeMap<u32, u32> {
    view.refusals().iter().map(|refusal| (refusal.index, refusal.status)).collect()
}

fn accounts_of(view: &FrameView<'_>) -> Vec<Account> {
    let refused = statuses_of(view);
    let received = |(index, account): (u32, &Account)| {
        let given = !account.has(AccountFlags::IMPORTED) && !refused.contains_key(&index);
        Account { timestamp: if given { 0 } else { account.timestamp }, ..*account }
    };
    (0..).zip(view.accounts()).map(received).collect()
}

fn transfers_of(view: &FrameView<'_>) -> Vec<Transfer> {
    let refused = statuses_of(view);
    let amended: BTreeMap<u32, (u32, u128)> =
        view.amendments().iter().map(|row| (row.index, (row.inherited, row.amount))).collect();
    let received = |index: u32, mut event: Transfer| {
        if refused.contains_key(&index) {
            return event;
        }
        if !event.has(TransferFlags::IMPORTED) {
            event.timestamp = 0;
        }
        let Some(&(inherited, amount)) = amended.get(&index) else { return event };
        event.amount = amount;
        // The order of the bits is that of docs/log-format.md.
        let zero = |bit: u32| inherited >> bit & 1 == 1;
        if zero(0) {
            event.debit_account_id = 0;
        }
        if zero(1) {
            event.credit_account_id = 0;
        }
        if zero(2) {
            event.ledger = 0;
        }
        if zero(3) {
            event.code = 0;
        }
        if zero(4) {
            event.user_data_128 = 0;
        }
        if zero(5) {
            event.user_data_64 = 0;
        }
        if zero(6) {
            event.user_data_32 = 0;
        }
        event
    };
    (0..).zip(view.transfers()).map(|(index, entry)| received(index, entry.transfer)).collect()
}

impl Auditor {
    /// Lets the model decide a frame and compares. The answers that it calls for are then expected.
    pub(super) fn take_in(&mut self, written: &Written) -> Result<(), Wrong> {
        let cluster = self.identity.cluster;
        let view = FrameView::parse(cluster, written.position, written.bytes.bytes())
            .map_err(|error| error.to_string())?;
        let header = *view.header();
        let base = header.timestamp;
        let wrong = |what: String| format!("op {}, {:?}: {what}", header.op.0, header.kind);
        if base < self.model.last_timestamp() {
            return Err(wrong("its timestamps run backwards".to_owned()));
        }
        self.taken.push(written.chain);
        self.expected.clear();
        if header.kind == FrameKind::Expire {
            return self.expire(base, view.ids()).map_err(wrong);
        }
        let mut outcomes = outcomes_of(&view);
        for request in requests_of(&view).map_err(wrong)? {
            let reply = match &request {
                Request::CreateAccounts(events) => {
                    let results = self.model.create_accounts(events, base);
                    self.coverage.count_accounts(&results);
                    compare(events, &results, &mut outcomes).map_err(wrong)?;
                    Reply::CreateResults(results)
                }
                Request::CreateTransfers(events) => {
                    let results = self.model.create_transfers(events, base);
                    self.coverage.count_transfers(&results);
                    compare(events, &results, &mut outcomes).map_err(wrong)?;
                    Reply::CreateResults(results)
                }
                Request::ResolveTransfers { ids, .. } => {
                    Reply::ResolveResults(self.model.resolve_transfers(ids, true, base))
                }
                Request::Command { command, .. } => {
                    let result = self.model.command(command, base);
                    self.coverage.count_command(&result);
                    let status = statuses_of(&view).get(&0).copied();
                    if status.unwrap_or(CommandStatus::Done.code()) != result.status {
                        return Err(wrong(format!(
                            "{command:?} came to {status:?}, right is {result:?}"
                        )));
                    }
                    Reply::Command(result)
                }
                other => return Err(wrong(format!("it holds {other:?}"))),
            };
            self.expected.push_back((request, reply));
        }
        self.compare_stored(&view).map_err(wrong)
    }

    fn expire(&mut self, base: Timestamp, ids: &[u128]) -> Result<(), Wrong> {
        let due = self.model.expire(base);
        if due == ids {
            due.iter().for_each(|_| self.coverage.count(Situation::HoldExpired));
            return Ok(());
        }
        Err(format!("it releases {ids:?}, due are {due:?}"))
    }

    /// The created records as the frame stores them.
    fn compare_stored(&self, view: &FrameView<'_>) -> Result<(), Wrong> {
        let refused = statuses_of(view);
        for (index, entry) in (0..).zip(view.transfers()) {
            let stored = self.model.lookup_transfers(&[entry.transfer.id]);
            if !refused.contains_key(&index) && stored != [entry.transfer] {
                return Err(format!("it stores {:?}, right is {stored:?}", entry.transfer));
            }
        }
        Ok(())
    }
}

/// The status of each event with its timestamp where the frame says it.
fn outcomes_of(view: &FrameView<'_>) -> VecDeque<(u32, Option<u64>)> {
    let refused = statuses_of(view);
    let created = match view.header().kind {
        FrameKind::CreateAccounts => CreateAccountStatus::Created.code(),
        _ => CreateTransferStatus::Created.code(),
    };
    let accounts = view.accounts().iter().map(|account| account.timestamp);
    let transfers = view.transfers().iter().map(|entry| entry.transfer.timestamp);
    let outcome = |(index, timestamp)| match refused.get(&index) {
        Some(status) => (*status, None),
        None => (created, Some(timestamp)),
    };
    (0..).zip(accounts.chain(transfers)).map(outcome).collect()
}

fn compare<E: std::fmt::Debug>(
    events: &[E],
    results: &[CreateResult],
    outcomes: &mut VecDeque<(u32, Option<u64>)>,
) -> Result<(), Wrong> {
    for (event, result) in events.iter().zip(results) {
        let outcome = outcomes.pop_front();
        let same = outcome.is_some_and(|(status, timestamp)| {
            status == result.status && timestamp.is_none_or(|at| at == result.timestamp)
        });
        if !same {
            return Err(format!("{event:?} has outcome {outcome:?}, right is {result:?}"));
        }
    }
    Ok(())
}
