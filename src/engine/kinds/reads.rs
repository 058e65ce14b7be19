//! Answering reads from the state between two batches.

use super::verbs::{Kind, Next};
use crate::engine::known::Known;
use crate::engine::order::Waiting;
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::query::{LongRead, Resolved};
use crate::engine::scans::Scan;
use crate::engine::source::Source;
use crate::engine::submission::{Release, Submission};
use crate::engine::work::Probe;
use crate::ledger::{Account, AccountFilter, AccountFlags, FilterError, ResolveOutcome};
use crate::limits::{EVENTS_PER_BATCH_MAX, RECORDS_PER_REPLY_MAX};
use crate::log::Position;
use crate::wire::{Reply, Request, RequestError, StatusReport};

/// Reads under way; all of them see the same state.
#[derive(Debug)]
pub(in crate::engine) struct Reads {
    members: Vec<Waiting>,
}

/// What the owners answered, by tag.
#[derive(Default)]
struct Answers {
    accounts: Vec<Option<Account>>,
    chains: Vec<Option<(Account, u64)>>,
    transfers: Vec<Option<Known>>,
}

/// The questions for each owner.
struct Questions {
    accounts: Vec<Vec<Probe>>,
    chains: Vec<Vec<Probe>>,
    transfers: Vec<Vec<Probe>>,
    next: u32,
}

impl Reads {
    pub(super) const fn new(members: Vec<Waiting>) -> Self {
        Self { members }
    }
}

impl Kind for Reads {
    /// Asks the owners what all the reads want to know.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        let owners = parts.crew.count();
        let mut questions = Questions {
            accounts: vec![Vec::new(); owners],
            chains: vec![Vec::new(); owners],
            transfers: vec![Vec::new(); owners],
            next: 0,
        };
        for member in &self.members {
            let next = &mut questions.next;
            match &member.submission.request {
                Request::LookupAccounts(ids) => put(parts, ids, &mut questions.accounts, next),
                Request::LookupTransfers(ids) | Request::ResolveTransfers { ids, .. } => {
                    put(parts, ids, &mut questions.transfers, next);
                }
                Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                    put(parts, &[filter.account_id], &mut questions.chains, next);
                }
                Request::QueryAccounts(_)
                | Request::QueryTransfers(_)
                | Request::Status
                | Request::Ping => {}
                Request::CreateAccounts(_)
                | Request::CreateTransfers(_)
                | Request::Command { .. } => {
                    unreachable!("a write is no read")
                }
            }
        }
        let wraps: [fn(Vec<Probe>) -> Read; 3] = [Read::Accounts, Read::Chains, Read::Transfers];
        let lists = [questions.accounts, questions.chains, questions.transfers];
        for (wrap, lists) in wraps.into_iter().zip(lists) {
            for (owner, probes) in lists.into_iter().enumerate() {
                if !probes.is_empty() {
                    parts.crew.ask(owner, wrap(probes));
                }
            }
        }
    }

    /// A state needs no deciding.
    fn advance<O: Owners>(&mut self, _: &mut Parts<O>) -> Next {
        Next::Decided
    }

    fn answer<O: Owners>(self, parts: &mut Parts<O>) {
        let mut answers = sort_answers(parts);
        let mut next = 0;
        for Waiting { submission: Submission { source, request, .. }, .. } in self.members {
            match request {
                Request::LookupAccounts(ids) => {
                    let found = take(&mut answers.accounts, next, ids.len());
                    next += ids.len();
                    parts.reply(source, Reply::Accounts(found.into_iter().flatten().collect()));
                }
                Request::LookupTransfers(ids) => {
                    let known = take(&mut answers.transfers, next, ids.len());
                    next += ids.len();
                    answer_lookup(parts, source, &known);
                }
                Request::ResolveTransfers { ids, .. } => {
                    let known = take(&mut answers.transfers, next, ids.len());
                    next += ids.len();
                    answer_resolve(parts, source, known);
                }
                Request::GetAccountTransfers(filter) => {
                    let chain = take(&mut answers.chains, next, 1).pop().flatten();
                    next += 1;
                    answer_walk(parts, source, filter, chain, false);
                }
                Request::GetAccountBalances(filter) => {
                    let chain = take(&mut answers.chains, next, 1).pop().flatten();
                    next += 1;
                    answer_walk(parts, source, filter, chain, true);
                }
                Request::QueryAccounts(filter) => {
                    match filter.check() {
                        // It is answered when all accounts have been looked at, slice by slice.
                        Ok(()) => parts.scans.push(source, Scan::new(filter, parts.now.0)),
                        Err(error) => refuse(parts, source, error),
                    }
                }
                Request::QueryTransfers(filter) => match filter.check() {
                    Ok(()) => {
                        let end = parts.sequence.tip().position;
                        let first = parts.past.frames.first_since(filter.timestamp_min);
                        let first = first.map(|(_, position)| position);
                        assert!(first < Some(end), "what is searched lies before the end");
                        query(parts, source, LongRead::Transfers { filter, first, end });
                    }
                    Err(error) => refuse(parts, source, error),
                },
                Request::Status => {
                    let report = report(parts);
                    parts.reply(source, Reply::Status(Box::new(report)));
                }
                Request::Ping => parts.reply(source, Reply::Pong),
                Request::CreateAccounts(_)
                | Request::CreateTransfers(_)
                | Request::Command { .. } => {
                    unreachable!("a write is no read")
                }
            }
        }
        for answered in [answers.accounts.len(), answers.chains.len(), answers.transfers.len()] {
            assert!(answered <= next, "every answer belongs to a question");
        }
    }
}

