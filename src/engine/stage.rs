//! Memory that kinds of work keep from batch to batch.

use crate::ledger::decide::{AccountDecider, HoldRow, Operand, Rows, TransferDecider};
use crate::ledger::{CreateResult, Transfer};

/// What kinds need while they lead a batch.
///
/// Invariant: it means nothing between two batches; nothing is read that the same batch hasn't written.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) transfers: TransferStage,
    pub(super) accounts: AccountDecider,
}

impl Stage {
    pub(super) fn new(partitions: usize) -> Self {
        Self { transfers: TransferStage::new(partitions), accounts: AccountDecider::default() }
    }
}

/// The arrays of a batch of transfers, kept from batch to batch.
#[derive(Debug)]
pub(super) struct TransferStage {
    pub(super) decider: TransferDecider,
    /// By owner; theirs between two batches, ours while one is decided.
    pub(super) rows: Rows,
    /// One for each event.
    pub(super) operands: Vec<Operand>,
    /// Records whose ids events have.
    pub(super) stored: Vec<Transfer>,
    /// Holds from before the batch that events settle.
    pub(super) holds: Vec<HoldRow>,
    /// Hash and owner of each event's id.
    pub(super) homes: Vec<(u64, usize)>,
    /// One for each event, once decided.
    pub(super) results: Vec<CreateResult>,
}

impl TransferStage {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            decider: TransferDecider::default(),
            rows: Rows::new(partitions),
            operands: Vec::new(),
            stored: Vec::new(),
            holds: Vec::new(),
            homes: Vec::new(),
            results: Vec::new(),
        }
    }
}
