//! Deciding a request of `create_accounts`.

use super::chain::{self, Chained};
use super::clock::BatchClock;
use crate::ledger::{Account, AccountFlags, CreateAccountStatus as Status, CreateResult};
use crate::limits::TIMESTAMP_MAX;

/// All that one new account refers to.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccountOperand {
    /// The account that had this id before the batch.
    pub stored: Option<Account>,
    /// The first event of the batch with the same id, itself if there is no earlier one.
    pub first: u32,
    /// A transfer has exactly the timestamp that is imported.
    pub timestamp_taken: bool,
}

/// The account that an event of this batch created.
#[derive(Debug, Clone, Copy)]
struct Creation {
    event: usize,
    timestamp: u64,
}

/// Decides requests of `create_accounts`; keeps its scratch space between batches.
#[derive(Debug, Default)]
pub struct AccountDecider {
    /// By first event of an id.
    created: Vec<Option<Creation>>,
    /// First events of the ids that the open chain created.
    undo: Vec<u32>,
}

impl AccountDecider {
    /// Starts a batch of that many events.
    pub fn start(&mut self, events: usize) {
        self.created.clear();
        self.created.resize(events, None);
        self.undo.clear();
    }

    /// Decides the request that covers `range` of the batch and appends its results.
    pub fn decide_request(
        &mut self,
        events: &[Account],
        operands: &[AccountOperand],
        range: std::ops::Range<usize>,
        clock: &mut BatchClock,
        results: &mut Vec<CreateResult>,
    ) {
        if range.is_empty() {
            return;
        }
        let mut request = Request {
            imported: events[range.start].has(AccountFlags::IMPORTED),
            batch_timestamp: clock.slot(range.end - 1),
            newest_before: clock.newest,
            in_chain: false,
            decider: self,
            events,
            operands,
            clock,
        };
        chain::decide_request(&mut request, range, results);
    }
}

struct Request<'a> {
    decider: &'a mut AccountDecider,
    events: &'a [Account],
    operands: &'a [AccountOperand],
    clock: &'a mut BatchClock,
    imported: bool,
    batch_timestamp: u64,
    newest_before: u64,
    in_chain: bool,
}

impl Chained for Request<'_> {
    fn is_linked(&self, at: usize) -> bool {
        self.events[at].has(AccountFlags::LINKED)
    }

    fn slot(&self, at: usize) -> u64 {
        self.clock.slot(at)
    }

    fn repeats(&self, at: usize) -> Option<CreateResult> {
        match self.prefix(at) {
            Err((Status::Exists, timestamp)) => Some(result(Status::Exists, timestamp)),
            _ => None,
        }
    }

    fn decide(&mut self, at: usize) -> CreateResult {
        match self.decide_one(at) {
            Ok(timestamp) => result(Status::Created, timestamp),
            Err((status, timestamp)) => result(status, timestamp),
        }
    }

    fn open_chain(&mut self) {
        self.in_chain = true;
        self.newest_before = self.clock.newest;
    }

    fn keep_chain(&mut self) {
        self.in_chain = false;
        self.decider.undo.clear();
    }

    fn roll_back_chain(&mut self) {
        self.in_chain = false;
        self.clock.newest = self.newest_before;
        while let Some(first) = self.decider.undo.pop() {
            self.decider.created[first as usize] = None;
        }
    }
}

/// A refusal, with the timestamp of its result.
type Refusal = (Status, u64);

