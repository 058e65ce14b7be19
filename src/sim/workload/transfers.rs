//! Requests to create transfers.

use super::Workload;
use super::faults::{TRANSFER_CHANGES, TRANSFER_SPOILERS};
use crate::ledger::{Account, Transfer, TransferFlags};

const HALF: u128 = 1 << 127;

impl Workload {
    pub(super) fn transfer_request(&mut self) -> Vec<Transfer> {
        // While an account is younger than every transfer, an import can fall short of it.
        let newest = self.memory.newest_transfer_timestamp();
        let gap = self.memory.accounts.last().is_some_and(|young| young.timestamp > newest + 3);
        let imported = self.random.percent(self.options.percent_imported * if gap { 3 } else { 1 });
        let count = 1 + self.random.skewed_index(self.options.events_per_request_max);
        let mut events = Vec::new();
        while events.len() < count {
            if self.random.percent(self.options.percent_chains) {
                let chain = self.transfer_chain();
                events.extend(chain);
            } else {
                let event = self.transfer_event();
                self.memory.send(event);
                events.push(event);
            }
        }
        self.set_transfer_imports(&mut events, imported);
        events
    }

    /// A run of linked events, one sent before or a new one. Rarely it lacks its end.
    fn transfer_chain(&mut self) -> Vec<Transfer> {
        let resent = self.memory.sent_chains.any(&mut self.random);
        if let Some(mut resent) = resent
            && self.random.percent(35)
        {
            if self.random.percent(30) {
                let index = self.random.index(resent.len());
                self.random.pick(TRANSFER_CHANGES)(&mut resent[index]);
            }
            return resent;
        }
        let length = self.random.between(2, 5);
        let careful = self.random.percent(60);
        let mut chain = Vec::new();
        for _ in 0..length {
            let event = if careful { self.sound_transfer() } else { self.transfer_event() };
            self.memory.send(event);
            chain.push(event);
        }
        let ends = !self.random.percent(8);
        let linked = chain.len() - usize::from(ends);
        chain[..linked].iter_mut().for_each(|transfer| transfer.flags |= TransferFlags::LINKED);
        self.memory.sent_chains.push(chain.clone());
        chain
    }

    fn transfer_event(&mut self) -> Transfer {
        if self.random.percent(self.options.percent_repeated)
            && let Some(repeated) = self.repeated_transfer()
        {
            return repeated;
        }
        let mut transfer = self.sound_transfer();
        if self.random.percent(self.options.percent_spoiled) {
            self.random.pick(TRANSFER_SPOILERS)(&mut transfer, &mut self.random);
        } else if self.random.percent(2)
            && let Some(fenced) = self.memory.fenced.any(&mut self.random)
        {
            transfer.id = fenced;
        }
        transfer
    }

    /// One that was sent or created before, as it was or with one field changed.
    fn repeated_transfer(&mut self) -> Option<Transfer> {
        let random = &mut self.random;
        let sent = match random.below(10) {
            0..=2 => self.memory.sent.any(random),
            3..=4 => self.memory.settled.any(random),
            5 => self.memory.holds.any(random),
            _ => self.memory.created.any(random),
        }?;
        let mut repeated = Transfer { flags: sent.flags & !TransferFlags::LINKED, ..sent };
        // What differs shall be what was changed here, and not the way the time was given.
        if !repeated.has(TransferFlags::IMPORTED) {
            repeated.timestamp = 0;
        }
        if random.percent(65) {
            random.pick(TRANSFER_CHANGES)(&mut repeated);
        }
        Some(repeated)
    }

    /// A transfer that only the state of its accounts and of its hold can refuse.
    fn sound_transfer(&mut self) -> Transfer {
        let options = self.options.clone();
        if self.random.percent(options.percent_settling) {
            self.settling()
        } else if self.random.percent(options.percent_pending) {
            self.pending()
        } else if self.random.percent(options.percent_balancing) {
            self.balancing()
        } else if self.random.percent(options.percent_closing) {
            self.closing()
        } else if self.random.percent(options.percent_huge) {
            self.huge()
        } else {
            self.plain()
        }
    }

