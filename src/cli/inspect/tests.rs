//! Views of a small log that is written frame by frame.

use std::os::unix::fs::FileExt;
use std::path::Path;

use clap::Parser;
use serde_json::Value;

use crate::cli::args::{Arguments, Command};
use crate::cli::config::{Flags, Key, resolve};
use crate::cli::exit::{Exit, Failure};
use crate::io::{Directory, to_usize};
use crate::ledger::{
    Account, AccountFlags, CreateTransferStatus, Op, Timestamp, Transfer, TransferFlags,
};
use crate::log::{
    ClusterConfig, ClusterId, CommandEntry, CommitHint, DirectoryLock, FrameBuf, FrameBuilder,
    FrameKind, FramePool, FrameStart, Links, LogIdentity, LogReader, Meta, MetaFile, Position,
    Principal, Progress, Refusal, RequestEntry, Sealer, create_log, segment_name,
};

const CONFIG: ClusterConfig = ClusterConfig {
    cluster: ClusterId(0xabc),
    segment_bytes: 16 << 20,
    accounts_max: 1_000,
    holds_max: 1_000,
    rules_version: 1,
};

/// A log to which frames are appended.
struct Written {
    directory: tempfile::TempDir,
    end: Progress,
}

impl Written {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let storage = Directory::new(directory.path());
        create_log(&storage, CONFIG, Timestamp(1_000)).unwrap();
        let identity = LogIdentity { cluster: CONFIG.cluster, layout: CONFIG.layout() };
        let mut reader = LogReader::open(storage, identity).unwrap();
        while reader.next_frame().unwrap().is_some() {}
        Self { directory, end: reader.progress() }
    }

    fn append(&mut self, kind: FrameKind, fill: impl Fn(&mut FrameBuilder)) {
        let timestamp = Timestamp(self.end.op.0 * 1_000_000);
        let op = self.end.op.next();
        let start = FrameStart { kind, op, timestamp, epoch: self.end.epoch };
        let mut builder = FrameBuilder::new(FramePool::new(1), start);
        fill(&mut builder);
        let position = CONFIG.layout().place(self.end.end, builder.frame_bytes());
        let frame = builder.finish(position, 0, 0);
        let mut bytes = FrameBuf::new();
        bytes.resize(to_usize(frame.header().frame_bytes));
        let mut sealer = Sealer::new(CONFIG.cluster, self.end.chain);
        sealer.seal_into(&frame, position, bytes.bytes_mut());
        self.write(position.0, bytes.bytes());
        let end = frame.header().end();
        self.end = Progress { end, chain: sealer.chain(), op, ..self.end };
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        let path = self.directory.path().join(segment_name(0));
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    /// Accounts 1 and 2; a payment, a refused one, a hold that is posted in part, one that expires
    /// and would have closed account 1, a fence.
    fn book() -> Self {
        let mut log = Self::new();
        log.append(FrameKind::CreateAccounts, |builder| {
            for id in [1, 2] {
                let flags = AccountFlags::HISTORY;
                builder.push_account(&Account {
                    id,
                    ledger: 1,
                    code: 7,
                    flags,
                    ..Account::default()
                });
            }
        });
        let transfer = |id, amount, flags, pending_id| Transfer {
            id,
            debit_account_id: 1,
            credit_account_id: 2,
            amount,
            flags,
            pending_id,
            ..Transfer::default()
        };
        log.append(FrameKind::CreateTransfers, |builder| {
            let closing = TransferFlags::PENDING | TransferFlags::CLOSING_DEBIT;
            for (index, transfer) in [
                transfer(10, 100, 0, 0),
                transfer(11, 500, 0, 0),
                transfer(12, 30, TransferFlags::PENDING, 0),
                transfer(13, 5, closing, 0),
            ]
            .iter()
            .enumerate()
            {
                let index = u16::try_from(index).unwrap();
                builder.push_transfer(transfer, index, Links::default());
            }
            let status = CreateTransferStatus::ExceedsCredits.code();
            builder.push_refusal(Refusal { index: 1, status });
        });
        log.append(FrameKind::CreateTransfers, |builder| {
            let post = transfer(14, 20, TransferFlags::POST_PENDING_TRANSFER, 12);
            builder.push_transfer(&post, 0, Links::default());
        });
        log.append(FrameKind::Expire, |builder| builder.push_id(13));
        log.append(FrameKind::Fence, |builder| {
            builder.push_id(99);
            builder.push_request(RequestEntry::new(1, Principal(12)));
        });
        log.append(FrameKind::Command, |builder| {
            builder.push_command(&CommandEntry {
                kind: 5,
                version: 1,
                principal: Principal(3),
                arguments: [0xAB, 0, 0, 0, 0, 0],
                ..CommandEntry::default()
            });
            builder.push_request(RequestEntry::new(1, Principal(3)));
            builder.push_notes("the year's end".as_bytes());
        });
        log
    }
}

