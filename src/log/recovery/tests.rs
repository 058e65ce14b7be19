//! Recovery on a small log in memory: after crashes, cuts, flips and faults, over every byte.

use crate::io::StorageFile;
use crate::io::memory::{Fault, MemoryStorage, SECTOR_BYTES};
use crate::io::{to_u64, to_usize};
use crate::ledger::{Op, Timestamp, Transfer};
use crate::log::GroupConfig;
use crate::log::frame::{
    ClusterId, FrameBuilder, FrameError, FrameKind, FramePool, FrameStart, Links, Principal,
    RequestEntry,
};
use crate::log::meta::{ClusterConfig, CommitHint, Meta, MetaFile};
use crate::log::position::Epoch;
use crate::log::prepare::create_log;
use crate::log::segment::segment_name;
use crate::log::stepped::SteppedWriter;

use super::*;

pub(crate) const CONFIG: ClusterConfig = ClusterConfig {
    cluster: ClusterId(77),
    segment_bytes: 32 * 1024,
    accounts_max: 1_000,
    holds_max: 1_000,
    rules_version: 1,
};

const GROUPS: GroupConfig =
    GroupConfig { staging_bytes: 256 * 1024, writes_max: 4, group_bytes: 16 * 1024, age_ns_max: 0 };

type Ids = Vec<u128>;

fn identity() -> LogIdentity {
    LogIdentity { cluster: CONFIG.cluster, layout: CONFIG.layout() }
}

fn create() -> MemoryStorage {
    let disk = MemoryStorage::new();
    create_log(&disk, CONFIG, Timestamp(1)).unwrap();
    disk
}

/// Reads everything and recovers; gives the ids of all transfers in order.
fn recover(disk: &MemoryStorage) -> Result<(Ids, LogEnd<MemoryStorage>), RecoveryError> {
    recover_with(disk, RecoveryInput::default())
}

fn recover_with(
    disk: &MemoryStorage,
    input: RecoveryInput,
) -> Result<(Ids, LogEnd<MemoryStorage>), RecoveryError> {
    let meta = Meta::load(disk).unwrap().unwrap();
    let mut reader = LogReader::open(disk.clone(), identity())?;
    let mut ids = Vec::new();
    while let Some(view) = reader.next_frame()? {
        ids.extend(view.transfers().iter().map(|entry| entry.transfer.id));
    }
    Ok((ids, reader.into_end(&meta, &input)?))
}

/// Appends frames of `count` transfers each.
struct Appender {
    writer: SteppedWriter<MemoryStorage>,
    end: Position,
    op: Op,
    epoch: Epoch,
    next_id: u128,
}

impl Appender {
    fn new(end: &LogEnd<MemoryStorage>, next_id: u128) -> Self {
        let progress = end.progress();
        Self {
            writer: SteppedWriter::new(end, GROUPS),
            end: progress.end,
            op: progress.op,
            epoch: progress.epoch,
            next_id,
        }
    }

    fn append(&mut self, count: u16) {
        self.op = self.op.next();
        let start = FrameStart {
            kind: FrameKind::CreateTransfers,
            op: self.op,
            timestamp: Timestamp(self.op.0 * 1_000),
            epoch: self.epoch,
        };
        let mut builder = FrameBuilder::new(FramePool::new(1), start);
        for index in 0..count {
            let transfer =
                Transfer { id: self.next_id, timestamp: self.op.0, ..Transfer::default() };
            builder.push_transfer(&transfer, index, Links::default());
            self.next_id += 1;
        }
        builder.push_request(RequestEntry::new(u32::from(count), Principal::NOBODY));
        let position = CONFIG.layout().place(self.end, builder.frame_bytes());
        let frame = builder.finish(position, 0, 0);
        self.end = frame.end();
        self.writer.handle_frame(std::sync::Arc::new(frame));
    }

    fn flush(&mut self) {
        let durable = self.writer.flush(0).unwrap();
        assert_eq!(durable.position, self.end);
    }
}

/// A log whose frames were each made durable before the next, over two segments.
fn small_log(counts: &[u16]) -> (MemoryStorage, Ids, Position) {
    let disk = create();
    let (_, end) = recover(&disk).unwrap();
    let mut appender = Appender::new(&end, 1);
    for &count in counts {
        appender.append(count);
        appender.flush();
    }
    let total = counts.iter().map(|&count| u128::from(count)).sum::<u128>();
    (disk, (1..=total).collect(), appender.end)
}

/// Enough to leave a gap at the end of the first segment and go on in the second.
const COUNTS: [u16; 6] = [3, 60, 1, 80, 20, 2];

