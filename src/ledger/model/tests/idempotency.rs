//! What a repeated id answers.

use super::*;
use crate::ledger::CreateTransferStatus::{self as Status, *};
use crate::ledger::TransferFlags as Flags;

type Edit = fn(&mut Transfer);

const ROWS: &[(Status, Edit)] = &[
    (ExistsWithDifferentFlags, |t| t.flags ^= Flags::PENDING),
    (ExistsWithDifferentPendingId, |t| t.pending_id = 99),
    (ExistsWithDifferentTimeout, |t| t.timeout += 1),
    (ExistsWithDifferentDebitAccountId, |t| t.debit_account_id += 1),
    (ExistsWithDifferentCreditAccountId, |t| t.credit_account_id += 1),
    (ExistsWithDifferentAmount, |t| t.amount -= 1),
    (ExistsWithDifferentUserData128, |t| t.user_data_128 += 1),
    (ExistsWithDifferentUserData64, |t| t.user_data_64 += 1),
    (ExistsWithDifferentUserData32, |t| t.user_data_32 += 1),
    (ExistsWithDifferentLedger, |t| t.ledger += 1),
    (ExistsWithDifferentCode, |t| t.code += 1),
    (Exists, |t| t.flags ^= Flags::LINKED),
];

/// Sends `created`, then each row's change of it, alone and together with all rows below.
fn check(model: &mut Model, created: Transfer, rows: &[(Status, Edit)]) {
    assert_eq!(model.send(created), Created);
    let original = model.lookup_transfers(&[created.id])[0].timestamp;
    for (index, (expected, edit)) in rows.iter().enumerate() {
        let mut alone = created;
        edit(&mut alone);
        let mut with_later = created;
        rows[index..].iter().rev().for_each(|(_, edit)| edit(&mut with_later));
        for event in [alone, with_later] {
            // A linked copy needs an end of its chain; the end exists as well.
            let results = model.create_transfers(&[event, created], Timestamp(CLOCK));
            assert_eq!(results[0].status, expected.code(), "{event:?}");
            assert_eq!(results[0].timestamp == original, *expected == Exists);
        }
    }
}

#[test]
fn the_first_field_that_differs_is_named() {
    let mut model = model_with_ids(&[1, 2, 3]);
    check(&mut model, transfer(10, 1, 2, 5), ROWS);
    check(&mut model, Transfer { timeout: 9, ..pending(11, 1, 2, 5) }, ROWS);
}

#[test]
fn exists_comes_before_the_rules_about_content() {
    let mut model = model_with_ids(&[1, 2]);
    check(
        &mut model,
        transfer(10, 1, 2, 5),
        &[
            (ExistsWithDifferentFlags, |t| t.flags |= Flags::CLOSING_DEBIT),
            (ExistsWithDifferentDebitAccountId, |t| t.debit_account_id = 0),
            (ExistsWithDifferentLedger, |t| t.ledger = 0),
            (ExistsWithDifferentCode, |t| t.code = 0),
        ],
    );
}

#[test]
fn a_balancing_request_may_ask_for_more_than_was_moved() {
    let mut model = model_with_ids(&[1, 2]);
    model.transfers_at_once(&[transfer(9, 2, 1, 30)]);
    let balancing = Transfer { flags: Flags::BALANCING_DEBIT, ..transfer(10, 1, 2, 50) };
    check(
        &mut model,
        balancing,
        &[
            (ExistsWithDifferentAmount, |t| t.amount = 29),
            (Exists, |t| t.amount = 30),
            (Exists, |t| t.amount = u128::MAX),
        ],
    );
}

#[test]
fn a_post_names_the_posted_amount_or_all_of_it() {
    let whole: &[(Status, Edit)] = &[
        (ExistsWithDifferentAmount, |t| t.amount = 4),
        (Exists, |t| t.amount = 5),
        (Exists, |t| t.amount = u128::MAX),
    ];
    let part: &[(Status, Edit)] = &[
        (ExistsWithDifferentAmount, |t| t.amount = 0),
        (ExistsWithDifferentAmount, |t| t.amount = 5),
        (ExistsWithDifferentAmount, |t| t.amount = u128::MAX),
        (Exists, |t| t.amount = 4),
    ];
    for (sent, rows) in [(u128::MAX, whole), (5, whole), (4, part)] {
        let mut model = model_with_ids(&[1, 2]);
        model.transfers_at_once(&[pending(9, 1, 2, 5)]);
        check(&mut model, post(10, 9, sent), rows);
    }
}

#[test]
fn a_void_names_the_amount_or_none() {
    let mut model = model_with_ids(&[1, 2]);
    model.transfers_at_once(&[pending(9, 1, 2, 5)]);
    check(
        &mut model,
        void(10, 9),
        &[
            (ExistsWithDifferentAmount, |t| t.amount = 4),
            (ExistsWithDifferentAmount, |t| t.amount = u128::MAX),
            (Exists, |t| t.amount = 5),
        ],
    );
}

#[test]
fn what_a_settlement_leaves_out_is_not_compared_but_user_data_is_the_holds() {
    let mut model = model_with_ids(&[1, 2]);
    let hold =
        Transfer { user_data_128: 1, user_data_64: 2, user_data_32: 3, ..pending(9, 1, 2, 5) };
    model.transfers_at_once(&[hold]);
    let full = Transfer {
        debit_account_id: 1,
        credit_account_id: 2,
        ledger: LEDGER,
        code: 1,
        user_data_128: 7,
        user_data_32: 3,
        ..post(10, 9, 5)
    };
    check(
        &mut model,
        full,
        &[
            (ExistsWithDifferentPendingId, |t| t.pending_id = 8),
            (ExistsWithDifferentTimeout, |t| t.timeout = 1),
            (ExistsWithDifferentDebitAccountId, |t| t.debit_account_id = 2),
            (ExistsWithDifferentCreditAccountId, |t| t.credit_account_id = 1),
            (ExistsWithDifferentUserData128, |t| t.user_data_128 = 0),
            (ExistsWithDifferentUserData64, |t| t.user_data_64 = 1),
            (ExistsWithDifferentUserData32, |t| t.user_data_32 = 1),
            (ExistsWithDifferentLedger, |t| t.ledger = 1),
            (ExistsWithDifferentCode, |t| t.code = 2),
            (Exists, |t| (t.debit_account_id, t.credit_account_id) = (0, 0)),
            (Exists, |t| (t.ledger, t.code) = (0, 0)),
            (Exists, |t| (t.user_data_64, t.user_data_32) = (2, 0)),
        ],
    );
}
