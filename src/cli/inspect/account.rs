//! One account, followed through the log.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;

use super::frames::{absent, account_status};
use super::log::{Log, refusal};
use crate::cli::exit::{Exit, Failure};
use crate::cli::shell::fields::Fields;
use crate::cli::table::{Field, json_row, json_rows, write_table};
use crate::ledger::{Account, AccountFlags, Transfer, TransferFlags};
use crate::log::FrameView;

/// What the log says about one account.
pub(super) struct Followed {
    id: u128,
    limit: usize,
    /// The account as it stands at the end; none if it was never created.
    pub account: Option<Account>,
    /// Where it was met in `create_accounts`: op, index and status.
    pub creations: Vec<Vec<Field>>,
    /// Its latest transfers.
    pub transfers: VecDeque<Vec<Field>>,
    /// How many transfers touched it.
    pub transfer_count: u64,
    /// Its open holds by transfer id.
    holds: BTreeMap<u128, Transfer>,
}

/// Which way an amount goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Subtract,
}

impl Followed {
    /// Follows an account and keeps so many of its latest transfers.
    pub(super) fn new(id: u128, limit: usize) -> Self {
        Self {
            id,
            limit,
            account: None,
            creations: Vec::new(),
            transfers: VecDeque::new(),
            transfer_count: 0,
            holds: BTreeMap::new(),
        }
    }

    /// Takes one frame.
    pub(super) fn frame(&mut self, frame: &FrameView<'_>) {
        let header = frame.header();
        for (index, account) in frame.accounts().iter().enumerate() {
            if account.id == self.id {
                let refused = refusal(frame.refusals(), index);
                if refused.is_none() {
                    self.account = Some(*account);
                }
                self.creations.push(vec![
                    Field::number("op", header.op.0),
                    Field::number("index", u64::try_from(index).unwrap_or(u64::MAX)),
                    Field::text("status", account_status(refused)),
                ]);
            }
        }
        for (index, entry) in frame.transfers().iter().enumerate() {
            let transfer = &entry.transfer;
            let touches =
                [transfer.debit_account_id, transfer.credit_account_id].contains(&self.id);
            if touches && refusal(frame.refusals(), index).is_none() {
                self.created(transfer);
                let mut row = vec![Field::number("op", header.op.0)];
                row.extend(transfer.get());
                self.transfers.push_back(row);
                if self.transfers.len() > self.limit {
                    self.transfers.pop_front();
                }
            }
        }
        // A fence names ids, too, but releases nothing.
        if header.kind == crate::log::FrameKind::Expire {
            for id in frame.ids() {
                self.release(*id, true);
            }
        }
    }

    fn created(&mut self, transfer: &Transfer) {
        self.transfer_count += 1;
        if transfer.has(TransferFlags::PENDING) {
            self.holds.insert(transfer.id, *transfer);
            self.pending(transfer, Change::Add);
            let closes = (transfer.has(TransferFlags::CLOSING_DEBIT)
                && transfer.debit_account_id == self.id)
                || (transfer.has(TransferFlags::CLOSING_CREDIT)
                    && transfer.credit_account_id == self.id);
            if let Some(account) = self.account.as_mut().filter(|_| closes) {
                account.flags |= AccountFlags::CLOSED;
            }
            return;
        }
        if transfer.has(TransferFlags::VOID_PENDING_TRANSFER) {
            return self.release(transfer.pending_id, true);
        }
        if transfer.has(TransferFlags::POST_PENDING_TRANSFER) {
            self.release(transfer.pending_id, false);
        }
        let Some(account) = &mut self.account else { return };
        if transfer.debit_account_id == self.id {
            account.debits_posted = account.debits_posted.wrapping_add(transfer.amount);
        } else {
            account.credits_posted = account.credits_posted.wrapping_add(transfer.amount);
        }
    }

    /// Takes a hold back; one that closed the account opens it again unless it was posted.
    fn release(&mut self, hold: u128, reopens: bool) {
        let Some(transfer) = self.holds.remove(&hold) else { return };
        self.pending(&transfer, Change::Subtract);
        let closing = TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT;
        if reopens
            && transfer.has_any(closing)
            && let Some(account) = &mut self.account
        {
            account.flags &= !AccountFlags::CLOSED;
        }
    }

    fn pending(&mut self, transfer: &Transfer, change: Change) {
        let Some(account) = &mut self.account else { return };
        let counter = if transfer.debit_account_id == self.id {
            &mut account.debits_pending
        } else {
            &mut account.credits_pending
        };
        *counter = match change {
            Change::Add => counter.wrapping_add(transfer.amount),
            Change::Subtract => counter.wrapping_sub(transfer.amount),
        };
    }
}

/// Shows one account.
pub(super) fn run(
    mut log: Log,
    id: u128,
    limit: usize,
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut followed = Followed::new(id, limit);
    while let Some(frame) = log.next()? {
        followed.frame(&frame);
    }
    let exit = log.end();
    let Some(account) = followed.account else {
        if !json {
            write_table(out, &followed.creations, "the id was never met")?;
        }
        out.flush()?;
        return Err(Failure::new(absent(exit), format!("the log has no account {id}")));
    };
    let transfers: Vec<_> = followed.transfers.into();
    if json {
        let mut value = json_row(&account.get());
        value["creations"] = json_rows(&followed.creations);
        value["transfer_count"] = followed.transfer_count.into();
        value["transfers"] = json_rows(&transfers);
        writeln!(out, "{value:#}")?;
    } else {
        write_table(out, &[account.get()], "")?;
        writeln!(out)?;
        write_table(out, &followed.creations, "")?;
        writeln!(out, "\n{} transfers, the latest {}:", followed.transfer_count, transfers.len())?;
        write_table(out, &transfers, "none")?;
    }
    Ok(exit)
}
