//! The hand-off between the coordinator and the owners of the partitions.

use std::collections::VecDeque;

use super::known::Known;
use super::partition::Partition;
use super::scans::ScanCursor;
use super::work::{Probe, Work};
use crate::ledger::{Account, Timestamp, Transfer};

/// Questions about the state between two batches.
#[derive(Debug)]
pub enum Read {
    /// Accounts by id.
    Accounts(Vec<Probe>),
    /// Accounts by id, each with the position of its newest transfer record.
    Chains(Vec<Probe>),
    /// What is known of transfer ids.
    Transfers(Vec<Probe>),
    /// The next slice of a scan.
    Scan(Box<ScanCursor>),
    /// The accounts that a scan found, as they are now.
    Found(Box<ScanCursor>),
    /// Holds that have ended by then.
    Expired(Timestamp),
    /// Which of these timestamps belong to accounts.
    Timestamps(Vec<u64>),
}

/// The answers to a [`Read`], each with the tag of its probe where there are probes.
#[derive(Debug)]
pub enum Answer {
    /// To [`Read::Accounts`]: those that exist.
    Accounts(Vec<(u32, Account)>),
    /// To [`Read::Chains`]: those that exist.
    Chains(Vec<(u32, Account, u64)>),
    /// To [`Read::Transfers`]: those that are known.
    Transfers(Vec<(u32, Known)>),
    /// To [`Read::Scan`], and whether there is nothing left to look at.
    Scan(Box<ScanCursor>, bool),
    /// To [`Read::Found`].
    Found(Vec<Account>),
    /// To [`Read::Expired`]: those holds, and when the next of all holds ends.
    Expired(Vec<Transfer>, Option<Timestamp>),
    /// To [`Read::Timestamps`].
    Timestamps(Vec<bool>),
}

/// What the coordinator sends to an owner, who sends it back with the answers in it.
#[derive(Debug)]
pub enum Job {
    /// Answer the questions of a batch.
    Load(Box<Work>),
    /// Take over what was decided. Comes back only to be used again.
    Apply(Box<Work>),
    /// Answer a question about the state.
    Read(Read),
    /// The answer.
    Answer(Answer),
}

/// The owners of all partitions, which do their jobs in the order in which they get them.
pub trait Owners {
    /// How many partitions there are.
    fn partitions(&self) -> usize;
    /// Gives a job to an owner.
    fn send(&mut self, owner: usize, job: Job);
    /// A job that an owner has done.
    fn receive(&mut self) -> Option<(usize, Job)>;
    /// Takes in a job that an owner on another thread has done.
    fn accept(&mut self, owner: usize, job: Job);
}

/// Does a job on its partition.
#[must_use]
pub fn perform(partition: &mut Partition, job: Job) -> Job {
    match job {
        Job::Load(mut work) => {
            partition.load(&mut work);
            Job::Load(work)
        }
        Job::Apply(mut work) => {
            let accounts = partition.accounts() + work.created_accounts.len();
            partition.apply(&mut work);
            assert_eq!(partition.accounts(), accounts, "accounts are added, and none goes");
            work.clear();
            Job::Apply(work)
        }
        Job::Read(read) => Job::Answer(answer(partition, read)),
        Job::Answer(_) => unreachable!("an answer goes to the coordinator"),
    }
}

fn answer(partition: &Partition, read: Read) -> Answer {
    match read {
        Read::Accounts(probes) => Answer::Accounts(
            probes
                .iter()
                .filter_map(|probe| Some((probe.tag, partition.account(probe.hash, probe.id)?)))
                .collect(),
        ),
        Read::Chains(probes) => Answer::Chains(
            probes
                .iter()
                .filter_map(|probe| {
                    let (account, last) = partition.account_chain(probe.hash, probe.id)?;
                    Some((probe.tag, account, last))
                })
                .collect(),
        ),
        Read::Transfers(probes) => Answer::Transfers(
            probes
                .iter()
                .filter_map(|probe| Some((probe.tag, partition.transfer(probe.hash, probe.id)?)))
                .collect(),
        ),
        Read::Scan(mut cursor) => {
            let at_end = cursor.advance(partition);
            assert!(at_end || cursor.is_under_way(), "a slice looks at something");
            Answer::Scan(cursor, at_end)
        }
        Read::Found(cursor) => Answer::Found(cursor.collect(partition)),
        Read::Expired(now) => Answer::Expired(
            partition.expired(now, crate::limits::EXPIRIES_PER_BATCH_MAX),
            partition.next_expiry(),
        ),
        Read::Timestamps(timestamps) => Answer::Timestamps(
            timestamps.iter().map(|&timestamp| partition.has_account_at(timestamp)).collect(),
        ),
    }
}

/// All partitions on the coordinator's own thread.
#[derive(Debug)]
pub struct Inline {
    partitions: Vec<Partition>,
    done: VecDeque<(usize, Job)>,
}

impl Inline {
    /// The owner of all these partitions.
    #[must_use]
    pub const fn new(partitions: Vec<Partition>) -> Self {
        Self { partitions, done: VecDeque::new() }
    }

    /// Gives the partitions back.
    #[must_use]
    pub fn into_partitions(self) -> Vec<Partition> {
        self.partitions
    }

    /// The partitions.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }
}

impl Owners for Inline {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn send(&mut self, owner: usize, job: Job) {
        assert!(owner < self.partitions.len(), "owner {owner} of {}", self.partitions.len());
        let done = perform(&mut self.partitions[owner], job);
        self.done.push_back((owner, done));
    }

    fn receive(&mut self) -> Option<(usize, Job)> {
        self.done.pop_front()
    }

    fn accept(&mut self, owner: usize, job: Job) {
        self.done.push_back((owner, job));
    }
}
