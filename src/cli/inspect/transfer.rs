//! One transfer id: every time that the log meets it.

use std::io::Write;

use super::frames::{absent, transfer_status};
use super::log::{Log, refusal};
use crate::cli::exit::{Exit, Failure};
use crate::cli::shell::fields::Fields;
use crate::cli::table::{Field, json_row, json_rows, write_table};
use crate::ledger::{Transfer, TransferFlags};
use crate::log::{FrameKind, FrameView};

/// What the log says about one transfer id.
#[derive(Default)]
pub(super) struct Met {
    /// The record, if it was created.
    pub transfer: Option<Transfer>,
    /// Each time the id was met, in order.
    pub events: Vec<Vec<Field>>,
}

impl Met {
    /// Takes one frame.
    pub(super) fn frame(&mut self, id: u128, frame: &FrameView<'_>) {
        let header = frame.header();
        let mut note = |index: usize, what: &str, status: &str, other: u128| {
            let index = u64::try_from(index).unwrap_or(u64::MAX);
            self.events.push(vec![
                Field::number("op", header.op.0),
                Field::number("index", index),
                Field::text("event", what),
                Field::text("status", status),
                Field::number("by", other),
                Field::time(header.timestamp.0.saturating_add(index).saturating_add(1)),
            ]);
        };
        for (index, entry) in frame.transfers().iter().enumerate() {
            let transfer = &entry.transfer;
            let refused = refusal(frame.refusals(), index);
            if transfer.id == id {
                note(index, "create", transfer_status(refused), 0);
                if refused.is_none() {
                    self.transfer = Some(*transfer);
                }
            } else if transfer.pending_id == id && refused.is_none() {
                let post = transfer.has(TransferFlags::POST_PENDING_TRANSFER);
                let what = if post { "posted" } else { "voided" };
                note(index, what, transfer_status(None), transfer.id);
            }
        }
        for (index, found) in frame.ids().iter().enumerate() {
            if *found == id {
                let expired = header.kind == FrameKind::Expire;
                note(index, if expired { "expired" } else { "fence asked" }, "", 0);
            }
        }
    }
}

/// Shows one transfer.
pub(super) fn run(
    mut log: Log,
    id: u128,
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut met = Met::default();
    while let Some(frame) = log.next()? {
        met.frame(id, &frame);
    }
    let exit = log.end();
    if met.events.is_empty() {
        return Err(Failure::new(absent(exit), format!("the log never meets the transfer {id}")));
    }
    if json {
        let record = met.transfer.map_or(serde_json::Value::Null, |t| json_row(&t.get()));
        let value = serde_json::json!({ "transfer": record, "events": json_rows(&met.events) });
        writeln!(out, "{value:#}")?;
    } else {
        if let Some(transfer) = &met.transfer {
            write_table(out, &[transfer.get()], "")?;
            writeln!(out)?;
        }
        write_table(out, &met.events, "")?;
    }
    Ok(exit)
}
