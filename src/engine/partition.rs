//! One partition: the accounts, transfer ids and holds that hash to it.
//!
//! Owned by one thread. It answers what a batch needs to be decided (`load`) and takes over what
//! was decided (`apply`); in between it changes nothing but the marks of loaded rows. A batch is
//! loaded after the batch before was applied, on every owner.

use super::batch_ids::BatchIds;
use super::hash::IdHasher;
use super::holds::Holds;
use super::index::{Growth, IdIndex};
use super::known::Known;
use super::scans::Rows;
use super::table::AccountTable;
use super::work::{HoldAnswer, IdAnswer, KnownHold, NO_ROW, Work};
use crate::io::phases::{Phase, lap};
use crate::ledger::decide::{DenseRow, HoldState};
use crate::ledger::{Account, QueryAccountsFilter, Timestamp, Transfer, digest};

/// How many look-ups are on their way to memory at the same time.
const LANES: usize = 32;

/// A partition of the state.
#[derive(Debug)]
pub struct Partition {
    accounts: AccountTable,
    transfers: IdIndex,
    transfers_digest: u64,
    holds: Holds,
    batch_ids: BatchIds,
}

impl Partition {
    /// An empty partition.
    #[must_use]
    pub fn new(hasher: IdHasher) -> Self {
        Self {
            accounts: AccountTable::new(),
            transfers: IdIndex::new(hasher),
            transfers_digest: 0,
            holds: Holds::new(hasher),
            batch_ids: BatchIds::default(),
        }
    }

    /// Lets its index of transfer ids grow on another thread from now on.
    pub fn grow_by(&mut self, growth: &Growth) {
        self.transfers.grow_by(growth.clone());
    }

    /// How many accounts it has.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// How many transfer ids it knows.
    #[must_use]
    pub fn transfer_ids(&self) -> usize {
        self.transfers.len()
    }