impl Request<'_> {
    /// The rules up to and including the comparison with an account of the same id.
    fn prefix(&self, at: usize) -> Result<(), Refusal> {
        let event = &self.events[at];
        let slot = self.clock.slot(at);
        self.check_arrival(event).map_err(|status| (status, slot))?;
        let operand = &self.operands[at];
        let known = match operand.stored {
            Some(stored) => Some((stored, stored.timestamp)),
            None => self.decider.created[operand.first as usize]
                .map(|creation| (self.events[creation.event], creation.timestamp)),
        };
        match known.map(|(stored, timestamp)| (compare(event, &stored), timestamp)) {
            Some((Status::Exists, timestamp)) => Err((Status::Exists, timestamp)),
            Some((status, _)) => Err((status, slot)),
            None => Ok(()),
        }
    }

    fn check_arrival(&self, event: &Account) -> Result<(), Status> {
        match (self.imported, event.has(AccountFlags::IMPORTED)) {
            (true, false) => return Err(Status::ImportedEventExpected),
            (false, true) => return Err(Status::ImportedEventNotExpected),
            (true, true) if event.timestamp == 0 || event.timestamp > TIMESTAMP_MAX => {
                return Err(Status::ImportedEventTimestampOutOfRange);
            }
            (true, true) if event.timestamp >= self.batch_timestamp => {
                return Err(Status::ImportedEventTimestampMustNotAdvance);
            }
            (false, false) if event.timestamp != 0 => return Err(Status::TimestampMustBeZero),
            _ => {}
        }
        if event.reserved != 0 {
            return Err(Status::ReservedField);
        }
        if event.flags & !AccountFlags::ALL != 0 {
            return Err(Status::ReservedFlag);
        }
        if event.id == 0 {
            return Err(Status::IdMustNotBeZero);
        }
        if event.id == u128::MAX {
            return Err(Status::IdMustNotBeIntMax);
        }
        Ok(())
    }

    fn decide_one(&mut self, at: usize) -> Result<u64, Refusal> {
        self.prefix(at)?;
        let event = &self.events[at];
        let operand = &self.operands[at];
        let slot = self.clock.slot(at);
        check_fields(event).map_err(|status| (status, slot))?;
        let timestamp = if self.imported { event.timestamp } else { slot };
        if self.imported && (timestamp <= self.clock.newest || operand.timestamp_taken) {
            return Err((Status::ImportedEventTimestampMustNotRegress, slot));
        }
        // Nothing can fail from here on.
        self.clock.newest = timestamp;
        self.decider.created[operand.first as usize] = Some(Creation { event: at, timestamp });
        if self.in_chain {
            self.decider.undo.push(operand.first);
        }
        Ok(timestamp)
    }
}

const fn result(status: Status, timestamp: u64) -> CreateResult {
    CreateResult { timestamp, status: status.code(), reserved: 0 }
}

fn check_fields(event: &Account) -> Result<(), Status> {
    let rules = [
        (
            event.has(
                AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
                    | AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
            ),
            Status::FlagsAreMutuallyExclusive,
        ),
        (event.debits_pending != 0, Status::DebitsPendingMustBeZero),
        (event.debits_posted != 0, Status::DebitsPostedMustBeZero),
        (event.credits_pending != 0, Status::CreditsPendingMustBeZero),
        (event.credits_posted != 0, Status::CreditsPostedMustBeZero),
        (event.ledger == 0, Status::LedgerMustNotBeZero),
        (event.code == 0, Status::CodeMustNotBeZero),
    ];
    rules.iter().find(|(broken, _)| *broken).map_or(Ok(()), |&(_, status)| Err(status))
}

/// `linked` and `closed` describe a batch or a later event, not the account's identity.
fn compare(request: &Account, stored: &Account) -> Status {
    const IGNORED: u16 = AccountFlags::LINKED | AccountFlags::CLOSED;
    if (request.flags ^ stored.flags) & !IGNORED != 0 {
        Status::ExistsWithDifferentFlags
    } else if request.user_data_128 != stored.user_data_128 {
        Status::ExistsWithDifferentUserData128
    } else if request.user_data_64 != stored.user_data_64 {
        Status::ExistsWithDifferentUserData64
    } else if request.user_data_32 != stored.user_data_32 {
        Status::ExistsWithDifferentUserData32
    } else if request.ledger != stored.ledger {
        Status::ExistsWithDifferentLedger
    } else if request.code != stored.code {
        Status::ExistsWithDifferentCode
    } else {
        Status::Exists
    }
}