    fn plain(&mut self) -> Transfer {
        let debit = self.any_account();
        let credit = self.partner(&debit);
        let amount = match self.random.below(10) {
            0 => 0,
            1 => self.random.between(1, 1_000_000),
            _ => self.random.between(1, 100),
        };
        self.transfer_between(&debit, &credit, amount.into())
    }

    fn transfer_between(&mut self, debit: &Account, credit: &Account, amount: u128) -> Transfer {
        Transfer {
            id: self.new_id(),
            debit_account_id: debit.id,
            credit_account_id: credit.id,
            amount,
            user_data_128: self.small().into(),
            user_data_64: self.small(),
            user_data_32: u32::from(self.random.percent(50)),
            ledger: debit.ledger,
            code: self.random.pick(&[1, 2, 3]),
            ..Transfer::default()
        }
    }

    fn pending(&mut self) -> Transfer {
        let timeout = match self.random.below(20) {
            0..=9 => 0,
            10..=17 => u32::from(self.random.percent(50)) + 1,
            18 => 60,
            // Far enough to leave the range of timestamps when the clock is late.
            _ => u32::MAX - 1,
        };
        let plain = self.plain();
        Transfer { timeout, flags: TransferFlags::PENDING, ..plain }
    }

    fn balancing(&mut self) -> Transfer {
        let both = TransferFlags::BALANCING_DEBIT | TransferFlags::BALANCING_CREDIT;
        let side = self.random.pick(&[
            TransferFlags::BALANCING_DEBIT,
            TransferFlags::BALANCING_CREDIT,
            both,
        ]);
        let pending = if self.random.percent(25) { TransferFlags::PENDING } else { 0 };
        let plain = self.plain();
        let amount = self.random.pick(&[plain.amount, 1_000, u128::MAX]);
        Transfer { amount, flags: side | pending, ..plain }
    }

    /// Mostly with a short timeout, so that the accounts don't stay closed.
    fn closing(&mut self) -> Transfer {
        let both = TransferFlags::CLOSING_DEBIT | TransferFlags::CLOSING_CREDIT;
        let side =
            self.random.pick(&[TransferFlags::CLOSING_DEBIT, TransferFlags::CLOSING_CREDIT, both]);
        let timeout = if self.random.percent(80) { 1 } else { 0 };
        let plain = self.plain();
        Transfer { timeout, flags: TransferFlags::PENDING | side, ..plain }
    }

    /// An amount that fills counters to the brim, between accounts kept for that.
    fn huge(&mut self) -> Transfer {
        let whales = self.memory.whales.newest_few(5).to_vec();
        if whales.len() < 2 {
            return self.plain();
        }
        let debit = self.random.index(whales.len());
        let credit = (debit + 1 + self.random.index(whales.len() - 1)) % whales.len();
        let amount = self.random.pick(&[HALF, HALF - 1, u128::MAX, u128::MAX - 7, 9]);
        let flags = self.random.pick(&[0, TransferFlags::PENDING, TransferFlags::PENDING]);
        let transfer = self.transfer_between(&whales[debit], &whales[credit], amount);
        Transfer { flags, ..transfer }
    }

    /// A post or void of a hold, most often of one that is open.
    fn settling(&mut self) -> Transfer {
        let hold = match self.random.below(20) {
            0..=3 => self.memory.sent_holds.any(&mut self.random),
            4..=6 => self.memory.closing_holds.any(&mut self.random),
            7 => self.memory.created.any(&mut self.random),
            _ => self.memory.holds.any(&mut self.random),
        };
        let Some(hold) = hold else { return self.plain() };
        let posts = self.random.percent(60);
        let amount = if posts {
            self.random.pick(&[u128::MAX, u128::MAX, hold.amount, hold.amount / 2, 0])
        } else {
            self.random.pick(&[0, 0, hold.amount])
        };
        let flags = if posts {
            TransferFlags::POST_PENDING_TRANSFER
        } else {
            TransferFlags::VOID_PENDING_TRANSFER
        };
        let mut settling = Transfer {
            id: self.new_id(),
            pending_id: hold.id,
            amount,
            flags,
            ..Transfer::default()
        };
        if self.random.percent(30) {
            settling.debit_account_id = hold.debit_account_id;
            settling.ledger = hold.ledger;
        }
        if self.random.percent(30) {
            settling.credit_account_id = hold.credit_account_id;
            settling.code = hold.code;
        }
        if self.random.percent(30) {
            settling.user_data_128 = self.small().into();
            settling.user_data_64 = self.small();
            settling.user_data_32 = u32::from(self.random.percent(50));
        }
        if self.random.percent(8) {
            self.contradict(&mut settling, &hold);
        }
        settling
    }

