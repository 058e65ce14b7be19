//! Which statuses and situations a run has met, and how often.

use std::collections::BTreeMap;

use crate::ledger::{
    CommandResult, CommandStatus, CreateAccountStatus, CreateResult, CreateTransferStatus,
};

/// A tally of the answers to create events, by kind and status.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    accounts: BTreeMap<u32, u64>,
    transfers: BTreeMap<u32, u64>,
    commands: BTreeMap<u32, u64>,
    situations: BTreeMap<Situation, u64>,
}

/// Something worth meeting that no status shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Situation {
    ChainCreatedWhole,
    ChainResentWhole,
    ImportedChainRolledBack,
    IdBurnedInRolledBackChain,
    AmountCutByBalancing,
    HoldPostedInPart,
    HoldSettledInItsOwnRequest,
    HoldSettledByImport,
    HoldWithTimeoutSettled,
    HoldExpired,
    HoldDueButNotReleased,
    AccountReopenedByVoid,
    AccountReopenedByExpiry,
}

impl Situation {
    /// Every situation.
    pub const ALL: [Self; 13] = [
        Self::ChainCreatedWhole,
        Self::ChainResentWhole,
        Self::ImportedChainRolledBack,
        Self::IdBurnedInRolledBackChain,
        Self::AmountCutByBalancing,
        Self::HoldPostedInPart,
        Self::HoldSettledInItsOwnRequest,
        Self::HoldSettledByImport,
        Self::HoldWithTimeoutSettled,
        Self::HoldExpired,
        Self::HoldDueButNotReleased,
        Self::AccountReopenedByVoid,
        Self::AccountReopenedByExpiry,
    ];
}

impl Coverage {
    /// Counts the answers to a `create_accounts` request.
    pub fn count_accounts(&mut self, results: &[CreateResult]) {
        for result in results {
            *self.accounts.entry(result.status).or_default() += 1;
        }
    }

    /// Counts the answers to a `create_transfers` request.
    pub fn count_transfers(&mut self, results: &[CreateResult]) {
        for result in results {
            *self.transfers.entry(result.status).or_default() += 1;
        }
    }

    /// Counts the answer to a command.
    pub fn count_command(&mut self, result: &CommandResult) {
        *self.commands.entry(result.status).or_default() += 1;
    }

    /// Counts a situation.
    pub fn count(&mut self, situation: Situation) {
        *self.situations.entry(situation).or_default() += 1;
    }

    /// How often a situation occurred.
    #[must_use]
    pub fn times(&self, situation: Situation) -> u64 {
        self.situations.get(&situation).copied().unwrap_or(0)
    }

    /// Adds another run to this one.
    pub fn add(&mut self, other: &Self) {
        for (status, count) in &other.accounts {
            *self.accounts.entry(*status).or_default() += count;
        }
        for (status, count) in &other.transfers {
            *self.transfers.entry(*status).or_default() += count;
        }
        for (status, count) in &other.commands {
            *self.commands.entry(*status).or_default() += count;
        }
        for (situation, count) in &other.situations {
            *self.situations.entry(*situation).or_default() += count;
        }
    }

    /// All events.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.accounts.values().sum::<u64>() + self.transfers.values().sum::<u64>()
    }

    /// How many events of 100 weren't created.
    #[must_use]
    pub fn failed_percent(&self) -> u64 {
        let created = |tally: &BTreeMap<u32, u64>, code| tally.get(&code).copied().unwrap_or(0);
        let created = created(&self.accounts, CreateAccountStatus::Created.code())
            + created(&self.transfers, CreateTransferStatus::Created.code());
        let events = self.events().max(1);
        (events - created.min(events)) * 100 / events
    }

    /// How many different pairs of kind and status occurred.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.accounts.len() + self.transfers.len()
    }

    /// The statuses that never occurred, as `kind: name`.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let accounts = CreateAccountStatus::ALL
            .iter()
            .filter(|status| !self.accounts.contains_key(&status.code()))
            .map(|status| format!("account: {status}"));
        let transfers = CreateTransferStatus::ALL
            .iter()
            .filter(|status| !self.transfers.contains_key(&status.code()))
            .map(|status| format!("transfer: {status}"));
        let commands = CommandStatus::ALL
            .iter()
            .filter(|status| !self.commands.contains_key(&status.code()))
            .map(|status| format!("command: {status}"));
        accounts.chain(transfers).chain(commands).collect()
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} events, {} % failed", self.events(), self.failed_percent())?;
        for (code, count) in &self.accounts {
            let name = CreateAccountStatus::from_code(*code).map_or("?", |status| status.name());
            writeln!(f, "{count:>8}  account: {name}")?;
        }
        for (code, count) in &self.transfers {
            let name = CreateTransferStatus::from_code(*code).map_or("?", |status| status.name());
            writeln!(f, "{count:>8}  transfer: {name}")?;
        }
        for (code, count) in &self.commands {
            let name = CommandStatus::from_code(*code).map_or("?", |status| status.name());
            writeln!(f, "{count:>8}  command: {name}")?;
        }
        for (situation, count) in &self.situations {
            writeln!(f, "{count:>8}  {situation:?}")?;
        }
        Ok(())
    }
}
