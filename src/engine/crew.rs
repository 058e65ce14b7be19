//! The owners of the partitions as a kind of work sees them: questions out, answers in.

use super::hash::{IdHasher, owner};
use super::owners::{Answer, Job, Owners, Read};
use super::work::{Probe, Work};
use crate::ledger::Timestamp;

/// The owners, and all that is on its way to and from them for the work that is being led.
///
/// Invariant: between two pieces of work nothing is awaited, and neither `works` nor `answers` hold
/// anything.
#[derive(Debug)]
pub(super) struct Crew<O> {
    owners: O,
    hasher: IdHasher,
    /// Jobs whose answers are awaited. What is sent to be applied comes back unasked.
    waiting: usize,
    /// By owner: questions before they are sent, answers since they came back.
    pub(super) works: Vec<Option<Box<Work>>>,
    /// The answers to [`Crew::ask`], in the order in which they came.
    pub(super) answers: Vec<(usize, Answer)>,
    #[expect(clippy::vec_box, reason = "the boxes travel to the owners and back as they are")]
    spare: Vec<Box<Work>>,
}

impl<O: Owners> Crew<O> {
    pub(super) fn new(owners: O, hasher: IdHasher) -> Self {
        let works = (0..owners.partitions()).map(|_| None).collect();
        Self { owners, hasher, waiting: 0, works, answers: Vec::new(), spare: Vec::new() }
    }

    /// The same partitions in other hands.
    pub(super) fn with_owners<P: Owners>(mut self, hand_over: impl FnOnce(O) -> P) -> Crew<P> {
        self.receive();
        assert!(self.is_at_rest(), "partitions change hands between two batches only");
        let owners = hand_over(self.owners);
        assert_eq!(owners.partitions(), self.works.len(), "no partition gets lost on the way");
        let Self { hasher, waiting, works, answers, spare, .. } = self;
        Crew { owners, hasher, waiting, works, answers, spare }
    }

    pub(super) const fn owners(&self) -> &O {
        &self.owners
    }

    pub(super) const fn hasher(&self) -> IdHasher {
        self.hasher
    }

    /// How many owners there are.
    pub(super) const fn count(&self) -> usize {
        self.works.len()
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether nothing of any work is here or on its way.
    pub(super) fn is_at_rest(&self) -> bool {
        self.waiting == 0 && self.answers.is_empty() && self.works.iter().all(Option::is_none)
    }

    /// Where an id belongs: its hash and its owner.
    #[inline]
    pub(super) fn locate(&self, id: u128) -> (u64, usize) {
        let hash = self.hasher.hash(id);
        (hash, owner(hash, self.works.len()))
    }

    /// The id to look up, and whom to ask.
    #[inline]
    pub(super) fn probe(&self, id: u128, tag: u32) -> (usize, Probe) {
        let (hash, owner) = self.locate(id);
        (owner, Probe { id, hash, tag })
    }

    /// The work of an owner.
    #[inline]
    pub(super) fn work(&mut self, owner: usize) -> &mut Work {
        let spare = &mut self.spare;
        self.works[owner].get_or_insert_with(|| spare.pop().unwrap_or_default())
    }

    /// Sends all owners their work to be loaded, also those who are asked nothing: each tells its
    /// digest and when its next hold ends.
    pub(super) fn send_loads(&mut self) {
        assert_eq!(self.waiting, 0, "one round of questions at a time");
        for owner in (0..self.works.len()).rev() {
            self.work(owner);
            if let Some(work) = self.works[owner].take() {
                self.waiting += 1;
                self.owners.send(owner, Job::Load(work));
            }
        }
    }

    /// Sends all owners what was decided.
    pub(super) fn send_applies(&mut self) {
        assert_eq!(self.waiting, 0, "nothing is applied before all that was asked is answered");
        for owner in (0..self.works.len()).rev() {
            if let Some(work) = self.works[owner].take() {
                self.owners.send(owner, Job::Apply(work));
            }
        }
    }

    /// Ends a piece of work without any effect: rows go back as they came.
    pub(super) fn give_up(&mut self) {
        let untouched = |work: &Work| {
            work.sets.is_empty()
                && work.opened.is_empty()
                && work.closed.is_empty()
                && work.created_accounts.is_empty()
        };
        assert!(
            self.works.iter().flatten().all(|work| untouched(work)),
            "what is given up was not decided"
        );
        self.answers.clear();
        self.send_applies();
    }

    /// Asks an owner something about the state between two batches.
    pub(super) fn ask(&mut self, owner: usize, read: Read) {
        self.waiting += 1;
        self.owners.send(owner, Job::Read(read));
    }

    /// Takes in a job that the owner of a partition has done on another thread.
    pub(super) fn accept(&mut self, owner: usize, job: Job) {
        assert!(owner < self.works.len(), "owner {owner} of {} answers", self.works.len());
        self.owners.accept(owner, job);
    }

    /// Takes in what has been done.
    pub(super) fn receive(&mut self) {
        while let Some((owner, job)) = self.owners.receive() {
            match job {
                Job::Load(work) => {
                    assert!(self.waiting > 0, "an owner loads what it was sent, once");
                    assert!(self.works[owner].is_none(), "one work for each owner at a time");
                    self.waiting -= 1;
                    self.works[owner] = Some(work);
                }
                Job::Apply(work) => {
                    assert!(work.ids.is_empty() && work.rows.is_empty(), "it comes back empty");
                    self.spare.push(work);
                }
                Job::Answer(answer) => {
                    assert!(self.waiting > 0, "an owner answers what it was asked, once");
                    self.waiting -= 1;
                    self.answers.push((owner, answer));
                }
                Job::Read(_) => unreachable!("a question comes back as an answer"),
            }
        }
    }

    /// The digest of all partitions before the batch, from the loaded works.
    pub(super) fn digest_before(&self) -> u64 {
        assert!(self.works.iter().all(Option::is_some), "every owner has told its digest");
        let works = self.works.iter().flatten();
        works.fold(0_u64, |sum, work| sum.wrapping_add(work.digest))
    }

    /// The earliest end of a hold before the batch, from the loaded works.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.works.iter().flatten().filter_map(|work| work.next_expiry).min()
    }

    /// The digest of all partitions, and when the next hold ends. Needs owners that answer at once.
    pub(super) fn survey(&mut self) -> (u64, Option<Timestamp>) {
        assert!(self.is_at_rest(), "the state is surveyed between two batches");
        self.send_loads();
        self.receive();
        assert_eq!(self.waiting, 0, "the owners answer at once");
        let found = (self.digest_before(), self.next_expiry());
        for mut work in self.works.iter_mut().filter_map(Option::take) {
            work.clear();
            self.spare.push(work);
        }
        found
    }
}
