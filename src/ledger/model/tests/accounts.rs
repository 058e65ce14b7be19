//! The rules of `create_accounts`, one row per rule, in their order.

use super::*;
use crate::ledger::AccountFlags as Flags;
use crate::ledger::CreateAccountStatus::{self as Status, *};

type Edit = fn(&mut Account);

/// Each row spoils one more field of a sound account; the rows above win over those below.
const REFUSALS: &[(Status, Edit)] = &[
    (TimestampMustBeZero, |a| a.timestamp = 1),
    (ReservedField, |a| a.reserved = 1),
    (ReservedFlag, |a| a.flags |= 1 << 6),
    (FlagsAreMutuallyExclusive, |a| a.flags |= 0b110),
    (DebitsPendingMustBeZero, |a| a.debits_pending = 1),
    (DebitsPostedMustBeZero, |a| a.debits_posted = 1),
    (CreditsPendingMustBeZero, |a| a.credits_pending = 1),
    (CreditsPostedMustBeZero, |a| a.credits_posted = 1),
    (LedgerMustNotBeZero, |a| a.ledger = 0),
    (CodeMustNotBeZero, |a| a.code = 0),
];

#[test]
fn each_rule_refuses_alone_and_wins_over_the_later_ones() {
    for (index, (expected, edit)) in REFUSALS.iter().enumerate() {
        let mut alone = account(1);
        edit(&mut alone);
        assert_eq!(Model::new().accounts_at_once(&[alone]), [*expected]);

        let mut with_later = account(1);
        REFUSALS[index..].iter().for_each(|(_, edit)| edit(&mut with_later));
        assert_eq!(Model::new().accounts_at_once(&[with_later]), [*expected]);
    }
}

#[test]
fn ids_at_the_ends_are_refused_after_flags_and_before_the_rest() {
    let spoilt = Account { ledger: 0, ..account(0) };
    assert_eq!(Model::new().accounts_at_once(&[spoilt]), [IdMustNotBeZero]);
    assert_eq!(Model::new().accounts_at_once(&[account(u128::MAX)]), [IdMustNotBeIntMax]);
    let reserved = Account { flags: 1 << 15, ..account(0) };
    assert_eq!(Model::new().accounts_at_once(&[reserved]), [ReservedFlag]);
}

#[test]
fn an_existing_id_names_the_first_field_that_differs() {
    let rows: &[(Status, Edit)] = &[
        (ExistsWithDifferentFlags, |a| a.flags ^= Flags::HISTORY),
        (ExistsWithDifferentUserData128, |a| a.user_data_128 += 1),
        (ExistsWithDifferentUserData64, |a| a.user_data_64 += 1),
        (ExistsWithDifferentUserData32, |a| a.user_data_32 += 1),
        (ExistsWithDifferentLedger, |a| a.ledger += 1),
        (ExistsWithDifferentCode, |a| a.code += 1),
        (Exists, |a| a.debits_posted = 5),
        (Exists, |a| a.flags ^= Flags::CLOSED),
    ];
    let mut model = model_with_ids(&[1]);
    for (index, (expected, edit)) in rows.iter().enumerate() {
        let mut alone = account(1);
        edit(&mut alone);
        assert_eq!(model.accounts_at_once(&[alone]), [*expected]);
        let mut with_later = account(1);
        rows[index..].iter().rev().for_each(|(_, edit)| edit(&mut with_later));
        assert_eq!(model.accounts_at_once(&[with_later]), [*expected]);
    }
}

#[test]
fn exists_comes_before_the_rules_about_content() {
    let mut model = model_with_ids(&[1]);
    let zero_ledger = Account { ledger: 0, ..account(1) };
    assert_eq!(model.accounts_at_once(&[zero_ledger]), [ExistsWithDifferentLedger]);
    let both_limits = Account { flags: 0b110, ..account(1) };
    assert_eq!(model.accounts_at_once(&[both_limits]), [ExistsWithDifferentFlags]);
}

#[test]
fn slots_are_used_up_by_failures_and_exists_gives_the_original_timestamp() {
    let mut model = Model::new();
    let events = [account(1), account(0), account(2), account(1)];
    let results = model.create_accounts(&events, Timestamp(CLOCK));
    let timestamps: Vec<u64> = results.iter().map(|result| result.timestamp).collect();
    assert_eq!(timestamps, [CLOCK + 1, CLOCK + 2, CLOCK + 3, CLOCK + 1]);
    assert_eq!(model.last_timestamp(), Timestamp(CLOCK + 4));

    let results = model.create_accounts(&[account(3)], Timestamp(5));
    assert_eq!(results[0].timestamp, CLOCK + 5, "a clock behind the last timestamp is ignored");
    assert_eq!(model.accounts().count(), 3);
}
