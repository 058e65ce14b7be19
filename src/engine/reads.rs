//! Answering reads from the state between two batches.

use std::collections::VecDeque;

use super::core::{Activity, Engine, Records};
use super::known::Known;
use super::owners::{Answer, Owners, Read, limit_of};
use super::query::LongRead;
use super::submission::{Release, Source, Submission};
use super::work::Probe;
use crate::ledger::{
    Account, AccountFilter, AccountFlags, FilterError, QueryAccountsFilter, QueryFilterFlags,
};
use crate::log::{Position, RecordError};
use crate::wire::{Reply, Request, RequestError, StatusReport};

/// Reads under way; all of them see the same state.
#[derive(Debug)]
pub(super) struct ReadBatch {
    members: Vec<Submission>,
}

/// What the owners answered, by tag.
#[derive(Default)]
struct Answers {
    accounts: Vec<Option<Account>>,
    chains: Vec<Option<(Account, u64)>>,
    transfers: Vec<Option<Known>>,
    /// By owner, for each query of accounts in turn.
    queries: Vec<VecDeque<Vec<Account>>>,
}

/// The questions for each owner.
struct Questions {
    accounts: Vec<Vec<Probe>>,
    chains: Vec<Vec<Probe>>,
    transfers: Vec<Vec<Probe>>,
    next: u32,
}

