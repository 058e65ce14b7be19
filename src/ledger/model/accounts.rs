//! May this account be created?

use super::Model;
use super::batch::{Common, Event};
use crate::ledger::CreateAccountStatus::{self as Status, *};
use crate::ledger::{Account, AccountFlags};

impl Event for Account {
    type Status = Status;

    const COMMON: Common<Status> = Common {
        created: Created,
        exists: Exists,
        linked_event_failed: LinkedEventFailed,
        linked_event_chain_open: LinkedEventChainOpen,
        imported_event_expected: ImportedEventExpected,
        imported_event_not_expected: ImportedEventNotExpected,
        imported_event_timestamp_out_of_range: ImportedEventTimestampOutOfRange,
        imported_event_timestamp_must_not_advance: ImportedEventTimestampMustNotAdvance,
        timestamp_must_be_zero: TimestampMustBeZero,
    };

    fn is_linked(&self) -> bool {
        self.has(AccountFlags::LINKED)
    }

    fn is_imported(&self) -> bool {
        self.has(AccountFlags::IMPORTED)
    }

    fn timestamp(&self) -> u64 {
        self.timestamp
    }

    fn with_timestamp(self, timestamp: u64) -> Self {
        Self { timestamp, ..self }
    }

    fn number(status: Status) -> u32 {
        status.code()
    }

    fn judge(&self, model: &Model) -> Result<Self, Status> {
        if self.reserved != 0 {
            return Err(ReservedField);
        }
        if self.flags & !AccountFlags::ALL != 0 {
            return Err(ReservedFlag);
        }
        if self.id == 0 {
            return Err(IdMustNotBeZero);
        }
        if self.id == u128::MAX {
            return Err(IdMustNotBeIntMax);
        }
        if let Some(existing) = model.accounts.get(&self.id) {
            return Err(compare(self, existing));
        }
        let limits = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
            | AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS;
        if self.has(limits) {
            return Err(FlagsAreMutuallyExclusive);
        }
        if self.debits_pending != 0 {
            return Err(DebitsPendingMustBeZero);
        }
        if self.debits_posted != 0 {
            return Err(DebitsPostedMustBeZero);
        }
        if self.credits_pending != 0 {
            return Err(CreditsPendingMustBeZero);
        }
        if self.credits_posted != 0 {
            return Err(CreditsPostedMustBeZero);
        }
        if self.ledger == 0 {
            return Err(LedgerMustNotBeZero);
        }
        if self.code == 0 {
            return Err(CodeMustNotBeZero);
        }
        if self.is_imported() && model.account_timestamp_regresses(self.timestamp) {
            return Err(ImportedEventTimestampMustNotRegress);
        }
        Ok(*self)
    }

    fn enter(self, model: &mut Model) {
        model.accounts.put(self.id, self);
        model.accounts_by_timestamp.put(self.timestamp, self.id);
    }

    fn burn(&self, _: Status, _: &mut Model) {}

    fn original_timestamp(&self, model: &Model) -> u64 {
        model.accounts.rows()[&self.id].timestamp
    }
}

/// What a request with the id of an existing account answers. `linked` describes the batch and
/// `closed` a later event, so neither is part of the account's identity.
fn compare(request: &Account, existing: &Account) -> Status {
    let identity = AccountFlags::ALL & !AccountFlags::LINKED & !AccountFlags::CLOSED;
    if request.flags & identity != existing.flags & identity {
        ExistsWithDifferentFlags
    } else if request.user_data_128 != existing.user_data_128 {
        ExistsWithDifferentUserData128
    } else if request.user_data_64 != existing.user_data_64 {
        ExistsWithDifferentUserData64
    } else if request.user_data_32 != existing.user_data_32 {
        ExistsWithDifferentUserData32
    } else if request.ledger != existing.ledger {
        ExistsWithDifferentLedger
    } else if request.code != existing.code {
        ExistsWithDifferentCode
    } else {
        Exists
    }
}

impl Model {
    /// Whether an imported account of that moment would stand before an account that is there
    /// already, or at the very moment of a transfer.
    fn account_timestamp_regresses(&self, timestamp: u64) -> bool {
        let newest = self.accounts_by_timestamp.rows().last_key_value();
        newest.is_some_and(|(newest, _)| timestamp <= *newest)
            || self.transfers_by_timestamp.contains(&timestamp)
    }
}