fn put<O: Owners>(parts: &Parts<O>, ids: &[u128], lists: &mut [Vec<Probe>], next: &mut u32) {
    for &id in ids {
        let (owner, probe) = parts.crew.probe(id, *next);
        lists[owner].push(probe);
        *next += 1;
    }
}

fn sort_answers<O: Owners>(parts: &mut Parts<O>) -> Answers {
    let mut sorted = Answers::default();
    for (_, answer) in parts.crew.answers.drain(..) {
        match answer {
            Answer::Accounts(found) => {
                for (tag, account) in found {
                    put_at(&mut sorted.accounts, tag, account);
                }
            }
            Answer::Chains(found) => {
                for (tag, account, last) in found {
                    put_at(&mut sorted.chains, tag, (account, last));
                }
            }
            Answer::Transfers(found) => {
                for (tag, known) in found {
                    put_at(&mut sorted.transfers, tag, known);
                }
            }
            Answer::Scan(..) | Answer::Found(_) | Answer::Expired(..) | Answer::Timestamps(_) => {
                unreachable!("nothing of that was asked for")
            }
        }
    }
    sorted
}

fn answer_lookup<O: Owners>(parts: &mut Parts<O>, to: Source, known: &[Option<Known>]) {
    let mut records = Vec::with_capacity(known.len());
    let mut all_recent = true;
    assert!(known.len() <= RECORDS_PER_REPLY_MAX, "all that is asked for fits one reply");
    for known in known.iter().flatten() {
        if let Known::Created { position, .. } = known {
            let position = Position(*position);
            let recent = parts.past.recent(position);
            all_recent &= recent.is_some();
            records.push((position, recent));
        }
    }
    if all_recent {
        let records = records.into_iter().filter_map(|(_, record)| record).collect();
        parts.reply(to, Reply::Transfers(records));
    } else {
        query(parts, to, LongRead::Records(records));
    }
}

fn answer_resolve<O: Owners>(parts: &mut Parts<O>, to: Source, known: Vec<Option<Known>>) {
    let resolved = |known: Option<Known>| match known {
        None => Resolved::Is(ResolveOutcome::Unknown, 0),
        Some(Known::Burned) => Resolved::Is(ResolveOutcome::Failed, 0),
        Some(Known::Fenced) => Resolved::Is(ResolveOutcome::Fenced, 0),
        Some(Known::Created { position, .. }) => {
            let position = Position(position);
            match parts.past.recent(position) {
                Some(record) => Resolved::Is(ResolveOutcome::Created, record.timestamp),
                None => Resolved::CreatedBy(position),
            }
        }
    };
    let resolved: Vec<Resolved> = known.into_iter().map(resolved).collect();
    let at_hand: Option<Vec<_>> = resolved.iter().map(Resolved::result).collect();
    match at_hand {
        Some(results) => parts.reply(to, Reply::ResolveResults(results)),
        None => query(parts, to, LongRead::Resolve(resolved)),
    }
}

/// Leaves a read to those who walk the log.
fn query<O>(parts: &mut Parts<O>, to: Source, read: LongRead) {
    let op = parts.sequence.tip().op;
    parts.releases.push(Release::Query { to, op, read });
}

fn answer_walk<O: Owners>(
    parts: &mut Parts<O>,
    to: Source,
    filter: AccountFilter,
    chain: Option<(Account, u64)>,
    balances: bool,
) {
    let checked = filter.check().and_then(|()| match chain {
        None if balances => Err(FilterError::AccountNotFound),
        Some((account, _)) if balances && !account.has(AccountFlags::HISTORY) => {
            Err(FilterError::AccountWithoutHistory)
        }
        chain => Ok(chain.map_or(0, |(_, last)| last)),
    });
    match checked {
        Err(error) => refuse(parts, to, error),
        Ok(0) if balances => parts.reply(to, Reply::Balances(Vec::new())),
        Ok(0) => parts.reply(to, Reply::Transfers(Vec::new())),
        Ok(last) => {
            let newest = Position(last);
            assert!(newest < parts.sequence.tip().position, "a chain begins before the log ends");
            let read = if balances {
                LongRead::AccountBalances { filter, newest }
            } else {
                LongRead::AccountTransfers { filter, newest }
            };
            query(parts, to, read);
        }
    }
}

fn refuse<O: Owners>(parts: &mut Parts<O>, to: Source, error: FilterError) {
    parts.reply(to, Reply::Error(RequestError::from(error)));
}

/// What the engine knows of itself; the server adds the rest.
fn report<O: Owners>(parts: &Parts<O>) -> StatusReport {
    let (tip, counts) = (parts.sequence.tip(), parts.books.counts);
    StatusReport {
        epoch: tip.epoch.0,
        op: tip.op.0,
        timestamp: tip.timestamp.0,
        log_position: tip.position.0,
        cores: u32::try_from(parts.crew.count()).unwrap_or(u32::MAX),
        accounts: counts.accounts,
        accounts_max: parts.books.capacity().accounts_max,
        transfers: counts.transfers,
        holds: counts.holds,
        holds_max: parts.books.capacity().holds_max,
        ..StatusReport::default()
    }
}

fn put_at<T: Clone>(list: &mut Vec<Option<T>>, tag: u32, value: T) {
    let at = tag as usize;
    assert!(at < 2 * EVENTS_PER_BATCH_MAX, "reads are taken up to the size of a batch");
    if list.len() <= at {
        list.resize(at + 1, None);
    }
    assert!(list[at].is_none(), "one owner has the answer");
    list[at] = Some(value);
}

/// The answers with the tags from `first` on; those that nobody gave are none.
fn take<T: Clone>(list: &mut [Option<T>], first: usize, count: usize) -> Vec<Option<T>> {
    (first..first + count).map(|at| list.get_mut(at).and_then(Option::take)).collect()
}
