//! Random requests that are likely to be interesting.
//!
//! It owns a light memory of what it has sent and what it was told, so that later requests can
//! repeat, settle, contradict and race earlier ones on a small, skewed set of accounts. It promises
//! the same requests for the same seed, times and answers. It knows nothing of balances and never
//! predicts an answer: that is the model's business.

mod accounts;
mod commands;
mod faults;
mod filters;
mod memory;
mod transfers;

use super::random::Random;
use crate::ledger::{Account, Command, CreateResult, Timestamp, Transfer};
use memory::Memory;

/// What a workload consists of. The percentages of events need not add up: they are tried in the
/// order in which they stand here, and what is left over is plain transfers.
#[derive(Debug, Clone)]
pub struct WorkloadOptions {
    /// Accounts that the first request creates.
    pub accounts: usize,
    /// Ledgers that they are spread over.
    pub ledgers: u32,
    /// Events in one request, at most.
    pub events_per_request_max: usize,
    /// Requests of the same kind that are handed over together, at most.
    pub requests_per_step_max: usize,

    /// Steps that create accounts.
    pub percent_account_steps: u64,
    /// Steps that ask what became of ids.
    pub percent_resolve_steps: u64,
    /// Steps that let holds expire.
    pub percent_expiry_steps: u64,
    /// Steps in which an operator acts.
    pub percent_command_steps: u64,
    /// Pauses of seconds, which outlast short timeouts.
    pub percent_long_pauses: u64,
    /// Requests that bring their own timestamps.
    pub percent_imported: u64,

    /// Runs of linked events, among the single ones.
    pub percent_chains: u64,
    /// Events that repeat one sent before, as it was or with one field changed.
    pub percent_repeated: u64,
    /// Events with one field made wrong.
    pub percent_spoiled: u64,

    /// Posts and voids.
    pub percent_settling: u64,
    /// Holds.
    pub percent_pending: u64,
    /// Balancing transfers.
    pub percent_balancing: u64,
    /// Closing holds.
    pub percent_closing: u64,
    /// Transfers of amounts near the largest one.
    pub percent_huge: u64,
}

impl Default for WorkloadOptions {
    fn default() -> Self {
        Self {
            accounts: 24,
            ledgers: 2,
            events_per_request_max: 24,
            requests_per_step_max: 3,
            percent_account_steps: 10,
            percent_resolve_steps: 6,
            percent_expiry_steps: 8,
            percent_command_steps: 2,
            percent_long_pauses: 10,
            percent_imported: 12,
            percent_chains: 10,
            percent_repeated: 12,
            percent_spoiled: 12,
            percent_settling: 25,
            percent_pending: 25,
            percent_balancing: 8,
            percent_closing: 2,
            percent_huge: 6,
        }
    }
}

/// What the workload does next. Requests that stand together may be ordered as one batch.
#[derive(Debug, Clone)]
pub enum Step {
    /// Requests to create accounts.
    CreateAccounts(Vec<Vec<Account>>),
    /// Requests to create transfers.
    CreateTransfers(Vec<Vec<Transfer>>),
    /// A request that asks for, or fences, these ids.
    Resolve {
        /// Transfer ids.
        ids: Vec<u128>,
        /// Whether ids that were never seen are fenced.
        fence: bool,
    },
    /// Holds that are due may be released now.
    Expire,
    /// An operator acts.
    Command {
        /// What is done.
        command: Command,
        /// Why.
        reason: String,
    },
}

/// A stream of steps. See the [module](self).
#[derive(Debug)]
pub struct Workload {
    random: Random,
    options: WorkloadOptions,
    memory: Memory,
    now: u64,
}

impl Workload {
    /// The workload of that seed.
    #[must_use]
    pub fn new(seed: u64, options: WorkloadOptions) -> Self {
        Self { random: Random::new(seed), options, memory: Memory::default(), now: 0 }
    }

    /// Events in so many requests, at most.
    #[must_use]
    pub const fn events_max(&self, requests: usize) -> usize {
        // The first request of all has more than those behind it.
        requests * self.options.events_per_request_max + self.options.accounts
    }

    /// How many nanoseconds pass before the next step.
    pub fn pause_ns(&mut self) -> u64 {
        if self.random.percent(self.options.percent_long_pauses) {
            self.random.between(500_000_000, 3_000_000_000)
        } else if self.random.percent(20) {
            0
        } else {
            self.random.between(1, 5_000_000)
        }
    }

    /// What is done when the clock reads `now`.
    pub fn step(&mut self, now: Timestamp) -> Step {
        self.now = now.0;
        let options = &self.options;
        let accounts = options.percent_account_steps;
        let resolve = accounts + options.percent_resolve_steps;
        let expiry = resolve + options.percent_expiry_steps;
        let command = expiry + options.percent_command_steps;
        let choice = self.random.below(100);
        if self.memory.knows_no_account() {
            Step::CreateAccounts(vec![self.first_accounts()])
        } else if choice < accounts {
            let requests = self.random.between(1, 2);
            Step::CreateAccounts((0..requests).map(|_| self.account_request()).collect())
        } else if choice < resolve {
            self.resolve_step()
        } else if choice < expiry {
            Step::Expire
        } else if choice < command {
            self.command_step()
        } else {
            let requests = 1 + self.random.skewed_index(self.options.requests_per_step_max);
            Step::CreateTransfers((0..requests).map(|_| self.transfer_request()).collect())
        }
    }

    fn resolve_step(&mut self) -> Step {
        let fence = self.random.percent(50);
        let count = self.random.between(1, 8);
        let mut ids = Vec::new();
        for _ in 0..count {
            let sent = self.memory.sent.any(&mut self.random).map(|transfer| transfer.id);
            let id = match sent {
                Some(id) if self.random.percent(60) => id,
                _ => self.new_id(),
            };
            if fence {
                self.memory.fenced.push(id);
            }
            ids.push(id);
        }
        Step::Resolve { ids, fence }
    }

    /// Tells the workload how a request of it was answered. It works without, only less directed.
    pub fn note_accounts(&mut self, events: &[Account], results: &[CreateResult]) {
        self.memory.note_accounts(events, results);
    }

    /// Tells the workload how a request of it was answered. It works without, only less directed.
    pub fn note_transfers(&mut self, events: &[Transfer], results: &[CreateResult]) {
        self.memory.note_transfers(events, results);
    }

    /// An id that wasn't used before: in rising order, or anywhere.
    fn new_id(&mut self) -> u128 {
        if self.random.percent(50) {
            self.memory.next_ordered_id()
        } else {
            self.random.next_u128().clamp(1, u128::MAX - 1)
        }
    }
}
