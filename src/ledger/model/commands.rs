//! Acts of operators.

use super::Model;
use crate::ledger::{Capacity, Command, CommandResult, CommandStatus, Timestamp};
use crate::limits::{ACCOUNTS_MAX, HOLDS_MAX};

impl Model {
    /// The same ledger with that much room, as the first frame of its log says.
    #[must_use]
    pub const fn with_capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// How much there may be now. What would exceed it is never ordered, so nothing here is held to it.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// One command that was ordered when the primary's clock read `clock`. It uses up one slot.
    pub fn command(&mut self, command: &Command, clock: Timestamp) -> CommandResult {
        let slot = self.base(clock.0) + 1;
        self.last_timestamp = slot;
        let Command::RaiseCapacity(asked) = command;
        let status = self.raise(*asked);
        CommandResult::of_capacity(slot, status.code(), self.capacity)
    }

    fn raise(&mut self, asked: Capacity) -> CommandStatus {
        let before = self.capacity;
        let mut after = before;
        if asked.accounts_max != 0 {
            after.accounts_max = asked.accounts_max;
        }
        if asked.holds_max != 0 {
            after.holds_max = asked.holds_max;
        }
        let refusals = [
            (asked.accounts_max > ACCOUNTS_MAX, CommandStatus::AccountsMaxOutOfRange),
            (asked.holds_max > HOLDS_MAX, CommandStatus::HoldsMaxOutOfRange),
            (after.accounts_max < before.accounts_max, CommandStatus::AccountsMaxMustNotShrink),
            (after.holds_max < before.holds_max, CommandStatus::HoldsMaxMustNotShrink),
            (after == before, CommandStatus::CapacityUnchanged),
        ];
        match refusals.iter().find(|(refused, _)| *refused) {
            Some((_, status)) => *status,
            None => {
                self.capacity = after;
                CommandStatus::Done
            }
        }
    }
}
