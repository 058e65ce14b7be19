//! The trial balance, and what must hold between the records at any time.

use std::collections::BTreeMap;

use super::Model;
use crate::ledger::PendingStatus;

/// The counters of all accounts of one ledger, added up. The sums wrap: two of them are equal when
/// the true sums are, and no sum of accounts is too large to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerTotals {
    /// In minor units.
    pub debits_pending: u128,
    /// In minor units.
    pub debits_posted: u128,
    /// In minor units.
    pub credits_pending: u128,
    /// In minor units.
    pub credits_posted: u128,
}

impl Model {
    /// The totals of each ledger that has an account.
    #[must_use]
    pub fn trial_balance(&self) -> BTreeMap<u32, LedgerTotals> {
        let mut ledgers: BTreeMap<u32, LedgerTotals> = BTreeMap::new();
        for account in self.accounts() {
            let totals = ledgers.entry(account.ledger).or_default();
            totals.debits_pending = totals.debits_pending.wrapping_add(account.debits_pending);
            totals.debits_posted = totals.debits_posted.wrapping_add(account.debits_posted);
            totals.credits_pending = totals.credits_pending.wrapping_add(account.credits_pending);
            totals.credits_posted = totals.credits_posted.wrapping_add(account.credits_posted);
        }
        ledgers
    }

    /// Checks that debits equal credits in every ledger, and that the pending counters of every
    /// account are exactly its open holds.
    ///
    /// # Panics
    /// If they don't: the model itself is wrong.
    pub fn assert_balanced(&self) {
        for (ledger, totals) in self.trial_balance() {
            assert_eq!(totals.debits_pending, totals.credits_pending, "ledger {ledger}, pending");
            assert_eq!(totals.debits_posted, totals.credits_posted, "ledger {ledger}, posted");
        }
        let mut held: BTreeMap<u128, (u128, u128)> = BTreeMap::new();
        for transfer in self.transfers() {
            if self.pending_status(transfer.id) == Some(PendingStatus::Pending) {
                held.entry(transfer.debit_account_id).or_default().0 += transfer.amount;
                held.entry(transfer.credit_account_id).or_default().1 += transfer.amount;
            }
        }
        for account in self.accounts() {
            let open = held.get(&account.id).copied().unwrap_or_default();
            let pending = (account.debits_pending, account.credits_pending);
            assert_eq!(pending, open, "open holds of account {}", account.id);
        }
    }
}
