//! Policy, the prefix rule, the staging ring and the latch.

use crate::ledger::Timestamp;
use crate::log::commit::CommitRule;
use crate::log::frame::{ChainValue, FrameCounts, FrameKind, FrameVersion};
use crate::log::position::Epoch;

use super::*;

const LAYOUT: Layout = Layout { segment_bytes: 64 << 20 };
const CONFIG: GroupConfig =
    GroupConfig { staging_bytes: 6 << 20, writes_max: 2, group_bytes: 1 << 20, age_ns_max: 500 };

struct Log {
    group: GroupCommit,
    end: Position,
    op: Op,
}

impl Log {
    fn new(config: GroupConfig) -> Self {
        let durable = Durable { position: LAYOUT.first(), op: Op(0) };
        Self { group: GroupCommit::new(config, LAYOUT, durable), end: LAYOUT.first(), op: Op(0) }
    }

    fn push(&mut self, frame_bytes: u64, now_ns: u64) -> usize {
        let position = LAYOUT.place(self.end, frame_bytes);
        self.end = position.plus(frame_bytes);
        self.op = self.op.next();
        let header = FrameHeader {
            version: FrameVersion::CURRENT,
            kind: FrameKind::Fence,
            position,
            op: self.op,
            epoch: Epoch(1),
            timestamp: Timestamp(0),
            committed: Position::NONE,
            commit_rule: CommitRule::Local,
            frame_bytes,
            counts: FrameCounts::default(),
            outcome_digest: 0,
            state_digest: 0,
            previous_chain: ChainValue::START,
        };
        self.group.handle_frame(&header, now_ns)
    }
}

#[test]
fn a_lone_frame_goes_out_at_once_and_the_next_ones_gather() {
    let mut log = Log::new(CONFIG);
    assert_eq!(log.group.poll_write(0), None);
    log.push(4096, 10);
    let first = log.group.poll_write(10).unwrap();
    assert_eq!((first.position, first.bytes), (LAYOUT.first(), 4096));
    log.push(4096, 20);
    log.push(8192, 30);
    assert_eq!(log.group.poll_write(30), None, "a write is in flight");
    assert_eq!(log.group.deadline_ns(), Some(520));
    let durable = log.group.handle_completed(first.id, 4096).unwrap().unwrap();
    assert_eq!(durable, Durable { position: LAYOUT.first().plus(4096), op: Op(1) });
    let second = log.group.poll_write(40).unwrap();
    assert_eq!((second.position, second.bytes), (LAYOUT.first().plus(4096), 12_288));
    let durable = log.group.handle_completed(second.id, 12_288).unwrap().unwrap();
    assert_eq!(durable, Durable { position: log.end, op: Op(3) });
    assert!(log.group.is_idle());
    assert_eq!(log.group.deadline_ns(), None);
}

#[test]
fn while_more_is_at_hand_only_a_full_group_goes_out() {
    let mut log = Log::new(CONFIG);
    log.push(4096, 0);
    assert_eq!(log.group.poll_full_write(0), None);
    log.push(1 << 20, 0);
    let write = log.group.poll_full_write(0).unwrap();
    assert_eq!(write.bytes, (1 << 20) + 4096);
}

#[test]
fn an_old_or_a_full_group_goes_out_beside_a_write_in_flight() {
    let mut log = Log::new(CONFIG);
    log.push(4096, 0);
    let first = log.group.poll_write(0).unwrap();
    log.push(4096, 100);
    assert_eq!(log.group.poll_write(599), None);
    let second = log.group.poll_write(600).unwrap();
    log.push(1 << 20, 601);
    assert_eq!(log.group.poll_write(10_000), None, "two writes are the most");
    assert_eq!(log.group.deadline_ns(), None);
    assert_eq!(log.group.handle_completed(second.id, 4096).unwrap(), None);
    assert!(log.group.poll_write(602).is_some(), "a full group doesn't wait");
    assert!(log.group.handle_completed(first.id, 4096).unwrap().is_some());
}

#[test]
fn only_the_contiguous_prefix_is_durable() {
    let mut log = Log::new(GroupConfig { writes_max: 4, ..CONFIG });
    let mut writes = Vec::new();
    for _ in 0..3 {
        log.push(1 << 20, 0);
        writes.push(log.group.poll_write(0).unwrap());
    }
    let start = log.group.durable();
    assert_eq!(log.group.handle_completed(writes[2].id, 1 << 20).unwrap(), None);
    assert_eq!(log.group.handle_completed(writes[1].id, 1 << 20).unwrap(), None);
    assert_eq!(log.group.durable(), start);
    let durable = log.group.handle_completed(writes[0].id, 1 << 20).unwrap().unwrap();
    assert_eq!(durable, Durable { position: log.end, op: Op(3) });
}

#[test]
fn one_failure_is_the_end() {
    for written in [0, 4095, 4097] {
        let mut log = Log::new(CONFIG);
        log.push(4096, 0);
        let write = log.group.poll_write(0).unwrap();
        log.push(4096, 0);
        assert_eq!(log.group.handle_completed(write.id, written), Err(GroupError::Failed));
        assert_eq!(log.group.poll_write(1_000_000), None);
        assert!(!log.group.has_room(4096));
        assert_eq!(log.group.handle_completed(write.id, 4096), Err(GroupError::Failed));
        assert_eq!(log.group.durable().op, Op(0));
    }
    let mut log = Log::new(CONFIG);
    assert_eq!(log.group.handle_completed(0, 0), Err(GroupError::UnknownWrite));
}

#[test]
fn a_group_ends_with_its_segment() {
    let mut log = Log::new(GroupConfig { writes_max: 4, ..CONFIG });
    log.end = LAYOUT.start_of_segment(1).plus(0);
    log.end = Position(log.end.0 - 4096);
    log.push(4096, 0);
    log.push(4096, 0);
    let first = log.group.poll_write(0).unwrap();
    let second = log.group.poll_write(1_000).unwrap();
    assert_eq!(first.bytes, 4096);
    assert_eq!(second.position, LAYOUT.start_of_frames(1));
}

#[test]
fn frames_in_the_staging_memory_never_overlap() {
    // A long random run: live ranges are kept beside the machine and compared at each push.
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut log = Log::new(GroupConfig { writes_max: 3, ..CONFIG });
    let mut live: Vec<(usize, usize, u64)> = Vec::new();
    let mut in_flight: Vec<WriteRequest> = Vec::new();
    for now_ns in 0..20_000 {
        let frame_bytes =
            if next(20) == 0 { 2_700_000 / 4096 * 4096 } else { 4096 * (1 + next(40)) };
        if log.group.has_room(frame_bytes) {
            let offset = log.push(frame_bytes, now_ns);
            let end = offset + to_usize(frame_bytes);
            assert!(end <= 6 << 20);
            assert!(live.iter().all(|&(from, to, _)| end <= from || to <= offset));
            live.push((offset, end, log.end.0));
        }
        while let Some(write) = log.group.poll_write(now_ns) {
            in_flight.push(write);
        }
        if !in_flight.is_empty() && next(3) == 0 {
            let at = to_usize(next(to_u64(in_flight.len())));
            let write = in_flight.swap_remove(at);
            if let Some(durable) = log.group.handle_completed(write.id, write.bytes).unwrap() {
                live.retain(|&(_, _, end)| end > durable.position.0);
            }
        }
    }
    assert!(log.op.0 > 2_000, "the run made progress: {}", log.op.0);
}
