//! The writer's machine: what it asks for, in which order, and what it never does.

use super::*;
use crate::ledger::Timestamp;
use crate::log::frame::{
    ChainValue, ClusterId, FrameBuilder, FrameKind, FramePool, FrameStart, FrameVersion, FrameView,
};

const CLUSTER: ClusterId = ClusterId(3);
const LAYOUT: Layout = Layout { segment_bytes: 64 << 10 };
const GROUPS: GroupConfig =
    GroupConfig { staging_bytes: 128 << 10, writes_max: 2, group_bytes: 16 << 10, age_ns_max: 500 };

/// The machine, a source of frames in front of it and memory behind it.
struct Log {
    machine: WriterMachine,
    end: Position,
    op: Op,
    staging: Vec<u8>,
}

impl Log {
    fn new(segments: u64) -> Self {
        let identity = LogIdentity { cluster: CLUSTER, layout: LAYOUT };
        let progress = Progress {
            end: LAYOUT.first(),
            chain: ChainValue::START,
            op: Op(0),
            epoch: Epoch(1),
            version: FrameVersion::CURRENT,
        };
        Self {
            machine: WriterMachine::new(identity, progress, segments, GROUPS),
            end: LAYOUT.first(),
            op: Op(0),
            staging: vec![0; 128 << 10],
        }
    }

    /// The next frame, with so many ids in it: 255 fill a page.
    fn frame(&mut self, ids: u32) -> Arc<Frame> {
        self.op = self.op.next();
        let start = FrameStart {
            kind: FrameKind::Expire,
            op: self.op,
            timestamp: Timestamp(self.op.0),
            epoch: Epoch(1),
        };
        let mut builder = FrameBuilder::new(FramePool::new(1), start);
        (0..ids).for_each(|id| builder.push_id(u128::from(id) + 1));
        let frame = builder.finish(LAYOUT.place(self.end, builder.frame_bytes()), 0, 0);
        self.end = frame.end();
        Arc::new(frame)
    }

    fn hand(&mut self, ids: u32) {
        let frame = self.frame(ids);
        self.machine.handle_frame(frame);
    }

    /// Does everything that is asked for. Gives the segments opened and the writes started.
    fn act(&mut self, now_ns: u64) -> (Vec<u64>, Vec<WriteRequest>) {
        let (mut opened, mut started) = (Vec::new(), Vec::new());
        while let Some(action) = self.machine.poll_action(now_ns, false) {
            match action {
                WriterAction::Open { segment, .. } => opened.push(segment),
                WriterAction::Seal(Place { staging_offset, bytes, .. }) => {
                    let target = &mut self.staging[staging_offset..staging_offset + bytes];
                    self.machine.seal_into(target);
                }
                WriterAction::Write(write) => started.push(write),
            }
        }
        (opened, started)
    }

    fn complete(&mut self, write: &WriteRequest) {
        self.machine.handle_completed(write.id, Ok(write.bytes)).unwrap();
    }

    /// Enough pages to leave no room in the first segment.
    fn fill_segment(&mut self) -> WriteRequest {
        self.hand(3_700);
        let (_, started) = self.act(0);
        started[0]
    }
}

#[test]
fn a_frame_is_sealed_into_its_place_written_and_then_durable() {
    let mut log = Log::new(1);
    log.hand(1);
    let (opened, started) = log.act(0);
    assert_eq!((opened, started.len()), (vec![0], 1));
    assert_eq!(log.machine.poll_durable(), None, "it is on its way");
    let write = started[0];
    assert_eq!((write.position, write.bytes), (LAYOUT.first(), 4096));
    FrameView::parse(CLUSTER, write.position, &log.staging[..4096]).unwrap();
    log.complete(&write);
    let durable = Durable { position: log.end, op: Op(1) };
    assert_eq!(log.machine.poll_durable(), Some(durable));
    assert_eq!(log.machine.poll_durable(), None, "it is told once");
    assert_eq!(log.machine.hint().committed, log.end);
    assert!(log.machine.is_idle());
}

