//! What each status of a create operation or a command means and what to do about it, in words for people.
//!
//! The matches below name every status, so that one without a text doesn't compile.

/// Gives each status of a type its words.
macro_rules! explanations {
    ($status:ident { $($variant:ident => $words:expr;)* }) => {
        impl $status {
            /// What this status means and what to do about it.
            #[must_use]
            pub const fn explain(self) -> Explanation {
                match self {
                    $(Self::$variant => $words,)*
                }
            }
        }
    };
}

mod accounts;
mod commands;
mod transfers;

/// A status in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What happened, and why.
    pub meaning: &'static str,
    /// What to do now.
    pub remedy: &'static str,
}

const fn text(meaning: &'static str, remedy: &'static str) -> Explanation {
    Explanation { meaning, remedy }
}

const CREATED: Explanation = text("The record is there, exactly once.", "Nothing.");
const LINKED_FAILED: Explanation = text(
    "Another event of the same chain was refused, so none of the chain happened.",
    "Look for the event of the chain with another status, mend that one, and send the whole chain again.",
);
const CHAIN_OPEN: Explanation = text(
    "The last event of the request has the flag linked, but no event follows that would end the chain.",
    "Leave the flag linked out of the last event of a chain, and send the chain in one request.",
);
const TIMESTAMP_ZERO: Explanation = text(
    "The event brings a timestamp, which the server gives.",
    "Leave timestamp at 0, or set the flag imported on every event of the request.",
);
const RESERVED_FLAG: Explanation =
    text("The flags have a bit without a meaning.", "Set only the flags that the documents name.");
const ID_ZERO: Explanation = text("The id is 0.", "Choose an id from 1 to 2^128 - 2.");
const ID_MAX: Explanation = text("The id is 2^128 - 1.", "Choose an id from 1 to 2^128 - 2.");
const LEDGER_ZERO: Explanation =
    text("The ledger is 0.", "Name the ledger: a number of yours for each currency or asset.");
const IMPORTED_EXPECTED: Explanation = text(
    "The first event of the request is imported and this one isn't.",
    "Set the flag imported on every event of a request, or on none.",
);
const IMPORTED_NOT_EXPECTED: Explanation = text(
    "This event is imported and the first one of the request isn't.",
    "Set the flag imported on every event of a request, or on none.",
);
const IMPORTED_RANGE: Explanation = text(
    "An imported event needs a timestamp from 1 to 2^63 - 1.",
    "Give the time of the event in nanoseconds since 1970.",
);
const IMPORTED_ADVANCE: Explanation = text(
    "The imported timestamp lies in the server's future.",
    "Import only what has happened; look at the clocks of both machines.",
);
const IMPORTED_REGRESS: Explanation = text(
    "The imported timestamp isn't later than the newest record of its kind, or another record has it.",
    "Import in the order of time, oldest first, each with a timestamp of its own.",
);
const OTHER_USER_DATA: Explanation = text(
    "A record with this id exists and its user_data differs.",
    "Look it up. If yours is another record, give it an id of its own.",
);

#[cfg(test)]
mod tests {
    use super::Explanation;
    use crate::ledger::{CommandStatus, CreateAccountStatus, CreateTransferStatus};

    #[test]
    fn texts_are_sentences_and_say_that_an_id_is_burned() {
        let is_sentence =
            |text: &str| text.ends_with('.') && text.starts_with(|c: char| c.is_uppercase());
        let check = |name: &str, Explanation { meaning, remedy }: Explanation| {
            assert!(is_sentence(meaning), "{name}: {meaning}");
            assert!(is_sentence(remedy), "{name}: {remedy}");
        };
        for status in CreateAccountStatus::ALL {
            check(status.name(), status.explain());
        }
        for status in CommandStatus::ALL {
            check(status.name(), status.explain());
        }
        for status in CreateTransferStatus::ALL {
            check(status.name(), status.explain());
            let new_id = status.explain().remedy.contains("new id");
            assert!(new_id || !status.burns_id(), "{status} burns its id");
        }
    }
}
