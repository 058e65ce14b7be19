//! Acts of operators: sensible ones, careless ones and hopeless ones.

use super::{Step, Workload};
use crate::ledger::{Capacity, Command};
use crate::limits::{ACCOUNTS_MAX, HOLDS_MAX, REASON_BYTES_MAX};

impl Workload {
    pub(super) fn command_step(&mut self) -> Step {
        let accounts_max = self.room(ACCOUNTS_MAX);
        let holds_max = self.room(HOLDS_MAX);
        let command = Command::RaiseCapacity(Capacity { accounts_max, holds_max });
        let length =
            if self.random.percent(10) { REASON_BYTES_MAX } else { 1 + self.random.index(40) };
        Step::Command { command, reason: "r".repeat(length) }
    }

    /// As it is, more, less, or more than there can be.
    fn room(&mut self, most: u64) -> u64 {
        match self.random.below(8) {
            0..=2 => 0,
            3 => self.random.between(1, 1 << 20),
            4 => most + self.random.below(3),
            _ => (1 << 20) + self.random.below(1 << 31),
        }
    }
}
