//! What makes an event out of its stored record again.

use crate::ledger::{Transfer, TransferFlags};
use crate::log::Amendment;

/// The fields of a post or void that were 0 on arrival and that the hold filled in.
const INHERITED_DEBIT: u32 = 1 << 0;
const INHERITED_CREDIT: u32 = 1 << 1;
const INHERITED_LEDGER: u32 = 1 << 2;
const INHERITED_CODE: u32 = 1 << 3;
const INHERITED_USER_DATA_128: u32 = 1 << 4;
const INHERITED_USER_DATA_64: u32 = 1 << 5;
const INHERITED_USER_DATA_32: u32 = 1 << 6;

/// How the event looked on arrival, as against the record that is stored.
pub(super) fn amendment(index: u32, event: &Transfer, record: &Transfer) -> Amendment {
    let fields = [
        (event.debit_account_id == 0 && record.debit_account_id != 0, INHERITED_DEBIT),
        (event.credit_account_id == 0 && record.credit_account_id != 0, INHERITED_CREDIT),
        (event.ledger == 0 && record.ledger != 0, INHERITED_LEDGER),
        (event.code == 0 && record.code != 0, INHERITED_CODE),
        (event.user_data_128 == 0 && record.user_data_128 != 0, INHERITED_USER_DATA_128),
        (event.user_data_64 == 0 && record.user_data_64 != 0, INHERITED_USER_DATA_64),
        (event.user_data_32 == 0 && record.user_data_32 != 0, INHERITED_USER_DATA_32),
    ];
    let inherited = fields.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit);
    assert_eq!(event.id, record.id, "an amendment leads from a record to its own event");
    Amendment::new(index, inherited, event.amount)
}

/// The event as it arrived, from the record and its amendment.
pub(super) fn restore(record: &Transfer, amendment: Option<&Amendment>) -> Transfer {
    let mut event = *record;
    if !event.has(TransferFlags::IMPORTED) {
        event.timestamp = 0;
    }
    let Some(amendment) = amendment else { return event };
    event.amount = amendment.amount;
    let was_zero = |bit: u32| amendment.inherited & bit != 0;
    if was_zero(INHERITED_DEBIT) {
        event.debit_account_id = 0;
    }
    if was_zero(INHERITED_CREDIT) {
        event.credit_account_id = 0;
    }
    if was_zero(INHERITED_LEDGER) {
        event.ledger = 0;
    }
    if was_zero(INHERITED_CODE) {
        event.code = 0;
    }
    if was_zero(INHERITED_USER_DATA_128) {
        event.user_data_128 = 0;
    }
    if was_zero(INHERITED_USER_DATA_64) {
        event.user_data_64 = 0;
    }
    if was_zero(INHERITED_USER_DATA_32) {
        event.user_data_32 = 0;
    }
    event
}
