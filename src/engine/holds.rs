//! The open holds of one partition and the order of their expiry.

use std::collections::BTreeMap;
#[expect(clippy::disallowed_types, reason = "only looked up by key, never iterated")]
use std::collections::HashMap;

use crate::ledger::{Timestamp, Transfer};

/// When a hold ends, and its own timestamp to tell it from others that end then.
pub(super) type ExpiryKey = (u64, u64);

/// The open holds whose ids a partition owns.
#[derive(Debug, Default)]
pub(super) struct Holds {
    #[expect(clippy::disallowed_types, reason = "only looked up by key, never iterated")]
    open: HashMap<u128, Transfer>,
    expiry: BTreeMap<ExpiryKey, u128>,
}

impl Holds {
    pub(super) fn get(&self, id: u128) -> Option<&Transfer> {
        self.open.get(&id)
    }

    pub(super) fn open(&mut self, hold: Transfer) {
        if let Some(key) = expiry_key(&hold) {
            self.expiry.insert(key, hold.id);
        }
        self.open.insert(hold.id, hold);
    }

    pub(super) fn close(&mut self, id: u128) {
        if let Some(hold) = self.open.remove(&id)
            && let Some(key) = expiry_key(&hold)
        {
            self.expiry.remove(&key);
        }
    }

    /// When the next hold ends.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.first_key_value().map(|(&(at, _), _)| Timestamp(at))
    }

    /// The holds that have ended by `now`, first ones first, at most `limit`.
    pub(super) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Transfer> {
        let ended = self.expiry.range(..=(now.0, u64::MAX)).take(limit);
        ended.filter_map(|(_, id)| self.open.get(id)).copied().collect()
    }
}

/// None for a hold that never expires.
pub(super) fn expiry_key(hold: &Transfer) -> Option<ExpiryKey> {
    let timeout = u64::from(hold.timeout);
    (timeout != 0).then(|| (hold.timestamp + timeout * 1_000_000_000, hold.timestamp))
}
