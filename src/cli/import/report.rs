//! What became of every line: counts, the lines that went wrong, and a CSV of all lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::cli::exit::Failure;
use crate::ledger::{Account, CreateAccountStatus, CreateTransferStatus};

/// Problems that are kept for the printed report; the CSV has them all.
const PROBLEMS_KEPT: usize = 1_000;
/// Problems that are printed for a person.
const PROBLEMS_PRINTED: usize = 20;

/// A line of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the input.
    pub input: usize,
    /// Number of the line, from 1.
    pub line: u64,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The transfer was created, at this time.
    Created(u64),
    /// It was there already, since this time.
    Existed(u64),
    /// A rule of the ledger refused it.
    Refused(CreateTransferStatus),
    /// It wasn't sent, since an account that it needs was refused.
    AccountRefused {
        /// The account.
        account: u128,
        /// Why it was refused.
        status: CreateAccountStatus,
    },
    /// The line is no transfer.
    Unreadable(String),
    /// A rule of the mapping leaves it out.
    Skipped,
    /// It was sent and never answered.
    Unknown,
    /// It was not sent any more.
    NotSent,
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Existed(_) => "existed",
            Self::Refused(_) | Self::AccountRefused { .. } => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }

    const fn status(&self) -> &'static str {
        match self {
            Self::Created(_) => CreateTransferStatus::Created.name(),
            Self::Existed(_) => CreateTransferStatus::Exists.name(),
            Self::Refused(status) => status.name(),
            Self::AccountRefused { status, .. } => status.name(),
            _ => "",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::AccountRefused { account, .. } => format!("account {account} was refused"),
            Self::Unreadable(why) => why.clone(),
            _ => String::new(),
        }
    }

    const fn is_problem(&self) -> bool {
        !matches!(self, Self::Created(_) | Self::Existed(_) | Self::Skipped)
    }
}

/// Counts of one kind of record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Newly created.
    pub created: u64,
    /// There already, with the same content.
    pub existed: u64,
    /// Refused by a rule.
    pub refused: u64,
}

/// One line that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    place: Place,
    name: &'static str,
    status: &'static str,
    detail: String,
}

/// The report of one import.
pub(crate) struct Report {
    inputs: Vec<String>,
    /// Lines of data met.
    pub lines: u64,
    /// Lines that a rule leaves out.
    pub skipped: u64,
    /// Lines that are no transfer.
    pub unreadable: u64,
    /// Lines that were sent and never answered.
    pub unknown: u64,
    /// Lines that were not sent any more.
    pub not_sent: u64,
    /// Transfers.
    pub transfers: Tally,
    /// Accounts.
    pub accounts: Tally,
    accounts_by_code: BTreeMap<u16, Tally>,
    statuses: BTreeMap<&'static str, u64>,
    problems: Vec<Problem>,
    problem_count: u64,
    /// Lines that are booked and yet deserve a look.
    warnings: Vec<(Place, &'static str)>,
    csv: Option<csv::Writer<File>>,
}

impl Report {
    /// An empty report on these inputs, with a CSV of all lines if a path is given.
    ///
    /// # Errors
    /// The CSV can't be created.
    pub(crate) fn new(inputs: Vec<String>, csv: Option<&Path>) -> Result<Self, Failure> {
        let csv = match csv {
            None => None,
            Some(path) => {
                let mut writer = csv::Writer::from_path(path).map_err(|error| {
                    Failure::usage(format!("can't write {}: {error}", path.display()))
                })?;
                let head = ["input", "line", "id", "outcome", "status", "timestamp", "detail"];
                writer.write_record(head).map_err(csv_failure)?;
                Some(writer)
            }
        };
        Ok(Self {
            inputs,
            lines: 0,
            skipped: 0,
            unreadable: 0,
            unknown: 0,
            not_sent: 0,
            transfers: Tally::default(),
            accounts: Tally::default(),
            accounts_by_code: BTreeMap::new(),
            statuses: BTreeMap::new(),
            problems: Vec::new(),
            problem_count: 0,
            warnings: Vec::new(),
            csv,
        })
    }

    /// Notes what became of an account. Answers whether it was refused.
    pub(crate) fn account(&mut self, account: &Account, status: CreateAccountStatus) -> bool {
        let by_code = self.accounts_by_code.entry(account.code).or_default();
        let count = match status {
            CreateAccountStatus::Created => {
                by_code.created += 1;
                &mut self.accounts.created
            }
            CreateAccountStatus::Exists => {
                by_code.existed += 1;
                &mut self.accounts.existed
            }
            _ => {
                by_code.refused += 1;
                &mut self.accounts.refused
            }
        };
        *count += 1;
        !matches!(status, CreateAccountStatus::Created | CreateAccountStatus::Exists)
    }

