//! One file per group of rules, and the small language in which they speak.

mod accounts;
mod chains;
mod holds;
mod idempotency;
mod imported;
mod reads;
mod resolve;
mod transfers;

use super::Model;
use crate::ledger::{
    Account, CreateAccountStatus, CreateResult, CreateTransferStatus, Timestamp, Transfer,
    TransferFlags,
};

const LEDGER: u32 = 700;

/// The clock of a test starts here; every request may move it.
const CLOCK: u64 = 1_000_000_000_000;

fn account(id: u128) -> Account {
    Account { id, ledger: LEDGER, code: 10, ..Account::default() }
}

fn transfer(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    Transfer {
        id,
        debit_account_id: debit,
        credit_account_id: credit,
        amount,
        ledger: LEDGER,
        code: 1,
        ..Transfer::default()
    }
}

fn pending(id: u128, debit: u128, credit: u128, amount: u128) -> Transfer {
    Transfer { flags: TransferFlags::PENDING, ..transfer(id, debit, credit, amount) }
}

fn post(id: u128, pending_id: u128, amount: u128) -> Transfer {
    let flags = TransferFlags::POST_PENDING_TRANSFER;
    Transfer { id, pending_id, amount, flags, ..Transfer::default() }
}

fn void(id: u128, pending_id: u128) -> Transfer {
    let flags = TransferFlags::VOID_PENDING_TRANSFER;
    Transfer { id, pending_id, flags, ..Transfer::default() }
}

fn linked(transfer: Transfer) -> Transfer {
    Transfer { flags: transfer.flags | TransferFlags::LINKED, ..transfer }
}

fn imported(transfer: Transfer, timestamp: u64) -> Transfer {
    Transfer { flags: transfer.flags | TransferFlags::IMPORTED, timestamp, ..transfer }
}

/// A model with these accounts in it.
fn model_with(accounts: &[Account]) -> Model {
    let mut model = Model::new();
    for result in model.create_accounts(accounts, Timestamp(CLOCK)) {
        assert_eq!(result.status, CreateAccountStatus::Created.code());
    }
    model
}

/// A model with plain accounts of these ids.
fn model_with_ids(ids: &[u128]) -> Model {
    model_with(&ids.iter().map(|id| account(*id)).collect::<Vec<_>>())
}

impl Model {
    fn accounts_at_once(&mut self, events: &[Account]) -> Vec<CreateAccountStatus> {
        let results = self.create_accounts(events, Timestamp(CLOCK));
        let status = |result: &CreateResult| CreateAccountStatus::from_code(result.status).unwrap();
        results.iter().map(status).collect()
    }

    fn transfers_at_once(&mut self, events: &[Transfer]) -> Vec<CreateTransferStatus> {
        let results = self.create_transfers(events, Timestamp(CLOCK));
        self.assert_balanced();
        let status =
            |result: &CreateResult| CreateTransferStatus::from_code(result.status).unwrap();
        results.iter().map(status).collect()
    }

    fn send(&mut self, event: Transfer) -> CreateTransferStatus {
        self.transfers_at_once(&[event])[0]
    }

    /// Debits pending, debits posted, credits pending, credits posted.
    fn counters(&self, id: u128) -> [u128; 4] {
        let account = self.account(id);
        [
            account.debits_pending,
            account.debits_posted,
            account.credits_pending,
            account.credits_posted,
        ]
    }
}
