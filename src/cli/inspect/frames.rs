//! Segments and frames.

use std::io::Write;

use super::log::{Log, refusal};
use crate::cli::exit::{Exit, Failure};
use crate::cli::shell::fields::Fields;
use crate::cli::table::{Field, json_row, json_rows, write_table};
use crate::ledger::{Command, CommandStatus, CreateAccountStatus, CreateTransferStatus};
use crate::log::{CommandEntry, FrameHeader, FrameView, Principal, segment_name};

/// What a segment holds.
#[derive(Debug, Clone, Default)]
struct Segment {
    frames: u64,
    first_op: u64,
    last_op: u64,
    used_bytes: u64,
}

/// Lists the segments.
pub(super) fn segments(mut log: Log, json: bool, out: &mut dyn Write) -> Result<Exit, Failure> {
    let layout = log.identity().layout;
    let mut found: Vec<Segment> = Vec::new();
    while let Some(frame) = log.next()? {
        let header = frame.header();
        let number = usize::try_from(layout.segment_of(header.position)).unwrap_or(usize::MAX);
        while found.len() <= number {
            found.push(Segment::default());
        }
        let segment = &mut found[number];
        if segment.frames == 0 {
            segment.first_op = header.op.0;
        }
        segment.frames += 1;
        segment.last_op = header.op.0;
        segment.used_bytes = layout.offset_in_segment(header.position) + header.frame_bytes;
    }
    let count = usize::try_from(log.segments()).unwrap_or(usize::MAX);
    found.resize(count.max(found.len()), Segment::default());
    let rows: Vec<Vec<Field>> = (0_u64..)
        .zip(&found)
        .map(|(number, segment)| {
            vec![
                Field::number("segment", number),
                Field::text("file", segment_name(number)),
                Field::number("bytes", layout.segment_bytes),
                Field::number("used_bytes", segment.used_bytes),
                Field::number("frames", segment.frames),
                Field::number("first_op", segment.first_op),
                Field::number("last_op", segment.last_op),
            ]
        })
        .collect();
    if json {
        writeln!(out, "{:#}", json_rows(&rows))?;
    } else {
        write_table(out, &rows, "no segments")?;
    }
    Ok(log.end())
}

/// Lists `limit` frames from an op on.
pub(super) fn frames(
    mut log: Log,
    (from, limit): (u64, u64),
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let mut left = limit;
    while left > 0
        && let Some(frame) = log.next()?
    {
        if frame.header().op.0 >= from {
            rows.push(header_row(frame.header()));
            left -= 1;
        }
    }
    if json {
        writeln!(out, "{:#}", json_rows(&rows))?;
    } else {
        write_table(out, &rows, "no frames")?;
    }
    Ok(log.end())
}

fn header_row(header: &FrameHeader) -> Vec<Field> {
    vec![
        Field::number("op", header.op.0),
        Field::text("kind", header.kind.name()),
        Field::number("version", header.version.code()),
        Field::number("position", header.position.0),
        Field::number("bytes", header.frame_bytes),
        Field::number("epoch", header.epoch.0),
        Field::number("entries", header.counts.entries),
        Field::number("requests", header.counts.requests),
        Field::number("refusals", header.counts.refusals),
        Field::number("amendments", header.counts.amendments),
        Field::number("history", header.counts.history),
        Field::time(header.timestamp.0),
    ]
}

/// Shows one frame whole.
pub(super) fn frame(
    mut log: Log,
    op: u64,
    json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    while let Some(frame) = log.next()? {
        let header = frame.header();
        if header.op.0 < op {
            continue;
        }
        let mut about = header_row(header);
        about.extend([
            Field::number("committed", header.committed.0),
            Field::text("outcome_digest", format!("{:016x}", header.outcome_digest)),
            Field::text("state_digest", format!("{:016x}", header.state_digest)),
            Field::text("previous_chain", hexadecimal(&header.previous_chain.0)),
            Field::text("chain", hexadecimal(&frame.chain().0)),
        ]);
        if frame.requests().any(|request| request.principal != Principal::NOBODY) {
            let asked = frame.requests().map(|request| request.principal.0.to_string());
            about.push(Field::text("principals", asked.collect::<Vec<_>>().join(" ")));
        }
        if !frame.notes().is_empty() {
            about.push(Field::text("notes", String::from_utf8_lossy(frame.notes())));
        }
        let rows = entry_rows(&frame);
        if json {
            let mut value = json_row(&about);
            value["events"] = json_rows(&rows);
            writeln!(out, "{value:#}")?;
        } else {
            for field in &about {
                writeln!(out, "{:<15} {}", field.name, field.text)?;
            }
            writeln!(out)?;
            write_table(out, &rows, "no events")?;
        }
        return Ok(Exit::Ok);
    }
    Err(Failure::new(absent(log.end()), format!("the log has no op {op}")))
}