    /// The digest of its whole state.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.accounts.digest().wrapping_add(self.transfers_digest)
    }

    /// Answers all questions of the work that are still open.
    pub fn load(&mut self, work: &mut Work) {
        if !work.loaded {
            work.loaded = true;
            assert!(
                work.id_answers.is_empty() && work.hold_answers.is_empty() && work.rows.is_empty(),
                "a work comes without answers"
            );
            work.digest = self.digest();
            work.next_expiry = self.holds.next_expiry();
            self.batch_ids.start(work.ids.len() + work.holds.len());
            self.load_ids(work);
            self.load_holds(work);
            lap(Phase::Resolve);
        }
        self.load_accounts(work);
        assert_eq!(work.ids.len(), work.id_answers.len(), "every id is answered");
        assert_eq!(work.holds.len(), work.hold_places.len(), "every hold is answered");
        assert_eq!(work.accounts.len(), work.account_places.len(), "every account is answered");
        assert_eq!(work.rows.len(), work.slots.len(), "every row knows its slot");
        lap(Phase::Load);
    }

    fn load_ids(&mut self, work: &mut Work) {
        for probes in work.ids.chunks(LANES) {
            for probe in probes {
                self.transfers.prefetch_tags(probe.hash);
            }
            for probe in probes {
                let known = self.transfers.get(probe.hash, probe.id);
                let first = self.batch_ids.note_event(probe.hash, probe.id, probe.tag);
                work.id_answers.push(IdAnswer { known, first });
            }
        }
    }

    fn load_holds(&mut self, work: &mut Work) {
        for probes in work.holds.chunks(LANES) {
            for probe in probes {
                if !self.holds.prefetch(probe.hash) {
                    self.transfers.prefetch_tags(probe.hash);
                }
            }
            for probe in probes {
                let next = u32::try_from(work.hold_answers.len()).unwrap_or(u32::MAX);
                let (place, in_batch) = self.batch_ids.note_hold(probe.hash, probe.id, next);
                work.hold_places.push(place);
                if place == next {
                    let known = match self.holds.find(probe.hash, probe.id) {
                        Some(slot) => KnownHold::Open(*self.holds.record(slot)),
                        None => KnownHold::Not(self.transfers.get(probe.hash, probe.id)),
                    };
                    work.hold_answers.push(HoldAnswer { known, in_batch });
                }
            }
        }
    }

    fn load_accounts(&mut self, work: &mut Work) {
        let Work { accounts, rows, slots, account_places, .. } = work;
        for probes in accounts[work.accounts_answered..].chunks(LANES) {
            for probe in probes {
                self.accounts.prefetch_slot(probe.hash);
            }
            for probe in probes {
                self.accounts.prefetch_candidate(probe.hash);
            }
            for probe in probes {
                let slot = self.accounts.find(probe.hash, probe.id);
                account_places.push(
                    slot.map_or(NO_ROW, |slot| {
                        self.accounts.load(slot, work.timestamps, rows, slots)
                    }),
                );
            }
        }
        work.accounts_answered = accounts.len();
    }

    /// Takes over what was decided.
    pub fn apply(&mut self, work: &mut Work) {
        assert_eq!(work.rows.len(), work.slots.len(), "every loaded row comes back");
        self.transfers.take_grown();
        self.accounts.store_all(&work.slots, &work.rows);
        for (account, hash) in &work.created_accounts {
            self.accounts.insert(*hash, account);
        }
        for sets in work.sets.chunks(LANES) {
            self.transfers.prefetch(sets.iter().map(|&(_, hash, _)| hash));
            for &(id, hash, value) in sets {
                self.set_transfer(id, hash, value);
            }
        }
        for (hold, hash) in &work.opened {
            self.holds.open(*hash, hold);
        }
        for closed in work.closed.chunks(LANES) {
            self.transfers.prefetch(closed.iter().map(|&(_, hash, _)| hash));
            for &(id, hash, state) in closed {
                self.holds.close(hash, id);
                let Some(Known::Created { position, hold }) = self.transfer(hash, id) else {
                    unreachable!("a hold is a transfer that was created")
                };
                assert!(hold == HoldState::Open, "a hold is closed once");
                let known = Known::Created { position, hold: state };
                self.set_transfer(id, hash, known.pack());
            }
        }
        lap(Phase::Apply);
    }

    fn set_transfer(&mut self, id: u128, hash: u64, value: u64) {
        let part = |value| digest::transfer_id(id, Known::digest_part(value));
        if let Some(before) = self.transfers.set(hash, id, value) {
            assert!(
                Known::may_become(before, value),
                "what is known of an id never changes, but for the state of a hold"
            );
            self.transfers_digest = self.transfers_digest.wrapping_sub(part(before));
        }
        self.transfers_digest = self.transfers_digest.wrapping_add(part(value));
    }

    /// The whole account.
    #[must_use]
    pub fn account(&self, hash: u64, id: u128) -> Option<Account> {
        self.accounts.find(hash, id).map(|slot| self.accounts.account(slot))
    }

    /// The row at a slot, which must exist, as a decision would see it but for the timestamp.
    #[must_use]
    pub fn row(&self, slot: u32) -> DenseRow {
        self.accounts.dense(slot)
    }

    /// The account with the position of its newest transfer record.
    #[must_use]
    pub fn account_chain(&self, hash: u64, id: u128) -> Option<(Account, u64)> {
        self.accounts
            .find(hash, id)
            .map(|slot| (self.accounts.account(slot), self.accounts.last_position(slot)))
    }

    /// What is known of a transfer id.
    #[must_use]
    pub fn transfer(&self, hash: u64, id: u128) -> Option<Known> {
        self.transfers.get(hash, id).map(Known::unpack)
    }

    /// Whether an account was created at exactly that timestamp.
    #[must_use]
    pub fn has_account_at(&self, timestamp: u64) -> bool {
        let slot = self.accounts.first_since(timestamp);
        (slot as usize) < self.accounts.len() && self.accounts.timestamp(slot) == timestamp
    }

    /// When the next hold of the partition ends.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.holds.next_expiry()
    }

    /// The holds of the partition that have ended by `now`, first ones first, at most `limit`.
    #[must_use]
    pub fn expired(&self, now: Timestamp, limit: usize) -> Vec<Transfer> {
        let ended = self.holds.expired(now, limit);
        assert!(ended.len() <= limit, "no more holds end at once than a batch has room for");
        ended
    }
}

impl Rows for Partition {
    fn rows(&self) -> u32 {
        self.accounts.rows()
    }

    fn first_since(&self, timestamp: u64) -> u32 {
        self.accounts.first_since(timestamp)
    }

    #[inline]
    fn matches(&self, slot: u32, filter: &QueryAccountsFilter) -> bool {
        self.accounts.matches(slot, filter)
    }

    fn account(&self, slot: u32) -> Account {
        self.accounts.account(slot)
    }
}