    /// Notes what became of a line.
    ///
    /// # Errors
    /// The CSV can't be written.
    pub(crate) fn line(
        &mut self,
        place: Place,
        id: u128,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        self.lines += 1;
        *match outcome {
            Outcome::Created(_) => &mut self.transfers.created,
            Outcome::Existed(_) => &mut self.transfers.existed,
            Outcome::Refused(_) | Outcome::AccountRefused { .. } => &mut self.transfers.refused,
            Outcome::Unreadable(_) => &mut self.unreadable,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Unknown => &mut self.unknown,
            Outcome::NotSent => &mut self.not_sent,
        } += 1;
        let (name, status) = (outcome.name(), outcome.status());
        if outcome.is_problem() {
            self.problem_count += 1;
            if !status.is_empty() {
                *self.statuses.entry(status).or_default() += 1;
            }
            if self.problems.len() < PROBLEMS_KEPT {
                let detail = outcome.detail();
                self.problems.push(Problem { place, name, status, detail });
            }
        }
        let Some(csv) = &mut self.csv else { return Ok(()) };
        let input = self.inputs.get(place.input).map_or("", String::as_str);
        let timestamp = match outcome {
            Outcome::Created(at) | Outcome::Existed(at) => at.to_string(),
            _ => String::new(),
        };
        let id = if id == 0 { String::new() } else { id.to_string() };
        let line = place.line.to_string();
        csv.write_record([input, &line, &id, name, status, &timestamp, &outcome.detail()])
            .map_err(csv_failure)
    }

    /// Notes that a line deserves a look, whatever becomes of it.
    pub(crate) fn warn(&mut self, place: Place, why: &'static str) {
        self.warnings.push((place, why));
    }

    /// Lines that were refused or unreadable.
    pub(crate) fn bad_lines(&self) -> u64 {
        self.transfers.refused + self.unreadable
    }

    /// Prints the report for a person, or as JSON.
    ///
    /// # Errors
    /// The output or the CSV can't be written.
    pub(crate) fn print(&mut self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        if let Some(csv) = &mut self.csv {
            csv.flush().map_err(|error| Failure::from(std::io::Error::other(error.to_string())))?;
        }
        if json {
            writeln!(out, "{:#}", self.json())?;
            return Ok(());
        }
        let Self { lines, skipped, unreadable, .. } = self;
        writeln!(out, "lines      {lines} read, {skipped} skipped, {unreadable} unreadable")?;
        print_tally(out, "transfers", self.transfers)?;
        print_tally(out, "accounts ", self.accounts)?;
        for (code, tally) in &self.accounts_by_code {
            print_tally(out, &format!("  code {code:<3}"), *tally)?;
        }
        if self.unknown + self.not_sent > 0 {
            writeln!(out, "unanswered {} unknown, {} not sent", self.unknown, self.not_sent)?;
        }
        for (place, why) in &self.warnings {
            let input = self.inputs.get(place.input).map_or("", String::as_str);
            writeln!(out, "{input}:{}: warning: {why}", place.line)?;
        }
        for problem in self.problems.iter().take(PROBLEMS_PRINTED) {
            let input = self.inputs.get(problem.place.input).map_or("", String::as_str);
            write!(out, "{input}:{}: {}", problem.place.line, problem.name)?;
            for part in [problem.status, problem.detail.as_str()] {
                if !part.is_empty() {
                    write!(out, ": {part}")?;
                }
            }
            writeln!(out)?;
        }
        let more = self.problem_count.saturating_sub(PROBLEMS_PRINTED as u64);
        if more > 0 {
            writeln!(out, "… and {more} more lines (--report FILE has them all)")?;
            for (status, count) in &self.statuses {
                writeln!(out, "  {count:>9} {status}")?;
            }
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let problems: Vec<_> = self
            .problems
            .iter()
            .map(|problem| {
                serde_json::json!({
                    "input": self.inputs.get(problem.place.input),
                    "line": problem.place.line,
                    "outcome": problem.name,
                    "status": problem.status,
                    "detail": problem.detail,
                })
            })
            .collect();
        let warnings: Vec<_> = self
            .warnings
            .iter()
            .map(|(place, why)| {
                let input = self.inputs.get(place.input);
                serde_json::json!({ "input": input, "line": place.line, "detail": why })
            })
            .collect();
        let by_code: serde_json::Map<_, _> = self
            .accounts_by_code
            .iter()
            .map(|(code, tally)| (code.to_string(), tally_json(*tally)))
            .collect();
        serde_json::json!({
            "lines": self.lines,
            "skipped": self.skipped,
            "unreadable": self.unreadable,
            "unknown": self.unknown,
            "not_sent": self.not_sent,
            "transfers": tally_json(self.transfers),
            "accounts": tally_json(self.accounts),
            "accounts_by_code": by_code,
            "statuses": self.statuses,
            "problems_in_all": self.problem_count,
            "problems": problems,
            "warnings": warnings,
        })
    }
}

fn tally_json(tally: Tally) -> serde_json::Value {
    serde_json::json!({
        "created": tally.created,
        "existed": tally.existed,
        "refused": tally.refused,
    })
}

fn print_tally(out: &mut dyn Write, what: &str, tally: Tally) -> std::io::Result<()> {
    let Tally { created, existed, refused } = tally;
    writeln!(out, "{what}  {created} created, {existed} existed, {refused} refused")
}

fn csv_failure(error: csv::Error) -> Failure {
    Failure::from(std::io::Error::other(error.to_string()))
}
