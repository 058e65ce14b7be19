//! Both writers on real files: what they say is durable is there, whole and in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::io::Directory;
use crate::ledger::{Op, Timestamp, Transfer};
use crate::limits;
use crate::log::frame::{
    ClusterId, Frame, FrameBuilder, FrameKind, FramePool, FrameStart, HistoryRow, Links, Principal,
    RequestEntry,
};
use crate::log::meta::{ClusterConfig, Meta};
use crate::log::position::{Layout, Position};
use crate::log::prepare::create_log;
use crate::log::reader::{LogIdentity, LogReader, Progress};
use crate::log::recovery::{LogEnd, RecoveryInput};

use super::*;

pub(super) const CONFIG: ClusterConfig = ClusterConfig {
    cluster: ClusterId(5),
    segment_bytes: limits::SEGMENT_BYTES_MIN,
    accounts_max: 10,
    holds_max: 10,
    rules_version: 1,
};
const LAYOUT: Layout = CONFIG.layout();

pub(super) fn recover(directory: &Directory) -> (u64, LogEnd<Directory>) {
    let meta = Meta::load(directory).unwrap().unwrap();
    let identity = LogIdentity { cluster: CONFIG.cluster, layout: LAYOUT };
    let mut reader = LogReader::open(directory.clone(), identity).unwrap();
    let mut transfers = 0;
    while let Some(view) = reader.next_frame().unwrap() {
        for entry in view.transfers() {
            transfers += 1;
            assert_eq!(entry.transfer.id, u128::from(transfers), "in order, without a gap");
        }
    }
    (transfers, reader.into_end(&meta, &RecoveryInput::default()).unwrap())
}

/// Builds frames one after the other, as the engine does.
pub(super) struct Source {
    builder: FrameBuilder,
    progress: Progress,
    next_id: u128,
}

impl Source {
    pub(super) fn new(progress: Progress, next_id: u128) -> Self {
        let start = Self::start(&progress);
        Self { builder: FrameBuilder::new(FramePool::new(32), start), progress, next_id }
    }

    fn start(progress: &Progress) -> FrameStart {
        FrameStart {
            kind: FrameKind::CreateTransfers,
            op: progress.op.next(),
            timestamp: Timestamp(progress.op.0),
            epoch: progress.epoch,
        }
    }

    pub(super) fn next(&mut self, transfers: u16, with_history: bool) -> Arc<Frame> {
        self.builder.restart(Self::start(&self.progress));
        for index in 0..transfers {
            let transfer =
                Transfer { id: self.next_id, timestamp: self.progress.op.0, ..Transfer::default() };
            self.builder.push_transfer(&transfer, index, Links::default());
            if with_history {
                for side in 0..2 {
                    let index = u32::from(index);
                    self.builder.push_history(HistoryRow { index, side, ..HistoryRow::default() });
                }
            }
            self.next_id += 1;
        }
        self.builder.push_request(RequestEntry::new(u32::from(transfers), Principal::NOBODY));
        let position = LAYOUT.place(self.progress.end, self.builder.frame_bytes());
        let frame = self.builder.finish(position, 1, 2);
        self.progress.end = frame.end();
        self.progress.op = self.progress.op.next();
        Arc::new(frame)
    }
}

