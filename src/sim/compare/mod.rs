//! The same requests to a subject and to the reference model, every answer compared.
//!
//! It owns the clock of a run and the order of the steps, and promises to report the first answer
//! in which the two differ, with everything needed to look into it. It never judges who is right.

mod situations;
mod subject;

use std::fmt::Debug;

pub use subject::Subject;

use super::coverage::Coverage;
use super::random::Random;
use super::workload::{Step, Workload, WorkloadOptions};
use crate::ledger::model::Model;
use crate::ledger::{
    Account, CreateAccountStatus, CreateTransferStatus, FilterError, Timestamp, Transfer,
};

/// How long a run is, and when it takes place.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Steps of the workload.
    pub steps: u32,
    /// All records and some reads are compared after so many steps, and at the end.
    pub steps_per_check: u32,
    /// The first reading of the clock. The longest timeouts overflow when it is late.
    pub clock_start: Timestamp,
    /// What the requests are like.
    pub workload: WorkloadOptions,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            steps: 200,
            steps_per_check: 20,
            clock_start: Timestamp(5_000_000_000_000_000_000),
            workload: WorkloadOptions::default(),
        }
    }
}

/// The first difference between the subject and the model.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}, step {step}: {what}\n  subject: {subject}\n  model:   {model}")]
pub struct Mismatch {
    /// The seed of the run.
    pub seed: u64,
    /// The step, from 0.
    pub step: u32,
    /// The question.
    pub what: String,
    /// The subject's answer.
    pub subject: String,
    /// The model's answer.
    pub model: String,
}

/// Runs the workload of that seed against the subject, which must be empty.
///
/// # Errors
/// The first answer in which the subject differs from the model.
///
/// # Panics
/// If the model itself is out of balance.
pub fn run(
    seed: u64,
    options: &RunOptions,
    subject: &mut impl Subject,
) -> Result<Coverage, Box<Mismatch>> {
    let mut random = Random::new(seed);
    let workload = Workload::new(random.next_u64(), options.workload.clone());
    let mut run = Run {
        seed,
        step: 0,
        clock: options.clock_start.0,
        random,
        workload,
        model: Model::new().with_capacity(subject.capacity()),
        coverage: Coverage::default(),
        subject,
    };
    for step in 0..options.steps {
        run.step = step;
        run.take_step()?;
        if step % options.steps_per_check.max(1) == 0 || step + 1 == options.steps {
            run.check_state()?;
        }
    }
    Ok(run.coverage)
}

struct Run<'a, S> {
    seed: u64,
    step: u32,
    clock: u64,
    random: Random,
    workload: Workload,
    model: Model,
    coverage: Coverage,
    subject: &'a mut S,
}

