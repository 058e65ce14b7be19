//! Requests to create accounts.

use super::Workload;
use super::faults::{ACCOUNT_CHANGES, ACCOUNT_SPOILERS};
use super::memory::WHALE;
use crate::ledger::{Account, AccountFlags};

/// Flags of the accounts, in rotation; the busiest accounts come first.
const FLAGS: [u16; 12] = [
    0,
    AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
    AccountFlags::HISTORY,
    AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
    0,
    AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS | AccountFlags::HISTORY,
    0,
    0,
    AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS | AccountFlags::HISTORY,
    0,
    AccountFlags::HISTORY,
    AccountFlags::CLOSED,
];

impl Workload {
    /// The accounts that everything else plays on: sound ones of every sort.
    pub(super) fn first_accounts(&mut self) -> Vec<Account> {
        let mut accounts = Vec::new();
        for index in 0..self.options.accounts.max(FLAGS.len()) {
            let flags = FLAGS[index % FLAGS.len()];
            // Whole rounds of flags go to one ledger, so that each ledger has every sort.
            let round = u32::try_from(index / FLAGS.len()).unwrap_or(0);
            let ledger = 1 + round % self.options.ledgers.max(1);
            accounts.push(Account { flags, ledger, ..self.plain_account() });
        }
        accounts.extend((0..4).map(|_| self.whale()));
        accounts
    }

    pub(super) fn account_request(&mut self) -> Vec<Account> {
        let imported = self.random.percent(self.options.percent_imported * 2);
        let count = 1 + self.random.skewed_index(self.options.events_per_request_max);
        let mut events = vec![self.whale()];
        while events.len() < count {
            if self.random.percent(self.options.percent_chains) {
                let chain = self.account_chain();
                events.extend(chain);
            } else {
                events.push(self.account_event(imported));
            }
        }
        self.set_account_imports(&mut events, imported);
        for event in &events {
            self.memory.sent_accounts.push(*event);
        }
        events
    }

    fn account_event(&mut self, imported: bool) -> Account {
        if self.random.percent(self.options.percent_repeated * 2)
            && let Some(sent) = self.memory.sent_accounts.any(&mut self.random)
        {
            let mut repeated = Account { flags: sent.flags & !AccountFlags::LINKED, ..sent };
            if !imported {
                // An ordinary request can't name a time; what differs shall be what was changed.
                repeated.timestamp = 0;
            }
            if self.random.percent(65) {
                self.random.pick(ACCOUNT_CHANGES)(&mut repeated);
            }
            return repeated;
        }
        let mut account = self.plain_account();
        account.flags = self.random.pick(&FLAGS);
        if self.random.percent(self.options.percent_spoiled * 3) {
            self.random.pick(ACCOUNT_SPOILERS)(&mut account, &mut self.random);
        }
        account
    }

    /// A run of linked events, one sent before or a new one. Rarely it lacks its end.
    fn account_chain(&mut self) -> Vec<Account> {
        let resent = self.memory.sent_account_chains.any(&mut self.random);
        if let Some(resent) = resent
            && self.random.percent(30)
        {
            return resent;
        }
        let length = self.random.between(2, 4);
        let mut chain: Vec<Account> = (0..length).map(|_| self.plain_account()).collect();
        if self.random.percent(40) {
            let index = self.random.index(chain.len());
            self.random.pick(ACCOUNT_SPOILERS)(&mut chain[index], &mut self.random);
        }
        let ends = !self.random.percent(10);
        let linked = chain.len() - usize::from(ends);
        chain[..linked].iter_mut().for_each(|account| account.flags |= AccountFlags::LINKED);
        self.memory.sent_account_chains.push(chain.clone());
        chain
    }

    fn plain_account(&mut self) -> Account {
        let ledgers = u64::from(self.options.ledgers.max(1));
        Account {
            id: self.new_id(),
            user_data_128: self.small().into(),
            user_data_64: self.small(),
            user_data_32: u32::from(self.random.percent(50)),
            ledger: u32::try_from(1 + self.random.below(ledgers)).unwrap_or(1),
            code: self.random.pick(&[10, 11, 12]),
            ..Account::default()
        }
    }

    fn whale(&mut self) -> Account {
        Account { ledger: 1, user_data_32: WHALE, flags: 0, ..self.plain_account() }
    }

    /// A number that is often 0 and often met again.
    pub(super) fn small(&mut self) -> u64 {
        self.random.below(4)
    }

    /// Gives all events of an imported request a time, and some events a flag that doesn't fit.
    fn set_account_imports(&mut self, events: &mut [Account], imported: bool) {
        let newest = self.memory.newest_account_timestamp();
        let others = self.memory.transfer_timestamps.any(&mut self.random).unwrap_or(1);
        let times = self.import_times(events.len(), newest, others);
        for (event, time) in events.iter_mut().zip(times) {
            let fits = !self.random.percent(2);
            if imported == fits {
                event.flags |= AccountFlags::IMPORTED;
                event.timestamp = time;
            } else {
                event.flags &= !AccountFlags::IMPORTED;
            }
        }
    }
}
