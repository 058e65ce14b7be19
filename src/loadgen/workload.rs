//! What the requests contain: pure functions of a seed and a number.
//!
//! Event `n` of a run is computed from `n` alone, in any order and as often as wanted. So nothing
//! about what was sent has to be kept: after the run the check computes it again.

use crate::ledger::{Account, AccountFlags, Transfer, TransferFlags};

/// Bytes of a transfer on the wire.
pub(crate) const TRANSFER_BYTES: usize = size_of::<Transfer>();

/// The ledger of everything that the generator creates.
const LEDGER: u32 = 1;
/// The code of everything that the generator creates.
const CODE: u16 = 1;
/// What each account of the mix `limits` can spend before anything is credited to it.
pub(crate) const FUNDS: u64 = 1_000;
/// More than any account ever has.
const UNAFFORDABLE: u64 = 1_000_000_000_000_000;
/// In the mix `limits`, this many of 256 transfers ask for more than any account has.
const UNAFFORDABLE_OF_256: u64 = 13;
/// In the mix `chains`, this many of 256 chains have a last member that breaks a rule.
const BROKEN_OF_256: u64 = 8;
/// The mix `chains` repeats chains of 2, 3 and 4 members.
const CHAIN_PERIOD: u64 = 9;

/// Number of a request, from 0, in the order in which requests were built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequestNumber(pub(crate) u64);

/// What the transfers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// One debit and one credit each.
    Simple,
    /// Accounts that can't be overdrawn, and some transfers that would.
    Limits,
    /// A request of holds, then a request that posts, posts in part or voids each of them.
    TwoPhase,
    /// Linked runs of two to four, some of which fail as a whole.
    Chains,
}

/// How transfer ids are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Ascending in the order of building.
    Ordered,
    /// All over the 128 bits.
    Random,
}

/// The shape of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Accounts that take part. At least 2, below 2^32.
    pub accounts: u64,
    /// The first so many accounts get more than their share of the debits.
    pub hot_accounts: u64,
    /// Percent of the debits that go to the hot accounts.
    pub hot_percent: u64,
    /// What the transfers do.
    pub mix: Mix,
    /// How transfer ids are made.
    pub ids: Ids,
    /// Everything else follows from it; also the ids, so that two runs don't meet.
    pub seed: u64,
    /// Transfers of one request.
    pub batch: u64,
}

/// One transfer, as far as it can differ from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Which account is debited.
    pub(crate) debit: u64,
    /// Which account is credited.
    pub(crate) credit: u64,
    /// The amount: of a post what is posted, of a void nothing.
    pub(crate) amount: u64,
    pub(crate) effect: Effect,
    /// Whether the next event belongs to the same chain.
    pub(crate) linked: bool,
}

/// What a transfer does to the counters, when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Move,
    Hold,
    /// Posts `amount` of a hold of `held`.
    Post {
        held: u64,
    },
    /// Releases a hold of `held`.
    Void {
        held: u64,
    },
}

