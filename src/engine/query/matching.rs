//! What the filters of reads over transfers mean.

use std::collections::BTreeMap;

use crate::ledger::{
    AccountFilter, AccountFilterFlags, PendingStatus, QueryTransfersFilter, Transfer, TransferFlags,
};

pub(super) fn matches_account_filter(filter: &AccountFilter, transfer: &Transfer) -> bool {
    let debits = filter.flags & AccountFilterFlags::DEBITS != 0
        && transfer.debit_account_id == filter.account_id;
    let credits = filter.flags & AccountFilterFlags::CREDITS != 0
        && transfer.credit_account_id == filter.account_id;
    (debits || credits)
        && (filter.user_data_128 == 0 || filter.user_data_128 == transfer.user_data_128)
        && (filter.user_data_64 == 0 || filter.user_data_64 == transfer.user_data_64)
        && (filter.user_data_32 == 0 || filter.user_data_32 == transfer.user_data_32)
        && (filter.code == 0 || filter.code == transfer.code)
}

pub(super) fn matches_query(
    filter: &QueryTransfersFilter,
    transfer: &Transfer,
    settled: &BTreeMap<u128, PendingStatus>,
) -> bool {
    let status = || {
        let settled = settled.get(&transfer.id).copied();
        settled.unwrap_or(PendingStatus::Pending)
    };
    (filter.user_data_128 == 0 || filter.user_data_128 == transfer.user_data_128)
        && (filter.user_data_64 == 0 || filter.user_data_64 == transfer.user_data_64)
        && (filter.user_data_32 == 0 || filter.user_data_32 == transfer.user_data_32)
        && (filter.ledger == 0 || filter.ledger == transfer.ledger)
        && (filter.code == 0 || filter.code == transfer.code)
        && (filter.pending_id == 0 || filter.pending_id == transfer.pending_id)
        && (filter.pending_status == 0
            || (transfer.has(TransferFlags::PENDING) && status() as u16 == filter.pending_status))
}