#[test]
fn a_frame_waits_for_its_segment_and_what_is_before_it_becomes_durable() {
    let mut log = Log::new(1);
    let first = log.fill_segment();
    log.hand(200);
    assert_eq!(log.act(0), (vec![], vec![]));
    assert_eq!(log.machine.needed_segment(), Some(1));
    assert!(!log.machine.wants_frame());
    log.complete(&first);
    assert_eq!(log.machine.poll_durable().unwrap().op, Op(1), "told while it waits");
    assert_eq!(log.act(1_000_000), (vec![], vec![]));
    assert!(!log.machine.is_idle(), "something is still to be written");

    log.machine.handle_segments(2);
    assert_eq!(log.machine.needed_segment(), None);
    let (opened, started) = log.act(1_000_000);
    assert_eq!(opened, [1]);
    assert_eq!(started[0].position, LAYOUT.start_of_frames(1));
    log.complete(&started[0]);
    assert_eq!(log.machine.poll_durable().unwrap().op, Op(2));
}

#[test]
fn a_frame_waits_for_memory_and_nothing_overtakes_it() {
    let mut log = Log::new(9);
    let first = log.fill_segment();
    log.hand(3_700);
    let second = log.act(0).1[0];
    log.hand(3_700);
    assert_eq!(log.act(0), (vec![], vec![]));
    assert!(!log.machine.wants_frame());
    assert_eq!(log.machine.needed_segment(), None, "it is memory that it waits for");
    log.complete(&second);
    assert_eq!(log.machine.poll_durable(), None, "the first comes first");
    log.complete(&first);
    assert_eq!(log.machine.poll_durable().unwrap().op, Op(2));
    assert_eq!(log.act(0).1.len(), 1);
}

#[test]
fn segments_are_let_go_when_nothing_of_them_is_on_its_way() {
    let mut log = Log::new(9);
    let first = log.fill_segment();
    log.hand(200);
    let open = log.machine.poll_action(0, false);
    assert_eq!(open, Some(WriterAction::Open { segment: 1, oldest: 0 }));
    log.act(0);
    log.complete(&first);
    log.hand(3_700);
    let open = log.machine.poll_action(0, false);
    assert!(matches!(open, Some(WriterAction::Open { segment: 2, oldest: 0 | 1 })), "{open:?}");
}

#[test]
fn while_more_is_at_hand_a_small_group_waits_for_it() {
    let mut log = Log::new(1);
    log.hand(1);
    assert_eq!(
        log.machine.poll_action(0, true),
        Some(WriterAction::Open { segment: 0, oldest: 0 })
    );
    let Some(WriterAction::Seal(place)) = log.machine.poll_action(0, true) else { panic!() };
    log.machine.seal_into(&mut log.staging[..place.bytes]);
    assert_eq!(log.machine.poll_action(0, true), None);
    log.hand(1);
    let (_, started) = log.act(0);
    assert_eq!(started[0].bytes, 8192, "both go together");
}

#[test]
fn an_error_and_a_write_that_is_not_whole_are_the_end() {
    let failures: [fn() -> io::Result<usize>; 3] =
        [|| Err(io::ErrorKind::StorageFull.into()), || Ok(2048), || Ok(0)];
    for failure in failures {
        let mut log = Log::new(1);
        log.hand(1);
        let write = log.act(0).1[0];
        log.hand(1);
        log.machine.handle_completed(write.id, failure()).unwrap_err();
        assert_eq!(log.act(1_000_000), (vec![], vec![]), "nothing is asked for any more");
        assert_eq!(log.machine.poll_durable(), None);
        log.machine.handle_completed(write.id, Ok(write.bytes)).unwrap_err();
        assert_eq!(log.machine.durable().op, Op(0));
    }
}

#[test]
#[should_panic(expected = "frames come in the order of their ops")]
fn a_frame_that_was_left_out_is_noticed() {
    let mut log = Log::new(1);
    let _left_out = log.frame(1);
    log.hand(1);
}

#[test]
#[should_panic(expected = "what has its place is sealed")]
fn nothing_is_written_before_it_is_sealed() {
    let mut log = Log::new(1);
    log.hand(1);
    while log.machine.poll_action(0, false).is_some() {}
}
