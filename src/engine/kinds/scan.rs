//! One slice of a scan over accounts.

use super::verbs::{Kind, Next};
use crate::engine::owners::{Answer, Owners, Read};
use crate::engine::parts::Parts;
use crate::engine::scans::{Scan, ScanCursor};
use crate::engine::source::Source;
use crate::ledger::Account;
use crate::wire::{ErrorCode, Reply, RequestError};

/// A slice under way.
#[derive(Debug)]
pub(in crate::engine) struct Slice {
    to: Source,
    scan: Scan,
    /// Whether the owners have nothing left to look at, and are asked for what they found.
    collecting: bool,
    found: Vec<Account>,
}

impl Slice {
    pub(super) const fn new(to: Source, scan: Scan) -> Self {
        Self { to, scan, collecting: false, found: Vec::new() }
    }

    /// The scan goes on when its turn comes again, unless it has had its time.
    fn end_slice<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        let rest = Scan {
            filter: self.scan.filter,
            cursors: std::mem::take(&mut self.scan.cursors),
            deadline_ns: self.scan.deadline_ns,
        };
        if parts.now.0 < rest.deadline_ns {
            parts.scans.put_back(self.to, rest);
        } else if parts.scans.end() {
            let text = "the accounts were not searched through in time";
            let error = RequestError::new(ErrorCode::DeadlineExceeded).with_detail(text);
            parts.reply(self.to, Reply::Error(error));
        }
        Next::Nothing
    }
}

impl Kind for Slice {
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        let owners = parts.crew.count();
        let filter = self.scan.filter;
        let mut cursors = std::mem::take(&mut self.scan.cursors);
        assert!(cursors.is_empty() || cursors.len() == owners, "each owner has its own cursor");
        cursors.resize_with(owners, || ScanCursor::new(filter));
        for (owner, cursor) in cursors.into_iter().enumerate().rev() {
            parts.crew.ask(owner, Read::Scan(Box::new(cursor)));
        }
    }

    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        let mut answers: Vec<_> = parts.crew.answers.drain(..).collect();
        answers.sort_by_key(|&(owner, _)| owner);
        let mut at_end = true;
        for (_, answer) in answers {
            match answer {
                Answer::Scan(cursor, ended) => {
                    at_end &= ended;
                    self.scan.cursors.push(*cursor);
                }
                Answer::Found(accounts) => self.found.extend(accounts),
                _ => unreachable!("only the scan was asked for"),
            }
        }
        if self.collecting {
            return Next::Decided;
        }
        assert_eq!(
            self.scan.cursors.len(),
            parts.crew.count(),
            "every owner gives its cursor back"
        );
        if !at_end {
            return self.end_slice(parts);
        }
        self.collecting = true;
        for (owner, cursor) in self.scan.cursors.drain(..).enumerate().rev() {
            parts.crew.ask(owner, Read::Found(Box::new(cursor)));
        }
        Next::Asked
    }

    fn answer<O: Owners>(self, parts: &mut Parts<O>) {
        if parts.scans.end() {
            let found = self.scan.merge(self.found);
            assert!(
                found.windows(2).all(|pair| pair[0].timestamp != pair[1].timestamp),
                "an account is found once"
            );
            parts.reply(self.to, Reply::Accounts(found));
        }
    }
}
