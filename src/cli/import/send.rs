//! Accounts before the transfers that need them, several requests under way, every line accounted for.

use std::collections::{BTreeMap, VecDeque};

use super::report::{Outcome, Place, Report};
use crate::cli::exit::Failure;
use crate::cli::remote::{CallError, Target};
use crate::ledger::{Account, CreateAccountStatus, CreateResult, CreateTransferStatus, Transfer};
use crate::limits::EVENTS_PER_REQUEST_MAX;

/// Sends planned lines in batches.
///
/// A transfer whose account was refused is never sent: that would burn its id, and the line could
/// not be imported after the account is put right.
pub(crate) struct Sender<'a> {
    target: &'a mut dyn Target,
    batch_events: usize,
    in_flight_max: usize,
    /// What became of each account: nothing bad, or why it was refused.
    known: BTreeMap<u128, Option<CreateAccountStatus>>,
    new_accounts: Vec<Account>,
    transfers: Vec<Transfer>,
    places: Vec<Place>,
    flying: VecDeque<Vec<(Place, u128)>>,
}

impl<'a> Sender<'a> {
    /// Sends to `target`, at most `in_flight_max` requests of `batch_events` at a time.
    pub(crate) fn new(
        target: &'a mut dyn Target,
        batch_events: usize,
        in_flight_max: usize,
    ) -> Self {
        Self {
            target,
            batch_events: batch_events.clamp(1, EVENTS_PER_REQUEST_MAX),
            in_flight_max: in_flight_max.max(1),
            known: BTreeMap::new(),
            new_accounts: Vec::new(),
            transfers: Vec::new(),
            places: Vec::new(),
            flying: VecDeque::new(),
        }
    }

    /// Whether an account wasn't met before.
    pub(crate) fn is_new(&self, account: u128) -> bool {
        !self.known.contains_key(&account)
    }

    /// Takes one planned line.
    ///
    /// # Errors
    /// A call failed; nothing more can be sent.
    pub(crate) fn push(
        &mut self,
        place: Place,
        transfer: Transfer,
        accounts: &[Account],
        report: &mut Report,
    ) -> Result<(), Failure> {
        for account in accounts {
            if self.is_new(account.id) {
                self.known.insert(account.id, None);
                self.new_accounts.push(*account);
            }
        }
        self.transfers.push(transfer);
        self.places.push(place);
        if self.transfers.len() >= self.batch_events {
            self.flush(report)?;
        }
        Ok(())
    }

    /// Sends what is left and waits for every answer.
    ///
    /// # Errors
    /// A call failed.
    pub(crate) fn finish(&mut self, report: &mut Report) -> Result<(), Failure> {
        self.flush(report)?;
        while !self.flying.is_empty() {
            self.collect(report)?;
        }
        Ok(())
    }

    /// Notes every line that was sent and not answered, after a call failed.
    pub(crate) fn abandon(&mut self, report: &mut Report) -> Result<(), Failure> {
        for (place, id) in self.flying.drain(..).flatten() {
            report.line(place, id, &Outcome::Unknown)?;
        }
        for (place, transfer) in self.places.drain(..).zip(self.transfers.drain(..)) {
            report.line(place, transfer.id, &Outcome::NotSent)?;
        }
        Ok(())
    }

    fn flush(&mut self, report: &mut Report) -> Result<(), Failure> {
        for chunk in std::mem::take(&mut self.new_accounts).chunks(EVENTS_PER_REQUEST_MAX) {
            let results = self.target.create_accounts(chunk)?;
            check_count(results.len(), chunk.len())?;
            for (account, result) in chunk.iter().zip(&results) {
                let status = account_status(result)?;
                if report.account(account, status) {
                    self.known.insert(account.id, Some(status));
                }
            }
        }
        self.drop_orphans(report)?;
        if self.transfers.is_empty() {
            return Ok(());
        }
        while self.flying.len() >= self.in_flight_max {
            self.collect(report)?;
        }
        let transfers = std::mem::take(&mut self.transfers);
        let places = std::mem::take(&mut self.places);
        self.flying.push_back(places.into_iter().zip(transfers.iter().map(|t| t.id)).collect());
        self.target.submit_transfers(transfers)?;
        Ok(())
    }

    /// Takes out the transfers whose accounts were refused.
    fn drop_orphans(&mut self, report: &mut Report) -> Result<(), Failure> {
        let transfers = std::mem::take(&mut self.transfers);
        let places = std::mem::take(&mut self.places);
        for (transfer, place) in transfers.into_iter().zip(places) {
            let refused = [transfer.debit_account_id, transfer.credit_account_id]
                .into_iter()
                .find_map(|id| Some((id, (*self.known.get(&id)?)?)));
            if let Some((account, status)) = refused {
                report.line(place, transfer.id, &Outcome::AccountRefused { account, status })?;
            } else {
                self.transfers.push(transfer);
                self.places.push(place);
            }
        }
        Ok(())
    }

    fn collect(&mut self, report: &mut Report) -> Result<(), Failure> {
        let results = self.target.collect_transfers()?;
        let Some(lines) = self.flying.pop_front() else { return Ok(()) };
        check_count(results.len(), lines.len())?;
        for ((place, id), result) in lines.into_iter().zip(results) {
            let status = CreateTransferStatus::from_code(result.status)
                .ok_or_else(|| unknown_status(result.status))?;
            let outcome = match status {
                CreateTransferStatus::Created => Outcome::Created(result.timestamp),
                CreateTransferStatus::Exists => Outcome::Existed(result.timestamp),
                status => Outcome::Refused(status),
            };
            report.line(place, id, &outcome)?;
        }
        Ok(())
    }
}

fn account_status(result: &CreateResult) -> Result<CreateAccountStatus, Failure> {
    let status = CreateAccountStatus::from_code(result.status);
    Ok(status.ok_or_else(|| unknown_status(result.status))?)
}

fn unknown_status(code: u32) -> CallError {
    let text = format!("the server answered with the status {code}, which has no meaning here");
    CallError::Unknown(text.into())
}

fn check_count(found: usize, expected: usize) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(CallError::Unknown(format!("{found} results came for {expected} events").into()).into())
}
