//! The statuses of `create_accounts` in words.

use super::{
    CHAIN_OPEN, CREATED, Explanation, ID_MAX, ID_ZERO, IMPORTED_ADVANCE, IMPORTED_EXPECTED,
    IMPORTED_NOT_EXPECTED, IMPORTED_RANGE, IMPORTED_REGRESS, LEDGER_ZERO, LINKED_FAILED,
    OTHER_USER_DATA, RESERVED_FLAG, TIMESTAMP_ZERO, text,
};
use crate::ledger::CreateAccountStatus;

const NEW_BALANCE: Explanation = text(
    "A new account brings a balance, which only transfers make.",
    "Leave the four counters at 0, and book the opening balance by a transfer.",
);

explanations! { CreateAccountStatus {
    Created => CREATED;
    LinkedEventFailed => LINKED_FAILED;
    LinkedEventChainOpen => CHAIN_OPEN;
    TimestampMustBeZero => TIMESTAMP_ZERO;
    ReservedField => text("A reserved field of the account isn't 0.", "Leave reserved fields at 0.");
    ReservedFlag => RESERVED_FLAG;
    IdMustNotBeZero => ID_ZERO;
    IdMustNotBeIntMax => ID_MAX;
    FlagsAreMutuallyExclusive => text(
        "The account would be limited on both sides at once.",
        "Choose debits_must_not_exceed_credits or credits_must_not_exceed_debits.",
    );
    DebitsPendingMustBeZero => NEW_BALANCE;
    DebitsPostedMustBeZero => NEW_BALANCE;
    CreditsPendingMustBeZero => NEW_BALANCE;
    CreditsPostedMustBeZero => NEW_BALANCE;
    LedgerMustNotBeZero => LEDGER_ZERO;
    CodeMustNotBeZero => {
        text("The code is 0.", "Name the code: a number of yours for the type of account.")
    };
    ExistsWithDifferentFlags => text(
        "An account with this id exists and its flags differ.",
        "Look it up. Flags can't be changed; if yours is another account, give it another id.",
    );
    ExistsWithDifferentUserData128 => OTHER_USER_DATA;
    ExistsWithDifferentUserData64 => OTHER_USER_DATA;
    ExistsWithDifferentUserData32 => OTHER_USER_DATA;
    ExistsWithDifferentLedger => text(
        "An account with this id exists in another ledger; ids are unique over all ledgers.",
        "Give the account of each ledger an id of its own.",
    );
    ExistsWithDifferentCode => text(
        "An account with this id exists and its code differs.",
        "Look it up. If yours is another account, give it an id of its own.",
    );
    Exists => text(
        "The same account was created before; the timestamp is that of the first time.",
        "Nothing: treat it as created.",
    );
    ImportedEventExpected => IMPORTED_EXPECTED;
    ImportedEventNotExpected => IMPORTED_NOT_EXPECTED;
    ImportedEventTimestampOutOfRange => IMPORTED_RANGE;
    ImportedEventTimestampMustNotAdvance => IMPORTED_ADVANCE;
    ImportedEventTimestampMustNotRegress => IMPORTED_REGRESS;
}}