impl<S: Subject> Run<'_, S> {
    fn take_step(&mut self) -> Result<(), Box<Mismatch>> {
        self.clock += self.workload.pause_ns();
        // Clocks are set back now and then, and the ledger must not follow.
        let behind = if self.random.percent(5) { self.random.below(2_000_000_000) } else { 0 };
        let clock = Timestamp(self.clock - behind);
        match self.workload.step(clock.max(self.model.last_timestamp())) {
            Step::CreateAccounts(requests) => self.create_accounts(&requests, clock)?,
            Step::CreateTransfers(requests) => self.create_transfers(&requests, clock)?,
            Step::Resolve { ids, fence } => {
                let subject = self.subject.resolve_transfers(&ids, fence, clock);
                let model = self.model.resolve_transfers(&ids, fence, clock);
                self.same("resolve_transfers", &(ids, fence), &subject, &model)?;
            }
            Step::Command { command, reason } => {
                let subject = self.subject.command(&command, &reason, clock);
                let model = self.model.command(&command, clock);
                self.coverage.count_command(&model);
                self.same("command", &command, &subject, &model)?;
                let capacity = self.subject.capacity();
                self.same("capacity", &command, &capacity, &self.model.capacity())?;
            }
            Step::Expire => {
                let base = clock.max(self.model.last_timestamp());
                if self.model.next_expiry().is_some_and(|expiry| expiry <= base) {
                    let subject = self.subject.expire(clock);
                    let model = self.model.expire(clock);
                    situations::note_releases(&mut self.coverage, &self.model, &model);
                    self.same("expire", &clock, &subject, &model)?;
                }
            }
        }
        let last = self.subject.last_timestamp();
        self.same("last_timestamp", &(), &last, &self.model.last_timestamp())
    }

    fn create_accounts(
        &mut self,
        requests: &[Vec<Account>],
        clock: Timestamp,
    ) -> Result<(), Box<Mismatch>> {
        let subject = self.subject.create_accounts(requests, clock);
        self.same("create_accounts, requests", &(), &subject.len(), &requests.len())?;
        for (events, subject) in requests.iter().zip(&subject) {
            let model = self.model.create_accounts(events, clock);
            self.same("create_accounts, events", &(), &subject.len(), &model.len())?;
            for ((event, subject), model) in events.iter().zip(subject).zip(&model) {
                let status = CreateAccountStatus::from_code;
                let subject = (status(subject.status), subject);
                self.same("create_accounts", event, &subject, &(status(model.status), model))?;
            }
            self.coverage.count_accounts(&model);
            self.workload.note_accounts(events, &model);
        }
        Ok(())
    }

    fn create_transfers(
        &mut self,
        requests: &[Vec<Transfer>],
        clock: Timestamp,
    ) -> Result<(), Box<Mismatch>> {
        let subject = self.subject.create_transfers(requests, clock);
        self.same("create_transfers, requests", &(), &subject.len(), &requests.len())?;
        for (events, subject) in requests.iter().zip(&subject) {
            let model = self.model.create_transfers(events, clock);
            self.same("create_transfers, events", &(), &subject.len(), &model.len())?;
            for ((event, subject), model) in events.iter().zip(subject).zip(&model) {
                let status = CreateTransferStatus::from_code;
                let subject = (status(subject.status), subject);
                self.same("create_transfers", event, &subject, &(status(model.status), model))?;
            }
            self.coverage.count_transfers(&model);
            situations::note_transfers(&mut self.coverage, &self.model, events, &model);
            self.workload.note_transfers(events, &model);
        }
        Ok(())
    }

    /// Compares every record, and a handful of reads.
    fn check_state(&mut self) -> Result<(), Box<Mismatch>> {
        self.model.assert_balanced();
        self.check_next_expiry()?;

        let unknown = [0, 3, u128::MAX];
        let accounts: Vec<u128> = self.model.accounts().map(|account| account.id).collect();
        for ids in accounts.chunks(1_000).chain([&unknown[..]]) {
            let subject = self.subject.lookup_accounts(ids);
            self.same_records("lookup_accounts", subject, &self.model.lookup_accounts(ids))?;
        }
        let transfers: Vec<u128> = self.model.transfers().map(|transfer| transfer.id).collect();
        for ids in transfers.chunks(1_000).chain([&unknown[..]]) {
            let subject = self.subject.lookup_transfers(ids);
            self.same_records("lookup_transfers", subject, &self.model.lookup_transfers(ids))?;
        }
        (0..8).try_for_each(|_| self.check_reads())
    }

    /// The subject may look for due holds too early, but never too late.
    fn check_next_expiry(&mut self) -> Result<(), Box<Mismatch>> {
        let subject = self.subject.next_expiry();
        match (subject, self.model.next_expiry()) {
            (_, None) => Ok(()),
            (Some(subject), Some(model)) if subject <= model => Ok(()),
            (subject, model) => self.same("next_expiry", &(), &subject, &model),
        }
    }

    fn check_reads(&mut self) -> Result<(), Box<Mismatch>> {
        let filter = self.workload.account_filter();
        let subject = self.subject.get_account_transfers(&filter);
        let model = self.model.get_account_transfers(&filter);
        self.same_read("get_account_transfers", &filter, subject, model)?;

        let filter = self.workload.account_filter();
        let subject = self.subject.get_account_balances(&filter);
        let model = self.model.get_account_balances(&filter);
        self.same_read("get_account_balances", &filter, subject, model)?;

        let filter = self.workload.query_accounts_filter();
        let subject = self.subject.query_accounts(&filter);
        let model = self.model.query_accounts(&filter);
        self.same_read("query_accounts", &filter, subject, model)?;

        let filter = self.workload.query_transfers_filter();
        let subject = self.subject.query_transfers(&filter);
        let model = self.model.query_transfers(&filter);
        self.same_read("query_transfers", &filter, subject, model)
    }

    fn same_read<T: Debug + PartialEq>(
        &self,
        what: &str,
        filter: &impl Debug,
        subject: Option<Result<Vec<T>, FilterError>>,
        model: Result<Vec<T>, FilterError>,
    ) -> Result<(), Box<Mismatch>> {
        match (subject, model) {
            (None, _) => Ok(()),
            (Some(Ok(subject)), Ok(model)) => {
                self.same_records(&format!("{what} {filter:?}"), Some(subject), &model)
            }
            (Some(subject), model) => self.same(what, filter, &subject, &model),
        }
    }

    /// Compares lists and shows only the first records that differ.
    fn same_records<T: Debug + PartialEq>(
        &self,
        what: &str,
        subject: Option<Vec<T>>,
        model: &[T],
    ) -> Result<(), Box<Mismatch>> {
        let Some(subject) = subject else { return Ok(()) };
        for (index, (subject, model)) in subject.iter().zip(model).enumerate() {
            self.same(what, &format_args!("record {index}"), subject, model)?;
        }
        self.same(what, &"how many", &subject.len(), &model.len())
    }

    fn same<T: Debug + PartialEq>(
        &self,
        what: &str,
        question: &impl Debug,
        subject: &T,
        model: &T,
    ) -> Result<(), Box<Mismatch>> {
        if subject == model {
            return Ok(());
        }
        Err(Box::new(Mismatch {
            seed: self.seed,
            step: self.step,
            what: format!("{what} {question:?}"),
            subject: format!("{subject:?}"),
            model: format!("{model:?}"),
        }))
    }
}