/// Spreads a counter over 64 bits; each output comes from exactly one input.
const fn scatter(counter: u64, salt: u64) -> u64 {
    let z = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Scales 32 random bits to `0..below`.
const fn scale(bits: u64, below: u64) -> u64 {
    ((bits & 0xFFFF_FFFF) * below) >> 32
}

impl Workload {
    /// The id of an account. One more than the accounts that take part exists: see
    /// [`Self::bank`].
    pub(crate) const fn account_id(&self, account: u64) -> u128 {
        self.prefix() | (account as u128 + 1)
    }

    /// The account that funds the others in the mix `limits`.
    pub(crate) const fn bank(&self) -> u64 {
        self.accounts
    }

    /// The record that creates an account.
    pub(crate) fn account(&self, account: u64) -> Account {
        let limited = self.mix == Mix::Limits && account != self.bank();
        let flags = if limited { AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS } else { 0 };
        Account {
            id: self.account_id(account),
            ledger: LEDGER,
            code: CODE,
            flags,
            ..Account::default()
        }
    }

    /// The transfer that gives an account its funds.
    pub(crate) fn funding(&self, account: u64) -> Transfer {
        Transfer {
            id: self.prefix() | (1 << 63) | u128::from(account + 1),
            debit_account_id: self.account_id(self.bank()),
            credit_account_id: self.account_id(account),
            amount: u128::from(FUNDS),
            ledger: LEDGER,
            code: CODE,
            ..Transfer::default()
        }
    }

    const fn prefix(&self) -> u128 {
        (self.seed as u128) << 64
    }

    #[inline(always)]
    fn transfer_id(&self, number: u64) -> u128 {
        match self.ids {
            Ids::Ordered => self.prefix() | (u128::from(number) + 1),
            Ids::Random => {
                let high = scatter(number, self.seed ^ 0xA5A5_5A5A_0F0F_F0F0);
                let low = scatter(number, self.seed.rotate_left(32) ^ 0x3C3C_C3C3_9696_6969);
                u128::from(high) << 64 | u128::from(low)
            }
        }
    }

    /// Event `index` of a request of `count` events. `holds` is the request whose holds this one
    /// settles.
    #[inline(always)]
    pub(crate) fn event(
        &self,
        request: RequestNumber,
        holds: Option<RequestNumber>,
        count: u64,
        index: u64,
    ) -> Event {
        let number = request.0 * self.batch + index;
        match (self.mix, holds) {
            (Mix::Simple, _) => self.plain(number).0,
            (Mix::Limits, _) => {
                let (mut event, spare) = self.plain(number);
                if spare < UNAFFORDABLE_OF_256 {
                    event.amount = UNAFFORDABLE;
                }
                event
            }
            (Mix::TwoPhase, None) => Event { effect: Effect::Hold, ..self.plain(number).0 },
            (Mix::TwoPhase, Some(holds)) => self.settlement(holds.0 * self.batch + index),
            (Mix::Chains, _) => self.chain_member(number, count, index),
        }
    }

    /// A transfer between two accounts, and 8 bits of chance that it didn't use.
    #[inline(always)]
    fn plain(&self, number: u64) -> (Event, u64) {
        let places = scatter(number, self.seed);
        let rest = scatter(number, !self.seed);
        let hot = self.hot_accounts > 0 && scale(rest >> 32, 100) < self.hot_percent;
        let debit = scale(places >> 32, if hot { self.hot_accounts } else { self.accounts });
        let mut credit = scale(places, self.accounts);
        if credit == debit {
            credit = if debit + 1 == self.accounts { 0 } else { debit + 1 };
        }
        let amount = 1 + (rest & 63);
        let event = Event { debit, credit, amount, effect: Effect::Move, linked: false };
        (event, (rest >> 8) & 255)
    }

    /// Settles the hold that event `number` made: half are posted, a quarter posted in part, a
    /// quarter voided.
    #[inline(always)]
    fn settlement(&self, number: u64) -> Event {
        let (hold, spare) = self.plain(number);
        let held = hold.amount;
        let (amount, effect) = match spare % 4 {
            0 => (0, Effect::Void { held }),
            1 => (held / 2, Effect::Post { held }),
            _ => (held, Effect::Post { held }),
        };
        Event { amount, effect, ..hold }
    }

    /// Members 0–1, 2–4 and 5–8 of each nine form a chain; the end of a request ends the last.
    #[inline(always)]
    fn chain_member(&self, number: u64, count: u64, index: u64) -> Event {
        let (mut event, spare) = self.plain(number);
        let ends = matches!(index % CHAIN_PERIOD, 1 | 4 | 8);
        event.linked = !ends && index + 1 < count;
        if ends && spare < BROKEN_OF_256 {
            event.credit = event.debit;
        }
        event
    }

    /// Writes the records of a request: all of `body`, 128 bytes each.
    pub(crate) fn fill(
        &self,
        request: RequestNumber,
        holds: Option<RequestNumber>,
        body: &mut [u8],
    ) {
        let count = (body.len() / TRANSFER_BYTES) as u64;
        for (index, record) in (0..count).zip(body.chunks_exact_mut(TRANSFER_BYTES)) {
            let event = self.event(request, holds, count, index);
            let hold = holds.map(|holds| self.transfer_id(holds.0 * self.batch + index));
            let id = self.transfer_id(request.0 * self.batch + index);
            record.copy_from_slice(bytemuck::bytes_of(&self.transfer(id, &event, hold)));
        }
    }

    #[inline(always)]
    fn transfer(&self, id: u128, event: &Event, hold: Option<u128>) -> Transfer {
        let (flags, pending_id) = match event.effect {
            Effect::Move => (0, 0),
            Effect::Hold => (TransferFlags::PENDING, 0),
            Effect::Post { .. } => (TransferFlags::POST_PENDING_TRANSFER, hold.unwrap_or_default()),
            Effect::Void { .. } => (TransferFlags::VOID_PENDING_TRANSFER, hold.unwrap_or_default()),
        };
        Transfer {
            id,
            debit_account_id: self.account_id(event.debit),
            credit_account_id: self.account_id(event.credit),
            amount: u128::from(event.amount),
            pending_id,
            ledger: LEDGER,
            code: CODE,
            flags: flags | if event.linked { TransferFlags::LINKED } else { 0 },
            ..Transfer::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn workload(mix: Mix) -> Workload {
        let (hot_accounts, hot_percent) = (0, 0);
        Workload {
            accounts: 100,
            hot_accounts,
            hot_percent,
            mix,
            ids: Ids::Random,
            seed: 7,
            batch: 90,
        }
    }

    fn transfers(workload: &Workload, request: u64, holds: Option<u64>) -> Vec<Transfer> {
        let mut body = vec![0; 90 * TRANSFER_BYTES];
        workload.fill(RequestNumber(request), holds.map(RequestNumber), &mut body);
        bytemuck::pod_collect_to_vec(&body)
    }

    #[test]
    fn events_are_sound_and_ids_unique() {
        for ids in [Ids::Ordered, Ids::Random] {
            let workload = Workload { ids, ..workload(Mix::Simple) };
            let mut seen = BTreeSet::new();
            for transfer in (0..50).flat_map(|request| transfers(&workload, request, None)) {
                assert!(seen.insert(transfer.id));
                assert_ne!(transfer.debit_account_id, transfer.credit_account_id);
                for account in [transfer.debit_account_id, transfer.credit_account_id] {
                    assert!((workload.account_id(0)..=workload.account_id(99)).contains(&account));
                }
                assert!((1..=64).contains(&transfer.amount));
            }
        }
    }

    #[test]
    fn ordered_ids_ascend() {
        let workload = Workload { ids: Ids::Ordered, ..workload(Mix::Simple) };
        let all: Vec<u128> =
            (0..3).flat_map(|r| transfers(&workload, r, None)).map(|t| t.id).collect();
        assert!(all.is_sorted());
    }

    #[test]
    fn hot_accounts_get_their_share_of_the_debits() {
        let workload = Workload { hot_accounts: 4, hot_percent: 80, ..workload(Mix::Simple) };
        let hot = (0..1_000)
            .filter(|&number| workload.plain(number).0.debit < workload.hot_accounts)
            .count();
        assert!((770..=870).contains(&hot), "{hot}");
    }

    #[test]
    fn a_settlement_matches_its_hold_and_never_exceeds_it() {
        let workload = workload(Mix::TwoPhase);
        let (holds, settlements) =
            (transfers(&workload, 3, None), transfers(&workload, 5, Some(3)));
        for (hold, settlement) in holds.iter().zip(&settlements) {
            assert!(hold.has(TransferFlags::PENDING));
            assert_eq!(settlement.pending_id, hold.id);
            assert_eq!(settlement.debit_account_id, hold.debit_account_id);
            assert!(settlement.amount <= hold.amount);
        }
        let voids = settlements.iter().filter(|t| t.has(TransferFlags::VOID_PENDING_TRANSFER));
        assert!((10..35).contains(&voids.count()));
    }

    #[test]
    fn chains_have_two_to_four_members_and_end_with_the_request() {
        let workload = workload(Mix::Chains);
        let mut lengths = BTreeSet::new();
        let mut length = 0;
        for transfer in (0..10).flat_map(|request| transfers(&workload, request, None)) {
            length += 1;
            if !transfer.has(TransferFlags::LINKED) {
                lengths.insert(length);
                length = 0;
            }
        }
        assert_eq!((length, lengths), (0, BTreeSet::from([2, 3, 4])));
        assert!(!workload.event(RequestNumber(0), None, 1, 0).linked);
    }

    #[test]
    fn some_transfers_of_limits_can_never_be_afforded() {
        let workload = workload(Mix::Limits);
        let all = (0..20).flat_map(|request| transfers(&workload, request, None));
        let never = all.filter(|t| t.amount == u128::from(UNAFFORDABLE)).count();
        assert!((50..150).contains(&never), "{never}");
        assert!(workload.account(0).has(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS));
        assert_eq!(workload.account(workload.bank()).flags, 0);
    }
}
