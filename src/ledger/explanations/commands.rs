//! What each status of a command means.

use super::{Explanation, text};
use crate::ledger::CommandStatus;

explanations! { CommandStatus {
    AccountsMaxOutOfRange => text(
        "More accounts are asked for than there can ever be: 4,294,967,293.",
        "Ask for fewer.",
    );
    HoldsMaxOutOfRange => text(
        "More open holds are asked for than there can ever be: 4,294,967,293.",
        "Ask for fewer.",
    );
    AccountsMaxMustNotShrink => text(
        "There is room for more accounts than asked for, and a capacity never shrinks.",
        "Ask for more than now, or leave accounts_max at 0.",
    );
    HoldsMaxMustNotShrink => text(
        "There is room for more open holds than asked for, and a capacity never shrinks.",
        "Ask for more than now, or leave holds_max at 0.",
    );
    CapacityUnchanged => text(
        "The capacity is what was asked for already.",
        "Nothing, if you asked before and didn't see the answer; else ask for more.",
    );
    Done => text("It is done, and written down with its reason.", "Nothing.");
}}
