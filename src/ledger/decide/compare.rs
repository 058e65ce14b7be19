//! Whether a request with a known id is the same request again.

use crate::ledger::{CreateTransferStatus as Status, Transfer, TransferFlags};

const SETTLES: u16 = TransferFlags::POST_PENDING_TRANSFER | TransferFlags::VOID_PENDING_TRANSFER;
const BALANCES: u16 = TransferFlags::BALANCING_DEBIT | TransferFlags::BALANCING_CREDIT;

/// Compares a request with the stored record of its id. `hold` is the one that the stored record
/// settled, when it is a post or void.
pub(super) fn compare(request: &Transfer, stored: &Transfer, hold: Option<&Transfer>) -> Status {
    if (request.flags ^ stored.flags) & !TransferFlags::LINKED != 0 {
        return Status::ExistsWithDifferentFlags;
    }
    if request.pending_id != stored.pending_id {
        return Status::ExistsWithDifferentPendingId;
    }
    if request.timeout != stored.timeout {
        return Status::ExistsWithDifferentTimeout;
    }
    match hold {
        Some(hold) if request.has_any(SETTLES) => compare_settlement(request, stored, hold),
        _ => compare_plain(request, stored),
    }
}

fn compare_plain(request: &Transfer, stored: &Transfer) -> Status {
    if request.debit_account_id != stored.debit_account_id {
        return Status::ExistsWithDifferentDebitAccountId;
    }
    if request.credit_account_id != stored.credit_account_id {
        return Status::ExistsWithDifferentCreditAccountId;
    }
    let same_amount = if request.has_any(BALANCES) {
        request.amount >= stored.amount
    } else {
        request.amount == stored.amount
    };
    if !same_amount {
        return Status::ExistsWithDifferentAmount;
    }
    compare_user_data(request, stored)
        .unwrap_or_else(|| compare_tail(request.ledger, request.code, stored))
}

fn compare_settlement(request: &Transfer, stored: &Transfer, hold: &Transfer) -> Status {
    let inherit = |value: u128, from: u128| if value == 0 { from } else { value };
    if inherit(request.debit_account_id, stored.debit_account_id) != stored.debit_account_id {
        return Status::ExistsWithDifferentDebitAccountId;
    }
    if inherit(request.credit_account_id, stored.credit_account_id) != stored.credit_account_id {
        return Status::ExistsWithDifferentCreditAccountId;
    }
    let same_amount = request.amount == stored.amount
        || if request.has(TransferFlags::VOID_PENDING_TRANSFER) {
            request.amount == 0
        } else {
            request.amount == u128::MAX && stored.amount == hold.amount
        };
    if !same_amount {
        return Status::ExistsWithDifferentAmount;
    }
    let mut resolved = *request;
    inherit_user_data(&mut resolved, hold);
    compare_user_data(&resolved, stored).unwrap_or_else(|| {
        let ledger = if request.ledger == 0 { stored.ledger } else { request.ledger };
        let code = if request.code == 0 { stored.code } else { request.code };
        compare_tail(ledger, code, stored)
    })
}

/// Fills the user data that a post or void leaves 0 from its hold.
pub(super) fn inherit_user_data(settlement: &mut Transfer, hold: &Transfer) {
    if settlement.user_data_128 == 0 {
        settlement.user_data_128 = hold.user_data_128;
    }
    if settlement.user_data_64 == 0 {
        settlement.user_data_64 = hold.user_data_64;
    }
    if settlement.user_data_32 == 0 {
        settlement.user_data_32 = hold.user_data_32;
    }
}

fn compare_user_data(request: &Transfer, stored: &Transfer) -> Option<Status> {
    if request.user_data_128 != stored.user_data_128 {
        return Some(Status::ExistsWithDifferentUserData128);
    }
    if request.user_data_64 != stored.user_data_64 {
        return Some(Status::ExistsWithDifferentUserData64);
    }
    if request.user_data_32 != stored.user_data_32 {
        return Some(Status::ExistsWithDifferentUserData32);
    }
    None
}

const fn compare_tail(ledger: u32, code: u16, stored: &Transfer) -> Status {
    if ledger != stored.ledger {
        return Status::ExistsWithDifferentLedger;
    }
    if code != stored.code {
        return Status::ExistsWithDifferentCode;
    }
    Status::Exists
}