pub(super) fn submit(writer: &LogWriter, mut frame: Arc<Frame>) {
    while let Err(back) = writer.handle().submit(frame) {
        frame = back;
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn wait_for(progress: &LogProgress, op: Op) {
    for _ in 0..6_000 {
        if progress.durable_op() >= op {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("op {op} was not durable within 30 seconds");
}

fn writes_and_reads_back(kind: LogWriterKind, directory: &Directory) {
    create_log(directory, CONFIG, Timestamp(1)).unwrap();
    let (_, end) = recover(directory);
    let mut source = Source::new(end.progress(), 1);
    let notified = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&notified);
    let options = WriterOptions { kind, queue_frames: 8, ..WriterOptions::default() };
    let on_durable = Box::new(move |durable: crate::log::Durable| {
        let before = seen.swap(durable.op.0, Ordering::SeqCst);
        assert!(durable.op.0 > before);
    });
    let writer =
        LogWriter::start(end, options, Notices { durable: on_durable, ..Notices::none() }).unwrap();

    // Alone, each wakes an idle writer.
    for _ in 0..20 {
        submit(&writer, source.next(1, false));
        wait_for(writer.handle().progress(), source.progress.op);
    }
    // Together: full groups, several in flight, over several segments, and the largest frames.
    for round in 0_u16..60 {
        submit(&writer, source.next(1 + round * 3, false));
        submit(&writer, source.next(1, false));
        if round % 10 == 0 {
            submit(&writer, source.next(8_190, round % 20 == 0));
        }
    }
    wait_for(writer.handle().progress(), source.progress.op);
    assert_eq!(writer.handle().progress().durable_position(), source.progress.end);
    assert_eq!(notified.load(Ordering::SeqCst), source.progress.op.0);
    assert!(writer.handle().progress().groups() < source.progress.op.0, "some frames shared one");
    submit(&writer, source.next(7, false));
    writer.stop();

    let (transfers, end) = recover(directory);
    assert_eq!(u128::from(transfers), source.next_id - 1, "stopping loses nothing");
    assert_eq!(end.progress().end, source.progress.end);
    assert_eq!(Meta::load(directory).unwrap().unwrap().hint.committed, source.progress.end);
    assert!(LAYOUT.segment_of(source.progress.end) >= 2);

    // And on: the chain goes through a restart.
    let mut source = Source::new(end.progress(), source.next_id);
    let writer = LogWriter::start(end, options, Notices::none()).unwrap();
    submit(&writer, source.next(3, false));
    drop(writer);
    let (transfers, end) = recover(directory);
    assert_eq!(u128::from(transfers), source.next_id - 1);
    assert!(end.cut().is_none());
}

#[test]
fn the_direct_writer_writes_what_is_read_back() {
    let temporary = tempfile::tempdir().unwrap();
    writes_and_reads_back(LogWriterKind::Direct, &Directory::new(temporary.path()));
}

#[test]
fn the_mapped_writer_writes_what_is_read_back() {
    let temporary = tempfile::tempdir().unwrap();
    writes_and_reads_back(LogWriterKind::Mapped, &Directory::new(temporary.path()));
}

#[test]
fn a_filesystem_in_memory_does_too() {
    let Ok(temporary) = tempfile::tempdir_in("/dev/shm") else {
        assert!(!std::path::Path::new("/dev/shm").exists(), "it can be written to if it is there");
        return;
    };
    writes_and_reads_back(LogWriterKind::Direct, &Directory::new(temporary.path()));
}

#[test]
fn a_record_can_be_read_as_soon_as_it_is_durable() {
    for kind in [LogWriterKind::Direct, LogWriterKind::Mapped] {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path());
        create_log(&directory, CONFIG, Timestamp(1)).unwrap();
        let (_, end) = recover(&directory);
        let mut source = Source::new(end.progress(), 1);
        let options = WriterOptions { kind, ..WriterOptions::default() };
        let writer = LogWriter::start(end, options, Notices::none()).unwrap();
        let mut reader = crate::log::RecordReader::new(directory.clone(), LAYOUT, CONFIG.cluster);
        for round in 0..30_u16 {
            let frame = source.next(1 + round * 20, false);
            let position: Position = frame.position();
            submit(&writer, Arc::clone(&frame));
            wait_for(writer.handle().progress(), source.progress.op);
            for index in [0, round * 10, round * 20] {
                let place = crate::log::entry_position(position, FrameKind::CreateTransfers, index);
                let stored = reader.read_transfer(place).unwrap();
                assert_eq!(stored.entry, *frame.transfer_at(place).unwrap());
                assert_eq!(stored.frame, position);
                assert!(reader.read_transfer(place.plus(16)).is_err());
            }
        }
        writer.stop();
    }
}
