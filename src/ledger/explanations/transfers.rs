//! The statuses of `create_transfers` in words.

use super::{
    CHAIN_OPEN, CREATED, Explanation, ID_MAX, ID_ZERO, IMPORTED_ADVANCE, IMPORTED_EXPECTED,
    IMPORTED_NOT_EXPECTED, IMPORTED_RANGE, IMPORTED_REGRESS, LEDGER_ZERO, LINKED_FAILED,
    OTHER_USER_DATA, RESERVED_FLAG, TIMESTAMP_ZERO, text,
};
use crate::ledger::CreateTransferStatus;

const ACCOUNT_ID: &str = "Name an account by its id, from 1 to 2^128 - 2.";
const PENDING_ID: &str = "Name the hold by its id in pending_id, from 1 to 2^128 - 2.";
const LEAVE_OR_EQUAL: &str =
    "Leave the field at 0, which takes it from the hold, or give it the hold's value.";
const OTHER_TRANSFER: &str =
    "Look the transfer up. If yours is another payment, give it an id of its own.";
const TOO_MUCH: &str = "No counter can hold more than 2^128 - 1: check the amount's unit.";
const ANOTHER_HOLD: &str =
    "A hold is settled once: look up what became of it, and book what is still owed by itself.";

explanations! { CreateTransferStatus {
    Created => CREATED;
    LinkedEventFailed => LINKED_FAILED;
    LinkedEventChainOpen => CHAIN_OPEN;
    TimestampMustBeZero => TIMESTAMP_ZERO;
    ReservedFlag => RESERVED_FLAG;
    IdMustNotBeZero => ID_ZERO;
    IdMustNotBeIntMax => ID_MAX;
    LedgerMustNotBeZero => LEDGER_ZERO;
    ImportedEventExpected => IMPORTED_EXPECTED;
    ImportedEventNotExpected => IMPORTED_NOT_EXPECTED;
    ImportedEventTimestampOutOfRange => IMPORTED_RANGE;
    ImportedEventTimestampMustNotAdvance => IMPORTED_ADVANCE;
    ImportedEventTimestampMustNotRegress => IMPORTED_REGRESS;
    ExistsWithDifferentUserData128 => OTHER_USER_DATA;
    ExistsWithDifferentUserData64 => OTHER_USER_DATA;
    ExistsWithDifferentUserData32 => OTHER_USER_DATA;
    FlagsAreMutuallyExclusive => text(
        "A post or void has a flag of another kind of transfer.",
        "Set post_pending_transfer or void_pending_transfer, without pending, balancing or closing flags.",
    );
    DebitAccountIdMustNotBeZero => text(
        "The debit_account_id is 0.",
        ACCOUNT_ID,
    );
    DebitAccountIdMustNotBeIntMax => text(
        "The debit_account_id is 2^128 - 1.",
        ACCOUNT_ID,
    );
    CreditAccountIdMustNotBeZero => text(
        "The credit_account_id is 0.",
        ACCOUNT_ID,
    );
    CreditAccountIdMustNotBeIntMax => text(
        "The credit_account_id is 2^128 - 1.",
        ACCOUNT_ID,
    );
    AccountsMustBeDifferent => text(
        "Debit and credit account are the same.",
        "Name two accounts: every transfer moves from one to another.",
    );
    PendingIdMustBeZero => text(
        "A pending_id is set on a transfer that neither posts nor voids a hold.",
        "Set post_pending_transfer or void_pending_transfer, or leave pending_id at 0.",
    );
    PendingIdMustNotBeZero => text(
        "A post or void names no hold.",
        PENDING_ID,
    );
    PendingIdMustNotBeIntMax => text(
        "The pending_id is 2^128 - 1.",
        PENDING_ID,
    );
    PendingIdMustBeDifferent => text(
        "A post or void names itself as the hold.",
        "Give the post or void an id of its own, and name the hold in pending_id.",
    );
    TimeoutReservedForPendingTransfer => text(
        "A timeout is set on a transfer that isn't a hold.",
        "Set the flag pending, or leave timeout at 0.",
    );
    CodeMustNotBeZero => text(
        "The code is 0.",
        "Name the code: a number of yours for the reason of the transfer.",
    );
    DebitAccountNotFound => text(
        "There is no account with the debit_account_id.",
        "Create the account, then send the transfer under a new id: this one is burned.",
    );
    CreditAccountNotFound => text(
        "There is no account with the credit_account_id.",
        "Create the account, then send the transfer under a new id: this one is burned.",
    );
    AccountsMustHaveTheSameLedger => text(
        "The two accounts belong to different ledgers.",
        "Exchange by two linked transfers, one in each ledger, over accounts of your own in both.",
    );
    TransferMustHaveTheSameLedgerAsAccounts => text(
        "The transfer's ledger isn't that of its accounts.",
        "Give the transfer the ledger of its accounts.",
    );
    PendingTransferNotFound => text(
        "There is no transfer with the pending_id.",
        "Check the hold's id, then send the post or void under a new id: this one is burned.",
    );
    PendingTransferNotPending => text(
        "The transfer with the pending_id isn't a hold.",
        "Name a transfer that was created with the flag pending.",
    );
    PendingTransferHasDifferentDebitAccountId => text(
        "The debit_account_id isn't that of the hold.",
        LEAVE_OR_EQUAL,
    );
    PendingTransferHasDifferentCreditAccountId => text(
        "The credit_account_id isn't that of the hold.",
        LEAVE_OR_EQUAL,
    );
    PendingTransferHasDifferentLedger => text(
        "The ledger isn't that of the hold.",
        LEAVE_OR_EQUAL,
    );
    PendingTransferHasDifferentCode => text(
        "The code isn't that of the hold.",
        LEAVE_OR_EQUAL,
    );
    ExceedsPendingTransferAmount => text(
        "More would be posted than the hold reserves.",
        "Post at most the held amount, and book what goes beyond by a transfer of its own.",
    );
    PendingTransferHasDifferentAmount => text(
        "A void has another amount than the hold.",
        "Leave the amount of a void at 0; a partial release is a post of the rest.",
    );
    PendingTransferAlreadyPosted => text(
        "The hold was posted before.",
        ANOTHER_HOLD,
    );
    PendingTransferAlreadyVoided => text(
        "The hold was voided before.",
        ANOTHER_HOLD,
    );
    PendingTransferExpired => text(
        "The hold's timeout was over before this post or void; the amount is released.",
        ANOTHER_HOLD,
    );
    ExistsWithDifferentFlags => text(
        "A transfer with this id exists and its flags differ.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentDebitAccountId => text(
        "A transfer with this id exists and debits another account.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentCreditAccountId => text(
        "A transfer with this id exists and credits another account.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentAmount => text(
        "A transfer with this id exists and its amount differs.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentPendingId => text(
        "A transfer with this id exists and settles another hold.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentTimeout => text(
        "A transfer with this id exists and its timeout differs.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentCode => text(
        "A transfer with this id exists and its code differs.",
        OTHER_TRANSFER,
    );
    ExistsWithDifferentLedger => text(
        "A transfer with this id exists in another ledger; ids are unique over all ledgers.",
        OTHER_TRANSFER,
    );
    Exists => text(
        "The same transfer was created before; the timestamp is that of the first time.",
        "Nothing: treat it as created.",
    );
    OverflowsDebitsPending => text(
        "The debit account's pending debits would overflow.",
        TOO_MUCH,
    );
    OverflowsCreditsPending => text(
        "The credit account's pending credits would overflow.",
        TOO_MUCH,
    );
    OverflowsDebitsPosted => text(
        "The debit account's posted debits would overflow.",
        TOO_MUCH,
    );
    OverflowsCreditsPosted => text(
        "The credit account's posted credits would overflow.",
        TOO_MUCH,
    );
    OverflowsDebits => text(
        "The debit account's pending and posted debits together would overflow.",
        TOO_MUCH,
    );
    OverflowsCredits => text(
        "The credit account's pending and posted credits together would overflow.",
        TOO_MUCH,
    );
    OverflowsTimeout => text(
        "The hold would end after the year 2262, beyond what a timestamp can hold.",
        "Choose a shorter timeout, or 0 for none.",
    );
    ExceedsCredits => text(
        "The debit account may not spend more than its posted credits, and pending and posted debits with this amount would exceed them. Pending credits are not funds.",
        "Look at the account's balance; fund it or send less, under a new id: this one is burned.",
    );
    ExceedsDebits => text(
        "The credit account may not receive more than its posted debits, and pending and posted credits with this amount would exceed them. Pending debits don't count.",
        "Look at the account's balance; send less, or debit it first, under a new id: this one is burned.",
    );
    ImportedEventTimestampMustPostdateDebitAccount => text(
        "The imported timestamp isn't later than that of the debit account.",
        "Import the account with an earlier timestamp than its first transfer.",
    );
    ImportedEventTimestampMustPostdateCreditAccount => text(
        "The imported timestamp isn't later than that of the credit account.",
        "Import the account with an earlier timestamp than its first transfer.",
    );
    ImportedEventTimeoutMustBeZero => text(
        "An imported hold has a timeout.",
        "Leave timeout at 0, and void what expired by an imported transfer.",
    );
    ClosingTransferMustBePending => text(
        "A closing transfer isn't a hold.",
        "Set the flag pending beside closing_debit or closing_credit.",
    );
    DebitAccountAlreadyClosed => text(
        "The debit account is closed.",
        "Void the hold that closed it to open it again, or use another account, under a new id: this one is burned.",
    );
    CreditAccountAlreadyClosed => text(
        "The credit account is closed.",
        "Void the hold that closed it to open it again, or use another account, under a new id: this one is burned.",
    );
    IdAlreadyFailed => text(
        "A transfer with this id was refused before for the state of the ledger, so the id is burned: its outcome never changes.",
        "See by partita explain what it was refused for; send the payment under a new id.",
    );
    IdFenced => text(
        "The id was fenced: somebody made sure that it never happens.",
        "If the payment is still wanted, send it under a new id.",
    );
}}
