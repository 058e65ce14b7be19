//! The rules for acts of operators.

use crate::ledger::{Capacity, CommandStatus};
use crate::limits::{ACCOUNTS_MAX, HOLDS_MAX};

/// The capacity after a `raise_capacity`, or the first rule that refuses it. A number of 0 leaves that one
/// as it is.
///
/// # Errors
/// The first rule that refuses it.
pub const fn raise_capacity(now: Capacity, asked: Capacity) -> Result<Capacity, CommandStatus> {
    if asked.accounts_max > ACCOUNTS_MAX {
        return Err(CommandStatus::AccountsMaxOutOfRange);
    }
    if asked.holds_max > HOLDS_MAX {
        return Err(CommandStatus::HoldsMaxOutOfRange);
    }
    if asked.accounts_max != 0 && asked.accounts_max < now.accounts_max {
        return Err(CommandStatus::AccountsMaxMustNotShrink);
    }
    if asked.holds_max != 0 && asked.holds_max < now.holds_max {
        return Err(CommandStatus::HoldsMaxMustNotShrink);
    }
    let raised = Capacity {
        accounts_max: if asked.accounts_max == 0 { now.accounts_max } else { asked.accounts_max },
        holds_max: if asked.holds_max == 0 { now.holds_max } else { asked.holds_max },
    };
    if raised.accounts_max == now.accounts_max && raised.holds_max == now.holds_max {
        return Err(CommandStatus::CapacityUnchanged);
    }
    Ok(raised)
}
