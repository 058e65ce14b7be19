//! Writing a decided batch of transfers down: its frame, and what the owners have to take over.

use super::amend::amendment;
use crate::engine::crew::Crew;
use crate::engine::holds::expiry_key;
use crate::engine::kinds::batch::Batch;
use crate::engine::kinds::verbs::{count, last_index};
use crate::engine::known::Known;
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::stage::TransferStage;
use crate::io::phases::{Phase, lap};
use crate::ledger::decide::{HoldReference, HoldState, RowReference, Rows};
use crate::ledger::{CreateTransferStatus as Status, Timestamp, Transfer, TransferFlags, digest};
use crate::log::{
    Frame, FrameBuilder, FrameCounts, FrameKind, HistoryRow, Links, Position, Refusal,
    entry_position,
};

/// What a batch changed in the numbers of the ledger.
#[derive(Debug, Clone, Copy, Default)]
struct Changes {
    created: u64,
    opened: u64,
    closed: u64,
    /// The earliest end of a hold that was opened.
    first_end: Option<u64>,
}

/// Builds the frame, and with it what the owners have to take over.
pub(super) fn write<O: Owners>(batch: &Batch<Transfer>, parts: &mut Parts<O>) -> Frame {
    let state_digest = parts.digest_before();
    let Parts { crew, sequence, past, stage, books, .. } = parts;
    let stage = &mut stage.transfers;
    let kind = FrameKind::CreateTransfers;
    let position = sequence.place(kind, counts(batch, stage));
    let builder = sequence.start(kind, batch.base);
    let changes = write_entries(batch, stage, crew, builder, position);
    batch.push_requests(builder);
    write_history(stage, builder);
    let outcome_digest = digest::outcomes(&stage.results);
    let frame = sequence.finish(batch.last(), outcome_digest, state_digest);
    assert_eq!(frame.position(), position, "the size of the frame was foreseen");
    assert!(changes.created >= changes.opened + changes.closed, "one transfer, one change");
    assert!(changes.created <= batch.events.len() as u64, "what is created was asked for");
    if changes.created > 0 {
        past.frames.push(sequence.newest_transfer, position);
    }
    if let Some(at) = changes.first_end {
        sequence.note_expiry(Timestamp(at));
    }
    let counts = &mut books.counts;
    counts.batches += 1;
    counts.transfers += changes.created;
    counts.refused += batch.events.len() as u64 - changes.created;
    assert!(counts.holds + changes.opened >= changes.closed, "a hold that is closed was open");
    counts.holds = counts.holds + changes.opened - changes.closed;
    lap(Phase::Build);
    frame
}

fn counts(batch: &Batch<Transfer>, stage: &TransferStage) -> FrameCounts {
    let created = Status::Created.code();
    let refusals = stage.results.iter().filter(|result| result.status != created).count();
    FrameCounts {
        entries: count(batch.events.len()),
        requests: count(batch.members.len()),
        amendments: count(stage.decider.amended().len()),
        refusals: count(refusals),
        history: count(stage.decider.balances().len()),
        note_bytes: 0,
    }
}

/// Writes the entries, and notes for the owners which ids and holds they set.
fn write_entries<O: Owners>(
    batch: &Batch<Transfer>,
    stage: &mut TransferStage,
    crew: &mut Crew<O>,
    builder: &mut FrameBuilder,
    position: Position,
) -> Changes {
    let TransferStage { decider, rows, operands, homes, results, .. } = stage;
    let mut amended = decider.amended().iter().peekable();
    let mut settled = decider.settled().iter().peekable();
    let mut changes = Changes::default();
    for (at, (event, result)) in batch.events.iter().zip(results.iter()).enumerate() {
        let index = last_index(at + 1);
        let (hash, owner) = homes[at];
        #[expect(clippy::cast_possible_truncation, reason = "at most 8,190 events")]
        let entry = at as u16;
        if result.status != Status::Created.code() {
            builder.push_transfer(event, entry, Links::default());
            builder.push_refusal(Refusal { index, status: result.status });
            let status = Status::from_code(result.status);
            if status.is_some_and(Status::burns_id) {
                crew.work(owner).sets.push((event.id, hash, Known::Burned.pack()));
            }
            continue;
        }
        changes.created += 1;
        let record = match amended.next_if(|amended| amended.index == index) {
            Some(amended) => {
                builder.push_amendment(amendment(index, event, &amended.record));
                amended.record
            }
            None => Transfer { timestamp: result.timestamp, ..*event },
        };
        let operand = &operands[at];
        let mut of_accounts = (operand.debit, operand.credit);
        if let Some(settled) = settled.next_if(|settled| settled.index == index) {
            of_accounts = (settled.debit, settled.credit);
            // A hold from before the batch; others never reached their owner.
            if let HoldReference::Stored(_) = operand.hold {
                let (hash, owner) = crew.locate(record.pending_id);
                crew.work(owner).closed.push((record.pending_id, hash, settled.state));
                changes.closed += 1;
            }
        }
        let here = entry_position(position, FrameKind::CreateTransfers, entry);
        builder.push_transfer(&record, entry, link(rows, of_accounts, here));
        let mut hold = HoldState::NotPending;
        if record.has(TransferFlags::PENDING) {
            // It may have been settled in the same batch.
            hold = decider.batch_hold(at);
            if hold == HoldState::Open {
                crew.work(owner).opened.push((record, hash));
                changes.opened += 1;
                let end = expiry_key(&record).map(|(at, _)| at);
                changes.first_end = changes.first_end.into_iter().chain(end).min();
            }
        }
        let known = Known::Created { position: here.0, hold };
        crew.work(owner).sets.push((event.id, hash, known.pack()));
    }
    assert!(amended.peek().is_none(), "every amendment belongs to a created event");
    assert!(settled.peek().is_none(), "every settlement belongs to a created event");
    changes
}

fn write_history(stage: &TransferStage, builder: &mut FrameBuilder) {
    for balance in stage.decider.balances() {
        let row = &balance.row;
        builder.push_history(HistoryRow {
            index: balance.index,
            side: u32::from(balance.credited),
            reserved: 0,
            debits_pending: row.debits_pending,
            debits_posted: row.debits_posted,
            credits_pending: row.credits_pending,
            credits_posted: row.credits_posted,
        });
    }
}

/// Chains the record to the ones before it of its accounts.
fn link(rows: &mut Rows, (debit, credit): (RowReference, RowReference), here: Position) -> Links {
    let debit = std::mem::replace(&mut rows.get_mut(debit).last_position, here.0);
    let credit = std::mem::replace(&mut rows.get_mut(credit).last_position, here.0);
    Links { debit_previous: Position(debit), credit_previous: Position(credit) }
}
