//! Reads in pages: which part of a read is asked for next, and whether anything lies behind it.

use crate::ledger::{AccountFilterFlags, QueryFilterFlags};
use crate::limits::{RECORDS_PER_REPLY_MAX, TIMESTAMP_MAX};
use crate::wire::{Reply, Request};

/// Where a read goes on: the field to set, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// `timestamp_min`, or `timestamp_max` if the newest records come first.
    pub field: &'static str,
    /// In nanoseconds.
    pub timestamp: u64,
}

/// A read of records by a filter, asked for page by page.
#[derive(Debug, Clone)]
pub(super) struct Pages {
    request: Request,
    reversed: bool,
    /// Records that are still wanted; none is all that there are.
    wanted: Option<u64>,
    /// Where the page under way begins, if it isn't the first.
    at: Option<Next>,
}

/// What a page brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// There are no further records.
    Last,
    /// There are further ones that are wanted.
    Wanted,
    /// As many as were wanted are here, and more lie behind them.
    More(Next),
}

impl Pages {
    /// The pages of a request with as many records as its limit says, or all. None for requests that
    /// always bring all that they ask for.
    pub(super) fn new(request: &Request, all: bool) -> Option<Self> {
        let (limit, reversed) = match request {
            Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                (filter.limit, filter.flags & AccountFilterFlags::REVERSED != 0)
            }
            Request::QueryAccounts(filter) => {
                (filter.limit, filter.flags & QueryFilterFlags::REVERSED != 0)
            }
            Request::QueryTransfers(filter) => {
                (filter.limit, filter.flags & QueryFilterFlags::REVERSED != 0)
            }
            _ => return None,
        };
        // A limit of 0 is the server's to refuse.
        let is_valid = limit != 0;
        let wanted = (!all).then_some(u64::from(limit));
        is_valid.then(|| Self { request: request.clone(), reversed, wanted, at: None })
    }

    /// The request for the next page: one record more than is wanted, to learn whether there is one.
    pub(super) fn ask(&mut self) -> &Request {
        let most = RECORDS_PER_REPLY_MAX as u64;
        let limit = self.wanted.map_or(most, |wanted| most.min(wanted + 1));
        *self.limit() = u32::try_from(limit).unwrap_or(u32::MAX);
        &self.request
    }

    /// Takes in the answer to [`Self::ask`], and cuts off what wasn't wanted.
    pub(super) fn turn(&mut self, reply: &mut Reply) -> Turned {
        let got = length(reply);
        let is_full = got >= u64::from(*self.limit());
        let shown = self.wanted.map_or(got, |wanted| got.min(wanted));
        truncate(reply, shown);
        if let Some(wanted) = &mut self.wanted {
            *wanted -= shown;
        }
        // Whether anything lies behind is known only by asking for it.
        let next = match last_timestamp(reply) {
            Some(last) => self.next_behind(last),
            None => self.at.filter(|_| got > 0),
        };
        let Some(next) = next.filter(|_| is_full) else { return Turned::Last };
        if got > shown {
            return Turned::More(next);
        }
        self.at = Some(next);
        let reversed = self.reversed;
        let (min, max) = self.bounds();
        if reversed {
            *max = next.timestamp;
        } else {
            *min = next.timestamp;
        }
        Turned::Wanted
    }

    /// Where to go on behind a record. None if nothing can lie there.
    fn next_behind(&mut self, last: u64) -> Option<Next> {
        let reversed = self.reversed;
        let (min, max) = self.bounds();
        if reversed {
            let timestamp = last.checked_sub(1).filter(|&next| next > 0 && next >= *min)?;
            return Some(Next { field: "timestamp_max", timestamp });
        }
        let most = if *max == 0 { TIMESTAMP_MAX } else { *max };
        let timestamp = last.checked_add(1).filter(|&next| next <= most)?;
        Some(Next { field: "timestamp_min", timestamp })
    }

    fn limit(&mut self) -> &mut u32 {
        match &mut self.request {
            Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                &mut filter.limit
            }
            Request::QueryAccounts(filter) => &mut filter.limit,
            Request::QueryTransfers(filter) => &mut filter.limit,
            other => unreachable!("{other:?} has no pages"),
        }
    }

    fn bounds(&mut self) -> (&mut u64, &mut u64) {
        match &mut self.request {
            Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                (&mut filter.timestamp_min, &mut filter.timestamp_max)
            }
            Request::QueryAccounts(filter) => {
                (&mut filter.timestamp_min, &mut filter.timestamp_max)
            }
            Request::QueryTransfers(filter) => {
                (&mut filter.timestamp_min, &mut filter.timestamp_max)
            }
            other => unreachable!("{other:?} has no pages"),
        }
    }
}