#[test]
fn a_whole_log_is_read_back_and_goes_on() {
    let (disk, ids, at) = small_log(&COUNTS);
    let (found, end) = recover(&disk).unwrap();
    assert_eq!(found, ids);
    assert_eq!(end.progress().end, at);
    assert_eq!(end.progress().op, Op(7));
    assert_eq!(end.progress().epoch, Epoch(1));
    assert!(end.cut().is_none());
    assert_eq!(end.segments(), 2);
    let mut appender = Appender::new(&end, 1_000);
    appender.append(1);
    appender.flush();
    let (found, _) = recover(&disk).unwrap();
    assert_eq!(found.len(), ids.len() + 1);
}

#[test]
fn any_flipped_bit_of_a_small_log_is_harmless_or_refused() {
    let (disk, ids, end) = small_log(&COUNTS);
    let mut harmless = 0;
    let mut refused = 0;
    for segment in 0..2 {
        let name = segment_name(segment);
        let used = if segment == 0 { CONFIG.segment_bytes } else { end.0 - CONFIG.segment_bytes };
        for at in 0..to_usize(used) {
            let bit = 1_u8 << (at % 8);
            disk.damage(&name, |bytes| bytes[at] ^= bit).unwrap();
            match recover(&disk) {
                Ok((found, end)) => {
                    assert_eq!(found, ids, "segment {segment} byte {at}");
                    assert!(end.cut().is_none());
                    harmless += 1;
                }
                Err(RecoveryError::Refused { .. } | RecoveryError::Read(_)) => refused += 1,
                Err(error) => panic!("segment {segment} byte {at}: {error}"),
            }
            disk.damage(&name, |bytes| bytes[at] ^= bit).unwrap();
        }
    }
    assert!(refused > 45_000, "{refused}");
    // Only the unused end of the first segment, which the chain jumps over.
    assert!(harmless > 0 && harmless < 6_000, "{harmless}");
}