/// What was asked for isn't there; unless the log is at fault, that is all there is to say.
pub(super) const fn absent(end: Exit) -> Exit {
    match end {
        Exit::Ok => Exit::Failed,
        other => other,
    }
}

/// What an operator asked for; as it stands there if this program doesn't know it.
fn command_fields(entry: &CommandEntry) -> Vec<Field> {
    let principal = Field::number("principal", entry.principal.0);
    match Command::from_words(entry.kind, entry.version, entry.arguments) {
        Some(command @ Command::RaiseCapacity(asked)) => vec![
            Field::text("command", command.name()),
            principal,
            Field::number("accounts_max", asked.accounts_max),
            Field::number("holds_max", asked.holds_max),
        ],
        None => {
            let arguments = hexadecimal(bytemuck::bytes_of(&entry.arguments));
            vec![
                Field::text("command", format!("{}, version {}", entry.kind, entry.version)),
                principal,
                Field::text("arguments", arguments),
            ]
        }
    }
}

fn entry_rows(frame: &FrameView<'_>) -> Vec<Vec<Field>> {
    let refusals = frame.refusals();
    let row = |index: usize, status: &'static str, fields: Vec<Field>| {
        let index = Field::number("index", u64::try_from(index).unwrap_or(u64::MAX));
        let mut row = vec![index, Field::text("status", status)];
        row.extend(fields);
        row
    };
    let mut rows = Vec::new();
    for (index, account) in frame.accounts().iter().enumerate() {
        rows.push(row(index, account_status(refusal(refusals, index)), account.get()));
    }
    for (index, entry) in frame.transfers().iter().enumerate() {
        rows.push(row(index, transfer_status(refusal(refusals, index)), entry.transfer.get()));
    }
    for (index, id) in frame.ids().iter().enumerate() {
        rows.push(row(index, frame.header().kind.name(), vec![Field::number("id", *id)]));
    }
    for (index, entry) in frame.commands().iter().enumerate() {
        rows.push(row(index, command_status(refusal(refusals, index)), command_fields(entry)));
    }
    if let Some(genesis) = frame.genesis() {
        let cluster = Field::text("cluster", format!("{:032x}", genesis.cluster));
        let segment_bytes = Field::number("segment_bytes", genesis.segment_bytes);
        let accounts_max = Field::number("accounts_max", genesis.accounts_max);
        let holds_max = Field::number("holds_max", genesis.holds_max);
        let rules = Field::number("rules_version", genesis.rules_version);
        rows.push(vec![cluster, segment_bytes, accounts_max, holds_max, rules]);
    }
    if let Some(start) = frame.epoch_start() {
        let epoch = Field::number("epoch", start.epoch);
        let reason = Field::number("reason", start.reason);
        let cut_position = Field::number("cut_position", start.cut_position);
        let cut_bytes = Field::number("cut_bytes", start.cut_bytes);
        rows.push(vec![epoch, reason, cut_position, cut_bytes]);
    }
    rows
}

/// The name of an account's outcome; none is `created`.
pub(super) fn account_status(refusal: Option<u32>) -> &'static str {
    let Some(code) = refusal else { return CreateAccountStatus::Created.name() };
    CreateAccountStatus::from_code(code).map_or("unknown_status", CreateAccountStatus::name)
}

/// The name of a transfer's outcome; none is `created`.
pub(super) fn transfer_status(refusal: Option<u32>) -> &'static str {
    let Some(code) = refusal else { return CreateTransferStatus::Created.name() };
    CreateTransferStatus::from_code(code).map_or("unknown_status", CreateTransferStatus::name)
}

/// The name of what came of a command; none is `done`.
fn command_status(refusal: Option<u32>) -> &'static str {
    let Some(code) = refusal else { return CommandStatus::Done.name() };
    CommandStatus::from_code(code).map_or("unknown_status", CommandStatus::name)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