fn length(reply: &Reply) -> u64 {
    let length = match reply {
        Reply::Accounts(found) => found.len(),
        Reply::Transfers(found) => found.len(),
        Reply::Balances(found) => found.len(),
        _ => 0,
    };
    length as u64
}

fn truncate(reply: &mut Reply, length: u64) {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match reply {
        Reply::Accounts(found) => found.truncate(length),
        Reply::Transfers(found) => found.truncate(length),
        Reply::Balances(found) => found.truncate(length),
        _ => {}
    }
}

fn last_timestamp(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Accounts(found) => found.last().map(|record| record.timestamp),
        Reply::Transfers(found) => found.last().map(|record| record.timestamp),
        Reply::Balances(found) => found.last().map(|record| record.timestamp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{QueryTransfersFilter, Transfer};

    /// A ledger with transfers at the timestamps 1 to `count`.
    fn answer(request: &Request, count: u64) -> Reply {
        let Request::QueryTransfers(filter) = request else { panic!("{request:?}") };
        let (min, max) = filter.bounds();
        let at = |timestamp| Transfer { timestamp, ..Transfer::default() };
        let mut found: Vec<_> = (min.0.max(1)..=max.0.min(count)).map(at).collect();
        if filter.flags & QueryFilterFlags::REVERSED != 0 {
            found.reverse();
        }
        found.truncate((filter.limit as usize).min(RECORDS_PER_REPLY_MAX));
        Reply::Transfers(found)
    }

    /// The timestamps that come, where it would go on, and the requests that it took.
    fn read(filter: QueryTransfersFilter, all: bool, count: u64) -> (Vec<u64>, Option<Next>, u32) {
        let mut pages = Pages::new(&Request::QueryTransfers(filter), all).unwrap();
        let (mut found, mut asked) = (Vec::new(), 0);
        loop {
            let mut reply = answer(pages.ask(), count);
            asked += 1;
            let turned = pages.turn(&mut reply);
            let Reply::Transfers(records) = reply else { panic!("transfers were asked for") };
            found.extend(records.iter().map(|record| record.timestamp));
            match turned {
                Turned::Wanted => {}
                Turned::Last => return (found, None, asked),
                Turned::More(next) => return (found, Some(next), asked),
            }
        }
    }

    #[test]
    fn nothing_is_cut_without_a_word() {
        let most = RECORDS_PER_REPLY_MAX as u64;
        for count in [0, 1, 99, 100, 101, most - 1, most, most + 1, 2 * most, 20_001] {
            for limit in [1, 100, 8_189, 8_190, 8_191, 20_000, u32::MAX] {
                for reversed in [false, true] {
                    for all in [false, true] {
                        let flags = if reversed { QueryFilterFlags::REVERSED } else { 0 };
                        let filter = QueryTransfersFilter { limit, flags, ..Default::default() };
                        let (found, next, asked) = read(filter, all, count);
                        let shown = if all { count } else { count.min(limit.into()) };
                        let mut expected: Vec<u64> = (1..=count).collect();
                        if reversed {
                            expected.reverse();
                        }
                        let behind = expected.get(usize::try_from(shown).unwrap()).copied();
                        expected.truncate(usize::try_from(shown).unwrap());
                        assert_eq!(found, expected, "limit {limit} of {count}, all {all}");
                        assert_eq!(next.map(|next| next.timestamp), behind, "{limit} of {count}");
                        assert!(u64::from(asked) <= shown / most + 2);
                    }
                }
            }
        }
    }

    #[test]
    fn going_on_where_it_says_brings_the_rest() {
        for reversed in [false, true] {
            let flags = if reversed { QueryFilterFlags::REVERSED } else { 0 };
            let mut filter = QueryTransfersFilter { limit: 7, flags, ..Default::default() };
            let mut found = Vec::new();
            loop {
                let (page, next, _) = read(filter, false, 100);
                found.extend(page);
                match next {
                    None => break,
                    Some(next) if reversed => filter.timestamp_max = next.timestamp,
                    Some(next) => filter.timestamp_min = next.timestamp,
                }
            }
            found.sort_unstable();
            assert_eq!(found, (1..=100).collect::<Vec<_>>());
        }
    }
}