#[test]
fn a_log_cut_off_anywhere_is_refused_or_loses_nothing() {
    // Everything after the cut reads as 0, as if it had never been written. With the hint of an
    // orderly stop every byte that mattered is missed.
    let (disk, ids, end) = small_log(&COUNTS);
    let hint = CommitHint { committed: end, op: Op(7), epoch: Epoch(1) };
    MetaFile::open(&disk).unwrap().write(hint).unwrap();
    for cut in (4096..end.0).step_by(61) {
        let after = disk.after_kill();
        for segment in 0..2_u64 {
            let from = cut.saturating_sub(segment * CONFIG.segment_bytes).max(4096);
            after
                .damage(&segment_name(segment), |bytes| {
                    if let Some(rest) = bytes.get_mut(to_usize(from)..) {
                        rest.fill(0);
                    }
                })
                .unwrap();
        }
        match recover(&after) {
            Ok((found, _)) => assert_eq!(found, ids, "cut at {cut}"),
            Err(RecoveryError::Refused { row, .. }) => assert_eq!(row, Row::AcknowledgedLost),
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
}

#[test]
fn a_file_cut_short_or_missing_is_refused() {
    let (disk, _, _) = small_log(&COUNTS);
    for length in (0..to_usize(CONFIG.segment_bytes)).step_by(501) {
        for segment in 0..2 {
            let after = disk.after_kill();
            after.damage(&segment_name(segment), |bytes| bytes.truncate(length)).unwrap();
            assert!(
                matches!(recover(&after), Err(RecoveryError::Read(_))),
                "segment {segment} length {length}"
            );
        }
    }
    let after = disk.after_kill();
    Storage::remove(&after, &segment_name(0)).unwrap();
    let missing = recover(&after);
    assert!(matches!(missing, Err(RecoveryError::Read(ReadError::MissingSegment(0)))));
}

#[test]
fn after_a_power_cut_all_that_was_durable_is_there_and_the_rest_is_cut_off_whole() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut cuts = 0;
    for round in 0..400 {
        let disk = create();
        let (_, end) = recover(&disk).unwrap();
        let mut appender = Appender::new(&end, 1);
        let frames = 1 + next() % 12;
        let mut acknowledged = 0;
        let mut ends = Vec::new();
        for _ in 0..frames {
            let count = u16::try_from(1 + next() % 120).unwrap();
            appender.append(count);
            ends.push((appender.end, appender.next_id - 1));
            // Starts writes, and completes some of those in flight in any order.
            let mut writes = Vec::new();
            while let Some(write) = appender.writer.poll_write(1).unwrap() {
                let (file, offset) = appender.writer.file_at(write.position).unwrap();
                if next() % 3 == 0 {
                    file.write_at(offset, appender.writer.bytes(&write)).unwrap();
                } else {
                    file.write_through(offset, appender.writer.bytes(&write)).unwrap();
                    writes.push(write);
                }
            }
            for write in writes {
                appender.writer.handle_completed(&write, Ok(write.bytes)).unwrap();
            }
            let durable = appender.writer.durable().position;
            for &(end, last) in &ends {
                if end <= durable {
                    acknowledged = last;
                }
            }
        }
        let after = disk.crash(|_, offset| offset == u64::MAX || next() % 2 == 0);
        let (found, end) = recover(&after).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(to_u64(found.len()) >= u64::try_from(acknowledged).unwrap(), "round {round}");
        let expected: Ids = (1..=to_u64(found.len())).map(u128::from).collect();
        assert_eq!(found, expected, "round {round}");
        assert!(
            found.is_empty() || ends.iter().any(|&(_, last)| last == *found.last().unwrap()),
            "round {round}: a frame is there whole or not at all"
        );
        cuts += u32::from(end.cut().is_some());

        // What was recovered is stable: it reads the same again, and can be appended to.
        let mut appender = Appender::new(&end, 1_000_000);
        appender.append(5);
        appender.flush();
        let (again, end) = recover(&after.crash(|_, _| false)).unwrap();
        assert_eq!(again.len(), found.len() + 5, "round {round}");
        assert!(end.cut().is_none(), "round {round}");
    }
    assert!(cuts > 100, "the rounds tore enough tails: {cuts}");
}

#[test]
fn a_torn_tail_is_kept_zeroed_and_followed_by_a_new_epoch() {
    let (disk, ids, at) = small_log(&[3, 4]);
    let (_, end) = recover(&disk).unwrap();
    let mut appender = Appender::new(&end, 100);
    appender.append(60);
    let write = appender.writer.poll_write(0).unwrap().unwrap();
    let (file, offset) = appender.writer.file_at(write.position).unwrap();
    let torn = appender.writer.bytes(&write)[..SECTOR_BYTES * 5].to_vec();
    file.write_at(offset, &torn).unwrap();

    let input = RecoveryInput { timestamp: Timestamp(9), state_digest: 5, ..Default::default() };
    let (found, end) = recover_with(&disk, input).unwrap();
    assert_eq!(found, ids);
    let cut = end.cut().unwrap();
    assert_eq!((cut.position, cut.row, cut.bytes), (at, Row::TornTail, 4096));
    let kept = disk.bytes(&cut.quarantine[0]).unwrap();
    assert_eq!(kept[..torn.len()], torn);
    assert_eq!(end.progress().epoch, Epoch(2));

    let mut reader = LogReader::open(disk.clone(), identity()).unwrap();
    let mut last = None;
    while let Some(view) = reader.next_frame().unwrap() {
        last = view.epoch_start().map(|start| (*start, *view.header()));
    }
    let (start, header) = last.unwrap();
    assert_eq!((start.epoch, start.cut_position, start.cut_bytes), (2, at.0, 4096));
    assert_eq!((header.timestamp, header.state_digest), (Timestamp(9), 5));
}

#[test]
fn a_repair_that_is_interrupted_at_any_sync_is_done_again() {
    let (disk, ids, _) = small_log(&[3, 4]);
    let (_, end) = recover(&disk).unwrap();
    let mut appender = Appender::new(&end, 100);
    appender.append(60);
    let write = appender.writer.poll_write(0).unwrap().unwrap();
    let (file, offset) = appender.writer.file_at(write.position).unwrap();
    file.write_at(offset, &appender.writer.bytes(&write)[..SECTOR_BYTES * 5]).unwrap();
    file.sync_data().unwrap();
    for sync in 0..8 {
        for kept in [false, true] {
            let first = disk.after_kill();
            first.freeze_at_sync(sync);
            recover(&first).unwrap();
            let second = first.crash(|_, _| kept);
            let (found, _) = recover(&second).unwrap();
            assert_eq!(found, ids, "sync {sync} kept {kept}");
        }
    }
}

#[test]
fn a_damaged_first_frame_of_the_last_segment_is_not_taken_for_a_tail_never_begun() {
    let (disk, _, _) = small_log(&[100, 120]);
    let name = segment_name(1);
    assert!(disk.bytes(&name).unwrap()[4096..].iter().any(|&byte| byte != 0));
    for at in [4096 + 20, 4096 + 300] {
        let after = disk.after_kill();
        after.damage(&name, |bytes| bytes[at] ^= 4).unwrap();
        let refused = recover(&after);
        assert!(
            matches!(refused, Err(RecoveryError::Refused { row: Row::BytesAltered, .. })),
            "byte {at}"
        );
    }
}

#[test]
fn acknowledged_bytes_that_vanish_are_missed() {
    // The later frame knows that the earlier one was durable.
    let (disk, _, _) = small_log(&[3, 4, 5]);
    disk.damage(&segment_name(0), |bytes| bytes[4096 * 3..4096 * 4].fill(0)).unwrap();
    let refused = recover(&disk);
    assert!(matches!(refused, Err(RecoveryError::Refused { row: Row::AcknowledgedLost, .. })));

    // Nothing here knows about the last frame, but another node does.
    let (disk, _, end) = small_log(&[3, 4]);
    disk.damage(&segment_name(0), |bytes| bytes[4096 * 3..].fill(0)).unwrap();
    let input = RecoveryInput { acknowledged: end, ..RecoveryInput::default() };
    let refused = recover_with(&disk, input);
    assert!(matches!(refused, Err(RecoveryError::Refused { row: Row::AcknowledgedLost, .. })));
}

#[test]
fn a_failing_disk_and_a_newer_format_are_refused() {
    let (disk, _, end) = small_log(&[3, 4]);
    let failing = disk.after_kill();
    failing.plant(Fault::ReadFails("log/000000000000.segment", end.0 + 8192, end.0 + 8193));
    assert!(recover(&failing).is_err());

    let (found, _) = recover(&disk).unwrap();
    assert_eq!(found.len(), 7);
    let stop = {
        let mut reader = LogReader::open(disk, identity()).unwrap();
        while reader.next_frame().unwrap().is_some() {}
        reader.stop().unwrap()
    };
    assert_eq!(stop, Stop::Frame(FrameError::Unwritten));
}

#[test]
fn an_operator_can_accept_a_loss_at_the_very_position_and_it_stays_accepted() {
    let (disk, ids, end) = small_log(&[3, 4, 5]);
    let hint = CommitHint { committed: end, op: Op(4), epoch: Epoch(1) };
    MetaFile::open(&disk).unwrap().write(hint).unwrap();
    disk.damage(&segment_name(0), |bytes| bytes[4096 * 3 + 700] ^= 1).unwrap();
    let position = Position(4096 * 3);
    for wrong in [None, Some(Position(4096 * 2))] {
        let input = RecoveryInput { loss_accepted_at: wrong, ..RecoveryInput::default() };
        assert!(recover_with(&disk.after_kill(), input).is_err());
    }
    let input = RecoveryInput { loss_accepted_at: Some(position), ..RecoveryInput::default() };
    let (found, end) = recover_with(&disk, input).unwrap();
    assert_eq!(found, ids[..3]);
    assert_eq!(end.cut().unwrap().row, Row::LossAccepted);
    let (again, end) = recover(&disk).unwrap();
    assert_eq!(again, ids[..3]);
    assert!(end.cut().is_none());
}

#[test]
fn a_frame_of_another_past_is_refused() {
    // Two logs of one cluster that went different ways from the same beginning.
    let (one, _, _) = small_log(&[3, 4, 5]);
    let (other, _, _) = small_log(&[2, 4, 5]);
    let theirs = other.bytes(&segment_name(0)).unwrap();
    one.damage(&segment_name(0), |bytes| {
        bytes[4096 * 4..4096 * 5].copy_from_slice(&theirs[4096 * 4..4096 * 5]);
    })
    .unwrap();
    let refused = recover(&one);
    assert!(matches!(refused, Err(RecoveryError::Refused { row: Row::FrameMisplaced, .. })));
}

/// Found by the simulator: a killed process leaves frames and names that only the page cache holds.
/// Answers rest on them after a restart, so a later power cut must not take them away.
#[test]
fn what_a_killed_writer_left_is_durable_once_it_is_recovered() {
    let (disk, ids, _) = small_log(&[3, 3]);
    let (_, end) = recover(&disk).unwrap();
    let mut appender = Appender::new(&end, 7);
    appender.append(5);
    let write = appender.writer.poll_write(0).unwrap().unwrap();
    let (file, offset) = appender.writer.file_at(write.position).unwrap();
    file.write_at(offset, appender.writer.bytes(&write)).unwrap();

    let killed = disk.after_kill();
    let unsynced = recover(&killed.crash(|_, _| false)).unwrap().0;
    assert_eq!(unsynced, ids, "the power cut comes before the restart");
    let recovered = recover(&killed).unwrap().0;
    assert_eq!(recovered.len(), ids.len() + 5);
    let after_power_cut = recover(&killed.crash(|_, _| false)).unwrap().0;
    assert_eq!(after_power_cut, recovered);
}
