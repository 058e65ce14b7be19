//! What the workload remembers: the newest of each sort, in bounded number.

use crate::ledger::{
    Account, CreateAccountStatus, CreateResult, CreateTransferStatus, Transfer, TransferFlags,
};
use crate::sim::random::Random;

const RECENT_MAX: usize = 200;

/// The newest records of one sort, newest last.
#[derive(Debug)]
pub(super) struct Recent<T> {
    records: Vec<T>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { records: Vec::new() }
    }
}

impl<T: Clone> Recent<T> {
    pub(super) fn push(&mut self, record: T) {
        if self.records.len() == RECENT_MAX {
            self.records.remove(0);
        }
        self.records.push(record);
    }

    /// Any of them, mostly one of the newest.
    pub(super) fn any(&self, random: &mut Random) -> Option<T> {
        let count = self.records.len();
        (count > 0).then(|| self.records[count - 1 - random.skewed_index(count)].clone())
    }

    pub(super) fn newest(&self) -> Option<&T> {
        self.records.last()
    }

    pub(super) fn newest_few(&self, count: usize) -> &[T] {
        &self.records[self.records.len().saturating_sub(count)..]
    }
}

/// Everything that later requests may refer to.
#[derive(Debug, Default)]
pub(super) struct Memory {
    ordered_id: u128,
    /// Accounts as stored, the ones with small indexes being the busiest.
    pub(super) accounts: Vec<Account>,
    /// Accounts for amounts near the largest one, which would make any other account useless.
    pub(super) whales: Recent<Account>,
    pub(super) sent_accounts: Recent<Account>,
    pub(super) sent: Recent<Transfer>,
    pub(super) sent_holds: Recent<Transfer>,
    pub(super) sent_chains: Recent<Vec<Transfer>>,
    pub(super) sent_account_chains: Recent<Vec<Account>>,
    pub(super) created: Recent<Transfer>,
    pub(super) holds: Recent<Transfer>,
    pub(super) closing_holds: Recent<Transfer>,
    pub(super) settled: Recent<Transfer>,
    pub(super) fenced: Recent<u128>,
    /// Timestamps of records of each kind.
    pub(super) account_timestamps: Recent<u64>,
    pub(super) transfer_timestamps: Recent<u64>,
}

/// Marks an account for amounts near the largest one.
pub(super) const WHALE: u32 = 7_777;

impl Memory {
    pub(super) fn knows_no_account(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(super) fn next_ordered_id(&mut self) -> u128 {
        self.ordered_id += 1;
        (1 << 100) + self.ordered_id
    }

    pub(super) fn newest_account_timestamp(&self) -> u64 {
        self.account_timestamps.newest().copied().unwrap_or(0)
    }

    pub(super) fn newest_transfer_timestamp(&self) -> u64 {
        self.transfer_timestamps.newest().copied().unwrap_or(0)
    }

    pub(super) fn send(&mut self, transfer: Transfer) {
        self.sent.push(transfer);
        if transfer.has(TransferFlags::PENDING) {
            self.sent_holds.push(transfer);
        }
    }

    pub(super) fn note_accounts(&mut self, events: &[Account], results: &[CreateResult]) {
        for (event, result) in events.iter().zip(results) {
            if result.status != CreateAccountStatus::Created.code() {
                continue;
            }
            let account = Account { timestamp: result.timestamp, ..*event };
            if account.user_data_32 == WHALE {
                self.whales.push(account);
            } else {
                self.accounts.push(account);
            }
            self.account_timestamps.push(result.timestamp);
        }
    }

    pub(super) fn note_transfers(&mut self, events: &[Transfer], results: &[CreateResult]) {
        let settles = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;
        let closes = TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT;
        for (event, result) in events.iter().zip(results) {
            if result.status != CreateTransferStatus::Created.code() {
                continue;
            }
            self.created.push(*event);
            self.transfer_timestamps.push(result.timestamp);
            if event.has_any(closes) {
                self.closing_holds.push(*event);
            } else if event.has(TransferFlags::PENDING) {
                self.holds.push(*event);
            } else if event.has_any(settles) {
                self.settled.push(*event);
            }
        }
    }
}
