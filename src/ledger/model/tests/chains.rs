//! Linked chains, for both kinds of event.

use super::*;
use crate::ledger::AccountFlags;
use crate::ledger::CreateTransferStatus::*;

#[test]
fn later_members_see_earlier_ones_and_the_chain_happens_whole() {
    let mut model = model_with_ids(&[1, 2]);
    let batch = [linked(pending(10, 1, 2, 5)), linked(post(11, 10, 3)), transfer(12, 2, 1, 1)];
    assert_eq!(model.transfers_at_once(&batch), [Created; 3]);
    assert_eq!(model.counters(1), [0, 3, 0, 1]);
    assert!(model.lookup_transfers(&[10])[0].has(TransferFlags::LINKED), "stored as received");
}

#[test]
fn the_culprit_keeps_its_status_and_everything_is_rolled_back() {
    let mut model = model_with_ids(&[1, 2]);
    let before = model.clone();
    let batch = [
        linked(transfer(10, 1, 2, 5)),
        linked(Transfer { code: 0, ..transfer(11, 1, 2, 5) }),
        linked(transfer(0, 1, 2, 5)),
        transfer(12, 1, 2, 5),
        transfer(13, 1, 2, 7),
    ];
    let results = model.create_transfers(&batch, Timestamp(CLOCK));
    let failed = LinkedEventFailed.code();
    let statuses: Vec<u32> = results.iter().map(|result| result.status).collect();
    let expected = [failed, CodeMustNotBeZero.code(), failed, failed, Created.code()];
    assert_eq!(statuses, expected);
    let base = before.last_timestamp().0;
    let slots: Vec<u64> = results.iter().map(|result| result.timestamp).collect();
    assert_eq!(slots, (base + 1..=base + 5).collect::<Vec<_>>());
    assert_eq!(model.counters(1), [0, 7, 0, 0]);
    assert_eq!(model.transfers_at_once(&batch[..1]), [LinkedEventChainOpen]);
    assert_eq!(model.send(transfer(10, 1, 2, 5)), Created, "linked_event_failed burns nothing");
}

#[test]
fn a_roll_back_restores_holds_and_closed_accounts() {
    let mut model = model_with_ids(&[1, 2]);
    let flags = TransferFlags::PENDING | TransferFlags::CLOSING_DEBIT;
    model.transfers_at_once(&[Transfer { flags, ..transfer(10, 1, 2, 5) }]);
    let batch = [linked(void(11, 10)), linked(transfer(12, 1, 2, 9)), transfer(0, 1, 2, 1)];
    assert_eq!(
        model.transfers_at_once(&batch),
        [LinkedEventFailed, LinkedEventFailed, IdMustNotBeZero]
    );
    assert!(model.account(1).has(AccountFlags::CLOSED));
    assert_eq!(model.counters(1), [5, 0, 0, 0]);
    assert_eq!(model.send(void(11, 10)), Created);
}

#[test]
fn an_open_chain_fails_and_its_last_event_says_so_whatever_else_is_wrong() {
    let mut model = model_with_ids(&[1, 2]);
    assert_eq!(model.send(transfer(9, 1, 77, 1)), CreditAccountNotFound);
    let burned_last = linked(transfer(9, 1, 2, 1));
    let reserved_last = Transfer { flags: 1 << 12 | TransferFlags::LINKED, ..burned_last };

    let batch = [linked(transfer(10, 1, 2, 1)), burned_last];
    assert_eq!(model.transfers_at_once(&batch), [LinkedEventFailed, LinkedEventChainOpen]);
    let batch = [linked(transfer(0, 1, 2, 1)), linked(transfer(10, 1, 2, 1)), reserved_last];
    assert_eq!(
        model.transfers_at_once(&batch),
        [IdMustNotBeZero, LinkedEventFailed, LinkedEventChainOpen]
    );
    assert_eq!(model.transfers().count(), 0);
}

#[test]
fn a_burn_survives_the_roll_back_of_its_chain() {
    let mut model = model_with_ids(&[1, 2]);
    let batch =
        [linked(transfer(10, 1, 2, 1)), linked(transfer(11, 1, 77, 1)), transfer(11, 1, 2, 1)];
    assert_eq!(
        model.transfers_at_once(&batch),
        [LinkedEventFailed, CreditAccountNotFound, LinkedEventFailed]
    );
    let retry = [transfer(10, 1, 2, 1), transfer(11, 1, 2, 1)];
    assert_eq!(model.transfers_at_once(&retry), [Created, IdAlreadyFailed]);
}

#[test]
fn a_duplicate_inside_a_new_chain_breaks_it() {
    let mut model = model_with_ids(&[1, 2]);
    let batch = [linked(transfer(10, 1, 2, 1)), transfer(10, 1, 2, 1)];
    assert_eq!(model.transfers_at_once(&batch), [LinkedEventFailed, Exists]);
    assert_eq!(model.transfers().count(), 0);
}

#[test]
fn a_resent_chain_exists_as_a_whole_with_its_original_timestamps() {
    let mut model = model_with_ids(&[1, 2]);
    let chain = [linked(pending(10, 1, 2, 5)), linked(post(11, 10, 5)), transfer(12, 2, 1, 1)];
    let created = model.create_transfers(&chain, Timestamp(CLOCK));
    let resent = model.create_transfers(&chain, Timestamp(CLOCK * 2));
    for (first, second) in created.iter().zip(&resent) {
        assert_eq!((second.status, second.timestamp), (Exists.code(), first.timestamp));
    }
    assert_eq!(model.counters(1), [0, 5, 0, 1]);
}

#[test]
fn a_chain_resent_with_a_new_or_changed_member_fails_as_usual() {
    let mut model = model_with_ids(&[1, 2]);
    let chain = [linked(transfer(10, 1, 2, 5)), transfer(11, 1, 2, 5)];
    assert_eq!(model.transfers_at_once(&chain), [Created; 2]);

    let with_new = [chain[0], transfer(12, 1, 2, 5)];
    assert_eq!(model.transfers_at_once(&with_new), [Exists, LinkedEventFailed]);
    let new_first = [linked(transfer(12, 1, 2, 5)), chain[1]];
    assert_eq!(model.transfers_at_once(&new_first), [LinkedEventFailed, Exists]);
    let changed = [linked(transfer(10, 1, 2, 6)), chain[1]];
    assert_eq!(model.transfers_at_once(&changed), [ExistsWithDifferentAmount, LinkedEventFailed]);
    let open = [chain[0], linked(chain[1])];
    assert_eq!(model.transfers_at_once(&open), [Exists, LinkedEventChainOpen]);
}

#[test]
fn accounts_chain_alike() {
    use crate::ledger::CreateAccountStatus as Status;
    let linked = |id| Account { flags: AccountFlags::LINKED, ..account(id) };
    let mut model = Model::new();
    let broken = [linked(1), account(0), linked(2), account(3), linked(4)];
    assert_eq!(
        model.accounts_at_once(&broken),
        [
            Status::LinkedEventFailed,
            Status::IdMustNotBeZero,
            Status::Created,
            Status::Created,
            Status::LinkedEventChainOpen,
        ]
    );
    assert_eq!(model.lookup_accounts(&[1, 2, 3, 4]).len(), 2);
    assert_eq!(model.accounts_at_once(&[linked(2), account(3)]), [Status::Exists; 2]);
    assert_eq!(
        model.accounts_at_once(&[linked(2), account(5)]),
        [Status::Exists, Status::LinkedEventFailed]
    );
}