    /// Makes the post or void disagree with its hold.
    fn contradict(&mut self, settling: &mut Transfer, hold: &Transfer) {
        match self.random.below(6) {
            0 => settling.debit_account_id = hold.credit_account_id,
            1 => settling.credit_account_id = hold.debit_account_id,
            2 => settling.ledger = hold.ledger.wrapping_add(1).max(1),
            3 => settling.code = hold.code.wrapping_add(1).max(1),
            4 => settling.amount = hold.amount.saturating_add(1),
            _ => settling.amount = hold.amount.saturating_sub(1),
        }
    }

    fn any_account(&mut self) -> Account {
        let index = self.random.skewed_index(self.memory.accounts.len());
        self.memory.accounts[index]
    }

    /// Another account, almost always of the same ledger.
    fn partner(&mut self, account: &Account) -> Account {
        let any_ledger = self.random.percent(2);
        let fits = |other: &&Account| {
            other.id != account.id && (any_ledger || other.ledger == account.ledger)
        };
        let others: Vec<Account> = self.memory.accounts.iter().filter(fits).copied().collect();
        if others.is_empty() {
            return self.any_account();
        }
        let index = self.random.skewed_index(others.len());
        others[index]
    }

    /// Gives all events of an imported request a time, and some events a flag that doesn't fit.
    fn set_transfer_imports(&mut self, events: &mut [Transfer], imported: bool) {
        let newest = self.memory.newest_transfer_timestamp();
        let others = self.memory.account_timestamps.any(&mut self.random).unwrap_or(1);
        let times = self.import_times(events.len(), newest, others);
        for (event, time) in events.iter_mut().zip(times) {
            let fits = !self.random.percent(1);
            if imported == fits {
                event.flags |= TransferFlags::IMPORTED;
                event.timestamp = time;
                if self.random.percent(90) {
                    event.timeout = 0;
                }
                self.import_between_new_accounts(event, newest);
            } else {
                let known = event.timestamp == 5;
                event.flags &= !TransferFlags::IMPORTED;
                event.timestamp = if known { 5 } else { 0 };
            }
        }
    }

    /// Sometimes moves an imported transfer to an account that is younger than the newest transfer,
    /// and to a moment before that account.
    fn import_between_new_accounts(&mut self, event: &mut Transfer, newest: u64) {
        let Some(young) = self.memory.accounts.last().copied() else { return };
        if young.timestamp < newest + 3 || event.pending_id != 0 || !self.random.percent(25) {
            return;
        }
        let old = self.memory.accounts[0];
        (event.debit_account_id, event.credit_account_id) =
            if self.random.percent(50) { (young.id, old.id) } else { (old.id, young.id) };
        event.ledger = young.ledger;
        event.timestamp = young.timestamp - 1;
    }

    /// Moments for an imported request: mostly rising between the newest record of the kind and
    /// now, some of them impossible.
    pub(super) fn import_times(&mut self, count: usize, newest: u64, others: u64) -> Vec<u64> {
        let step = self.now.saturating_sub(newest) / 200;
        let mut time = newest;
        let mut times = Vec::new();
        for _ in 0..count {
            time += 1 + self.random.below(step.max(1));
            times.push(match self.random.below(40) {
                0 => 0,
                1 => self.random.pick(&[1 << 63, u64::MAX]),
                2 => (1 << 63) - 1,
                3 => newest,
                4 => others,
                _ => time,
            });
        }
        times
    }
}
