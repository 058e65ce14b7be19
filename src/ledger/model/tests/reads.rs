//! Reads.

use super::*;
use crate::ledger::{
    AccountFilter, AccountFilterFlags as Sides, AccountFlags, FilterError, PendingStatus,
    QueryAccountsFilter, QueryFilterFlags, QueryTransfersFilter,
};

fn model() -> Model {
    let flags = AccountFlags::HISTORY;
    let mut model = model_with(&[
        Account { flags, user_data_64: 5, ..account(1) },
        account(2),
        Account { code: 11, ..account(3) },
    ]);
    model.transfers_at_once(&[
        transfer(10, 1, 2, 5),
        Transfer { code: 9, ..pending(11, 2, 1, 7) },
        Transfer { timeout: 1, ..pending(12, 1, 3, 8) },
        transfer(13, 2, 3, 1),
        post(14, 11, 4),
    ]);
    model
}

fn ids(transfers: &[Transfer]) -> Vec<u128> {
    transfers.iter().map(|transfer| transfer.id).collect()
}

fn of_account(account_id: u128) -> AccountFilter {
    let flags = Sides::DEBITS | Sides::CREDITS;
    AccountFilter { account_id, limit: 100, flags, ..AccountFilter::default() }
}

#[test]
fn lookups_keep_the_order_and_skip_what_is_missing() {
    let model = model();
    assert_eq!(ids(&model.lookup_transfers(&[13, 99, 10, 13])), [13, 10, 13]);
    let accounts = model.lookup_accounts(&[3, 99, 1]);
    assert_eq!(accounts.iter().map(|account| account.id).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn account_transfers_by_side_field_time_and_page() {
    let model = model();
    let moment = |id| model.lookup_transfers(&[id])[0].timestamp;
    let all = of_account(1);
    let rows: &[(AccountFilter, &[u128])] = &[
        (all, &[10, 11, 12, 14]),
        (AccountFilter { flags: Sides::DEBITS, ..all }, &[10, 12]),
        (AccountFilter { flags: Sides::CREDITS, ..all }, &[11, 14]),
        (AccountFilter { flags: all.flags | Sides::REVERSED, limit: 3, ..all }, &[14, 12, 11]),
        (AccountFilter { limit: 1, ..all }, &[10]),
        (AccountFilter { code: 9, ..all }, &[11, 14]),
        (AccountFilter { timestamp_min: moment(11), timestamp_max: moment(12), ..all }, &[11, 12]),
        (AccountFilter { user_data_32: 4, ..all }, &[]),
        (of_account(99), &[]),
    ];
    for (filter, expected) in rows {
        assert_eq!(ids(&model.get_account_transfers(filter).unwrap()), *expected, "{filter:?}");
    }
}

#[test]
fn balances_are_those_after_each_transfer_and_expiry_makes_no_entry() {
    let mut model = model();
    let late = Timestamp(CLOCK + 60_000_000_000);
    assert_eq!(model.expire(late), [12]);
    model.create_transfers(&[transfer(15, 1, 2, 0)], late);
    let balances = model.get_account_balances(&of_account(1)).unwrap();
    let counters: Vec<[u128; 4]> = balances
        .iter()
        .map(|b| [b.debits_pending, b.debits_posted, b.credits_pending, b.credits_posted])
        .collect();
    let expected = [[0, 5, 0, 0], [0, 5, 7, 0], [8, 5, 7, 0], [8, 5, 0, 4], [0, 5, 0, 4]];
    assert_eq!(counters, expected);
    let transfers = model.get_account_transfers(&of_account(1)).unwrap();
    for (balance, transfer) in balances.iter().zip(&transfers) {
        assert_eq!(balance.timestamp, transfer.timestamp);
    }
}

#[test]
fn a_filter_that_cannot_be_served_is_an_error() {
    let model = model();
    let all = of_account(1);
    let rows = [
        (AccountFilter { flags: Sides::REVERSED, ..all }, FilterError::NoSide),
        (AccountFilter { limit: 0, ..all }, FilterError::LimitIsZero),
        (
            AccountFilter { timestamp_min: 2, timestamp_max: 1, ..all },
            FilterError::TimestampsReversed,
        ),
        (AccountFilter { flags: 9, ..all }, FilterError::UnknownFlags),
        (of_account(99), FilterError::AccountNotFound),
        (of_account(2), FilterError::AccountWithoutHistory),
    ];
    for (filter, expected) in rows {
        assert_eq!(model.get_account_balances(&filter), Err(expected));
    }
}

#[test]
fn queries_and_the_fields_that_are_not_zero() {
    let mut model = model();
    model.expire(Timestamp(CLOCK + 60_000_000_000));
    model.send(pending(15, 1, 2, 3));
    let accounts = |filter| -> Vec<u128> {
        model.query_accounts(&filter).unwrap().iter().map(|account| account.id).collect()
    };
    let all = QueryAccountsFilter { limit: 100, ..QueryAccountsFilter::default() };
    let reversed = QueryFilterFlags::REVERSED;
    assert_eq!(accounts(QueryAccountsFilter { code: 11, ledger: LEDGER, ..all }), [3]);
    assert_eq!(accounts(QueryAccountsFilter { user_data_64: 5, ..all }), [1]);
    assert_eq!(accounts(QueryAccountsFilter { flags: reversed, limit: 2, ..all }), [3, 2]);
    assert_eq!(accounts(QueryAccountsFilter { ledger: 1, ..all }), [0; 0]);

    let transfers = |filter| ids(&model.query_transfers(&filter).unwrap());
    let all = QueryTransfersFilter { limit: 100, ..QueryTransfersFilter::default() };
    let with = |status| QueryTransfersFilter { pending_status: status as u16, ..all };
    assert_eq!(transfers(with(PendingStatus::Pending)), [15]);
    assert_eq!(transfers(with(PendingStatus::Posted)), [11]);
    assert_eq!(transfers(with(PendingStatus::Voided)), [0; 0]);
    assert_eq!(transfers(with(PendingStatus::Expired)), [12]);
    assert_eq!(transfers(QueryTransfersFilter { pending_id: 11, ..all }), [14]);
    assert_eq!(transfers(QueryTransfersFilter { code: 9, limit: 1, ..all }), [11]);
}

#[test]
fn the_trial_balance_adds_up_each_ledger() {
    let model = model();
    let totals = model.trial_balance()[&LEDGER];
    assert_eq!((totals.debits_pending, totals.debits_posted), (8, 10));
    assert_eq!((totals.credits_pending, totals.credits_posted), (8, 10));
}