impl<O: Owners, R: Records> Engine<O, R> {
    /// Asks the owners what all waiting reads want to know.
    pub(super) fn begin_reads(&mut self) {
        let members = self.order.take_reads();
        let owners = self.works.len();
        let mut questions = Questions {
            accounts: vec![Vec::new(); owners],
            chains: vec![Vec::new(); owners],
            transfers: vec![Vec::new(); owners],
            next: 0,
        };
        for member in &members {
            match &member.request {
                Request::LookupAccounts(ids) => {
                    self.put(ids, &mut questions.accounts, &mut questions.next);
                }
                Request::LookupTransfers(ids) | Request::ResolveTransfers { ids, .. } => {
                    self.put(ids, &mut questions.transfers, &mut questions.next);
                }
                Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                    self.put(&[filter.account_id], &mut questions.chains, &mut questions.next);
                }
                Request::QueryAccounts(filter) if filter.check().is_ok() => {
                    for owner in 0..owners {
                        self.ask(owner, Read::Query(*filter));
                    }
                }
                _ => {}
            }
        }
        let wraps: [fn(Vec<Probe>) -> Read; 3] = [Read::Accounts, Read::Chains, Read::Transfers];
        let lists = [questions.accounts, questions.chains, questions.transfers];
        for (wrap, lists) in wraps.into_iter().zip(lists) {
            for (owner, probes) in lists.into_iter().enumerate() {
                if !probes.is_empty() {
                    self.ask(owner, wrap(probes));
                }
            }
        }
        self.start(Activity::Reads(ReadBatch { members }));
    }

    fn put(&self, ids: &[u128], lists: &mut [Vec<Probe>], next: &mut u32) {
        for &id in ids {
            let (owner, probe) = self.probe(id, *next);
            lists[owner].push(probe);
            *next += 1;
        }
    }

    /// Answers the reads, all answers being there.
    pub(super) fn advance_reads(&mut self, batch: ReadBatch) -> Result<(), RecordError> {
        let mut answers = self.sort_answers();
        let mut next = 0;
        for Submission { source, request } in batch.members {
            match request {
                Request::LookupAccounts(ids) => {
                    let found = take(&mut answers.accounts, next, ids.len());
                    next += ids.len();
                    self.reply(source, Reply::Accounts(found.into_iter().flatten().collect()));
                }
                Request::LookupTransfers(ids) => {
                    let known = take(&mut answers.transfers, next, ids.len());
                    next += ids.len();
                    self.answer_lookup(source, &known);
                }
                Request::ResolveTransfers { ids, .. } => {
                    let known = take(&mut answers.transfers, next, ids.len());
                    next += ids.len();
                    let results: Result<_, _> =
                        known.into_iter().map(|known| self.resolve(known)).collect();
                    self.reply(source, Reply::ResolveResults(results?));
                }
                Request::GetAccountTransfers(filter) => {
                    let chain = take(&mut answers.chains, next, 1).pop().flatten();
                    next += 1;
                    self.answer_walk(source, filter, chain, false);
                }
                Request::GetAccountBalances(filter) => {
                    let chain = take(&mut answers.chains, next, 1).pop().flatten();
                    next += 1;
                    self.answer_walk(source, filter, chain, true);
                }
                Request::QueryAccounts(filter) => {
                    self.answer_query(source, &filter, &mut answers);
                }
                Request::QueryTransfers(filter) => match filter.check() {
                    Ok(()) => {
                        let end = self.end.position;
                        let first = self.first_frame_since(filter.timestamp_min);
                        let read = LongRead::Transfers { filter, first, end };
                        self.release(Release::Query { to: source, op: self.end.op, read });
                    }
                    Err(error) => self.refuse(source, error),
                },
                Request::Status => self.reply(source, Reply::Status(Box::new(self.report()))),
                Request::Ping => self.reply(source, Reply::Pong),
                Request::CreateAccounts(_) | Request::CreateTransfers(_) => {}
            }
        }
        Ok(())
    }

    fn sort_answers(&mut self) -> Answers {
        let mut sorted = Answers::default();
        sorted.queries.resize_with(self.works.len(), VecDeque::new);
        for (owner, answer) in self.answers.drain(..) {
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
                Answer::Query(found) => sorted.queries[owner].push_back(found),
                Answer::Expired(..) | Answer::Timestamps(_) => {}
            }
        }
        sorted
    }

    fn answer_lookup(&mut self, to: Source, known: &[Option<Known>]) {
        let mut records = Vec::with_capacity(known.len());
        let mut all_recent = true;
        for known in known.iter().flatten() {
            if let Known::Created { position, .. } = known {
                let position = Position(*position);
                let recent = self.recent.transfer(position);
                all_recent &= recent.is_some();
                records.push((position, recent));
            }
        }
        if all_recent {
            let records = records.into_iter().filter_map(|(_, record)| record).collect();
            self.reply(to, Reply::Transfers(records));
        } else {
            let read = LongRead::Records(records);
            self.release(Release::Query { to, op: self.end.op, read });
        }
    }

    fn answer_walk(
        &mut self,
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
            Err(error) => self.refuse(to, error),
            Ok(0) if balances => self.reply(to, Reply::Balances(Vec::new())),
            Ok(0) => self.reply(to, Reply::Transfers(Vec::new())),
            Ok(last) => {
                let newest = Position(last);
                let read = if balances {
                    LongRead::AccountBalances { filter, newest }
                } else {
                    LongRead::AccountTransfers { filter, newest }
                };
                self.release(Release::Query { to, op: self.end.op, read });
            }
        }
    }

    fn answer_query(&mut self, to: Source, filter: &QueryAccountsFilter, answers: &mut Answers) {
        if let Err(error) = filter.check() {
            self.refuse(to, error);
            return;
        }
        // Each owner answers in the order of the questions.
        let queries = answers.queries.iter_mut().filter_map(VecDeque::pop_front);
        let mut found = queries.flatten().collect::<Vec<_>>();
        found.sort_by_key(|account| account.timestamp);
        if filter.flags & QueryFilterFlags::REVERSED != 0 {
            found.reverse();
        }
        found.truncate(limit_of(filter.limit));
        self.reply(to, Reply::Accounts(found));
    }

    fn refuse(&mut self, to: Source, error: FilterError) {
        self.reply(to, Reply::Error(RequestError::from(error)));
    }

    /// The first frame that can hold transfers of that timestamp or later.
    fn first_frame_since(&self, timestamp: u64) -> Option<Position> {
        let after = self.transfer_frames.partition_point(|&(newest, _)| newest < timestamp);
        self.transfer_frames.get(after).map(|&(_, position)| position)
    }

    /// What the engine knows of itself; the server adds the rest.
    fn report(&self) -> StatusReport {
        StatusReport {
            epoch: self.end.epoch.0,
            op: self.end.op.0,
            timestamp: self.end.timestamp.0,
            log_position: self.end.position.0,
            cores: u32::try_from(self.works.len()).unwrap_or(u32::MAX),
            accounts: self.counts.accounts,
            accounts_max: self.options.accounts_max,
            transfers: self.counts.transfers,
            holds: self.counts.holds,
            ..StatusReport::default()
        }
    }
}

fn put_at<T: Clone>(list: &mut Vec<Option<T>>, tag: u32, value: T) {
    let at = tag as usize;
    if list.len() <= at {
        list.resize(at + 1, None);
    }
    list[at] = Some(value);
}

/// The answers with the tags from `first` on; those that nobody gave are none.
fn take<T: Clone>(list: &mut [Option<T>], first: usize, count: usize) -> Vec<Option<T>> {
    (first..first + count).map(|at| list.get_mut(at).and_then(Option::take)).collect()
}