fn inspect(data: &Path, view: &[&str]) -> (Result<Exit, Failure>, String) {
    let line = ["partita", "inspect"].iter().chain(view);
    let Command::Inspect(args) = Arguments::try_parse_from(line).unwrap().command else {
        panic!("another command");
    };
    let mut flags = Flags::default();
    flags.put(Key::Data, Some(&data.display().to_string()));
    let settings = resolve(&flags, &|_| None, None).unwrap();
    let mut out = Vec::new();
    let ended = super::run(&args, &settings, &mut out);
    (ended, String::from_utf8(out).unwrap())
}

fn json(data: &Path, view: &[&str]) -> Value {
    let (ended, shown) = inspect(data, &[view, &["--json"]].concat());
    assert_eq!(ended, Ok(Exit::Ok), "{shown}");
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn an_account_with_its_balance_holds_and_transfers() {
    let log = Written::book();
    let account = json(log.directory.path(), &["account", "1"]);
    assert_eq!(account["debits_posted"], "120");
    assert_eq!(account["debits_pending"], "0");
    assert_eq!(account["flags"][0], "history", "the hold that closed it has expired");
    assert_eq!(account["flags"].as_array().unwrap().len(), 1);
    assert_eq!(account["transfer_count"], 4);
    assert_eq!(account["creations"][0]["op"], "2");
    let latest = json(log.directory.path(), &["account", "2", "--limit", "1"]);
    assert_eq!(latest["credits_posted"], "120");
    assert_eq!(latest["transfers"].as_array().unwrap().len(), 1);
    assert_eq!(latest["transfers"][0]["id"], "14");
    let (ended, _) = inspect(log.directory.path(), &["account", "3"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Failed);
}

#[test]
fn a_transfer_with_all_that_became_of_it() {
    let log = Written::book();
    let data = log.directory.path();
    let events = |id: &str| -> Vec<String> {
        let shown = json(data, &["transfer", id]);
        let text =
            |event: &Value| format!("{} {}", event["event"], event["status"]).replace('"', "");
        shown["events"].as_array().unwrap().iter().map(text).collect()
    };
    assert_eq!(events("10"), ["create created"]);
    assert_eq!(events("11"), ["create exceeds_credits"]);
    assert_eq!(events("12"), ["create created", "posted created"]);
    assert_eq!(events("13"), ["create created", "expired "]);
    assert_eq!(events("0x63"), ["fence asked "]);
    assert_eq!(json(data, &["transfer", "11"])["transfer"], Value::Null);
    let (ended, _) = inspect(data, &["transfer", "1"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Failed);
    let (ended, _) = inspect(data, &["transfer", "x"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Usage);
}

#[test]
fn frames_and_segments() {
    let log = Written::book();
    let data = log.directory.path();
    let frames = json(data, &["frames"]);
    let kinds: Vec<_> =
        frames.as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    let expected = [
        "genesis",
        "create_accounts",
        "create_transfers",
        "create_transfers",
        "expire",
        "fence",
        "command",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        (frames[0]["version"].as_str(), frames[6]["requests"].as_str()),
        (Some("2"), Some("1"))
    );
    let some = json(data, &["frames", "--from", "3", "--limit", "2"]);
    assert_eq!((some[0]["op"].as_str(), some.as_array().unwrap().len()), (Some("3"), 2));
    assert_eq!(some[0]["refusals"], "1");
    let frame = json(data, &["frame", "3"]);
    assert_eq!(frame["events"][1]["status"], "exceeds_credits");
    assert_eq!(frame["events"][0]["amount"], "100");
    assert_eq!(json(data, &["frame", "1"])["events"][0]["accounts_max"], "1000");
    assert_eq!(json(data, &["frame", "6"])["principals"], "12");
    let command = json(data, &["frame", "7"]);
    assert_eq!(
        (&command["principals"], &command["notes"]),
        (&"3".into(), &"the year's end".into())
    );
    assert_eq!(command["events"][0]["principal"], "3");
    assert!(command["events"][0]["arguments"].as_str().unwrap().starts_with("ab00"));
    let (ended, _) = inspect(data, &["frame", "8"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Failed);
    let segments = json(data, &["segments"]);
    assert_eq!(segments[0]["frames"], "7");
    assert_eq!(segments[0]["last_op"], "7");
    let (ended, shown) = inspect(data, &["frame", "3"]);
    assert_eq!(ended, Ok(Exit::Ok));
    assert!(shown.contains("state_digest") && shown.contains("exceeds_credits"), "{shown}");
}

#[test]
fn damage_and_absence_are_not_mistaken_for_an_empty_log() {
    let log = Written::book();
    let data = log.directory.path();
    // Behind the last frame: what a crash leaves.
    log.write(log.end.end.0 + 4096, b"rubble");
    assert_eq!(inspect(data, &["frames"]).0, Ok(Exit::Ok));
    // What no crash leaves.
    log.write(log.end.end.0, b"PARTITAf");
    let (ended, shown) = inspect(data, &["frames"]);
    assert_eq!(ended, Ok(Exit::Damaged));
    assert_eq!(shown.lines().count(), 8, "what can be read is shown");
    let (ended, _) = inspect(data, &["frame", "8"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Damaged);
    let nothing = tempfile::tempdir().unwrap();
    let (ended, _) = inspect(nothing.path(), &["frames"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Unavailable);
    let (ended, _) = inspect(&nothing.path().join("x"), &["segments"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Unavailable);
    std::fs::remove_file(data.join("meta")).unwrap();
    let (ended, _) = inspect(data, &["frames"]);
    let failure = ended.unwrap_err();
    assert_eq!(failure.exit, Exit::Damaged);
    assert!(failure.message.unwrap().contains("the meta file is missing"));
    std::fs::write(data.join("meta"), vec![1; 8192]).unwrap();
    let (ended, _) = inspect(data, &["frames"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Damaged);
}

#[test]
fn a_frame_that_vanished_is_damage_and_not_the_end() {
    let log = Written::book();
    let data = log.directory.path();
    let frames = json(data, &["frames"]);
    let middle = frames[3]["position"].as_str().unwrap().parse().unwrap();
    log.write(middle, &[0; 4096]);
    // The frames of the book know of no commit, but the hint does.
    let meta = Meta::load(&Directory::new(data)).unwrap().unwrap();
    let hint = CommitHint { committed: log.end.end, op: log.end.op, ..meta.hint };
    MetaFile::open(&Directory::new(data)).unwrap().write(hint).unwrap();
    let (ended, shown) = inspect(data, &["frames"]);
    assert_eq!(ended, Ok(Exit::Damaged));
    assert_eq!(shown.lines().count(), 4, "the head and three frames");
}

/// Frames that a server wrote after the last hint of what is committed, the last one half.
fn book_being_written() -> Written {
    let log = Written::book();
    let data = log.directory.path();
    let frames = json(data, &["frames"]);
    let fence = frames[5]["position"].as_str().unwrap().parse().unwrap();
    let meta = Meta::load(&Directory::new(data)).unwrap().unwrap();
    let hint = CommitHint { committed: Position(fence), op: Op(5), ..meta.hint };
    MetaFile::open(&Directory::new(data)).unwrap().write(hint).unwrap();
    // No crash leaves this, but whoever reads while another writes may see it.
    log.write(fence + 300, &[0xAB; 8]);
    log.write(log.end.end.0, b"PARTITAf");
    log
}

#[test]
fn what_a_server_is_writing_is_not_judged_and_what_it_committed_is() {
    let log = book_being_written();
    let data = log.directory.path();
    let (ended, _) = inspect(data, &["frames"]);
    assert_eq!(ended, Ok(Exit::Damaged), "nobody is at work");
    let directory = Directory::new(data);
    let mut lock = DirectoryLock::acquire(&directory).unwrap();
    lock.begin_serving().unwrap();
    let (ended, shown) = inspect(data, &["frames"]);
    assert_eq!(ended, Ok(Exit::Ok));
    assert_eq!(shown.lines().count(), 6, "the head and all that is committed");
    let (ended, _) = inspect(data, &["frame", "6"]);
    assert_eq!(ended.unwrap_err().exit, Exit::Failed);
    // A flipped byte in what is committed is damage, whoever is at work.
    let frames = json(data, &["frames"]);
    let middle: u64 = frames[3]["position"].as_str().unwrap().parse().unwrap();
    log.write(middle + 300, &[0xAB; 8]);
    let (ended, _) = inspect(data, &["frames"]);
    assert_eq!(ended, Ok(Exit::Damaged));
}

#[test]
fn a_copy_of_a_running_directory_is_told_from_damage() {
    let log = book_being_written();
    let data = log.directory.path();
    let mut lock = DirectoryLock::acquire(&Directory::new(data)).unwrap();
    lock.begin_serving().unwrap();
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("log")).unwrap();
    for name in ["lock", "meta", &segment_name(0)] {
        std::fs::copy(data.join(name), copy.path().join(name)).unwrap();
    }
    assert_eq!(inspect(copy.path(), &["frames"]).0, Ok(Exit::Unavailable));
    assert_eq!(inspect(copy.path(), &["frame", "6"]).0.unwrap_err().exit, Exit::Unavailable);
}
