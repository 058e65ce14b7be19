//! `partita verify`: check a data directory from end to end.
//!
//! Reads every byte of the log: checksums, chain, digests. Decides every batch again and compares
//! it with what the log says, and holds debits against credits in every ledger after every frame.
//! Changes nothing and takes no lock, so it works on a read-only copy, and beside a server as far as
//! the log was committed when it began.

use std::io::Write;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::DataFlags;
use super::json;
use super::log_view::{Ending, LogView};
use super::say::say;
use crate::engine::{
    Audited, Engine, EngineCounts, EngineOptions, IdHasher, Inline, Partition, StoredLog, Tip,
    TrialBalance,
};
use crate::ledger::{Op, Timestamp};
use crate::log::{Epoch, LogIdentity, Meta, Position};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub data: DataFlags,
    /// Partitions to decide the log with; the result is the same for every number.
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub partitions: u16,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

type Verifier = Engine<Audited>;

/// What was found to be right.
#[derive(Debug, Serialize)]
struct Verified {
    cluster: String,
    segments: u64,
    frames: u64,
    op: u64,
    position: u64,
    timestamp: u64,
    accounts: u64,
    transfers: u64,
    holds: u64,
    refused: u64,
    state_digest: String,
    chain: String,
    tail: &'static str,
    ledgers: Vec<LedgerLine>,
}

#[derive(Debug, Serialize)]
struct LedgerLine {
    ledger: u32,
    debits_pending: String,
    debits_posted: String,
    credits_pending: String,
    credits_posted: String,
}

/// Runs the command.
pub(crate) fn run(
    args: &VerifyArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut log = LogView::open(&settings.data)?;
    let identity = log.identity();
    let mut engine = verifier(identity, log.meta(), usize::from(args.partitions));
    let mut records = StoredLog::new(log.directory().clone(), identity.layout, identity.cluster);
    let bar = progress_bar(log.meta());
    let mut frames = 0;
    while let Some(frame) = log.next()? {
        let (op, position) = (frame.header().op, frame.header().position);
        if let Err(error) = engine.replay(&frame, &mut records) {
            return Err(log.damaged(&error));
        }
        if let Some((ledger, sums)) = engine.owners().uneven() {
            return Err(log.damaged(&format_args!(
                "op {op} at position {position}: in ledger {ledger} debits differ from credits: \
                 {sums:?}"
            )));
        }
        frames += 1;
        bar.set_position(position.0);
    }
    let ending = log.end()?;
    bar.finish_and_clear();
    if ending == Ending::InUse {
        say(
            "a server is at work in the directory: what it had committed when this began is verified",
        );
    }
    let verified = Verified {
        cluster: format!("{:032x}", identity.cluster.0),
        segments: log.segments(),
        frames,
        op: engine.end().op.0,
        position: log.progress().end.0,
        timestamp: engine.end().timestamp.0,
        state_digest: format!("{:016x}", engine.state_digest()),
        chain: log.progress().chain.to_string(),
        tail: ending.name(),
        ledgers: engine.owners().ledgers().iter().map(ledger_line).collect(),
        ..Verified::of(engine.counts())
    };
    print(&verified, args.json, out)?;
    Ok(Exit::Ok)
}

impl Verified {
    const fn of(counts: EngineCounts) -> Self {
        Self {
            cluster: String::new(),
            segments: 0,
            frames: 0,
            op: 0,
            position: 0,
            timestamp: 0,
            accounts: counts.accounts,
            transfers: counts.transfers,
            holds: counts.holds,
            refused: counts.refused,
            state_digest: String::new(),
            chain: String::new(),
            tail: "",
            ledgers: Vec::new(),
        }
    }
}

fn verifier(identity: LogIdentity, meta: &Meta, partitions: usize) -> Verifier {
    // Whoever can choose ids to slow a check down has the data directory anyway.
    let hash_key = 0x7a11;
    let hasher = IdHasher::new(hash_key);
    let inline = Inline::new((0..partitions).map(|_| Partition::new(hasher)).collect());
    let options = EngineOptions {
        layout: identity.layout,
        hash_key,
        accounts_max: meta.config.accounts_max,
        holds_max: meta.config.holds_max,
        recent_bytes_max: 64 << 20,
        state_bytes_max: u64::MAX,
    };
    let tip = Tip { position: Position::NONE, op: Op(0), epoch: Epoch(0), timestamp: Timestamp(0) };
    Engine::new(Audited::new(inline), options, tip)
}

fn progress_bar(meta: &Meta) -> ProgressBar {
    let style = ProgressStyle::with_template("verifying {wide_bar} {bytes} of about {total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(meta.hint.committed.0).with_style(style)
}

fn ledger_line((&ledger, sums): (&u32, &TrialBalance)) -> LedgerLine {
    LedgerLine {
        ledger,
        debits_pending: sums.debits_pending.to_string(),
        debits_posted: sums.debits_posted.to_string(),
        credits_pending: sums.credits_pending.to_string(),
        credits_posted: sums.credits_posted.to_string(),
    }
}

fn print(verified: &Verified, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if json {
        json::write(out, verified)?;
        return Ok(());
    }
    writeln!(out, "cluster      {}", verified.cluster)?;
    writeln!(
        out,
        "log          {} frames in {} segments, to op {} at position {}",
        verified.frames, verified.segments, verified.op, verified.position
    )?;
    writeln!(out, "tail         {}", verified.tail)?;
    writeln!(
        out,
        "records      {} accounts, {} transfers, {} open holds, {} refused events",
        verified.accounts, verified.transfers, verified.holds, verified.refused
    )?;
    writeln!(out, "state digest {}", verified.state_digest)?;
    writeln!(out, "chain        {}", verified.chain)?;
    for line in &verified.ledgers {
        writeln!(
            out,
            "ledger {:<6} debits = credits: {} posted, {} pending",
            line.ledger, line.debits_posted, line.debits_pending
        )?;
    }
    writeln!(out, "verified")?;
    Ok(())
}
