//! What is built comes back, and nothing else does.

use crate::io::to_usize;
use crate::ledger::{Account, Op, Timestamp, Transfer};
use crate::log::position::{Epoch, Position};

use super::*;

const CLUSTER: ClusterId = ClusterId(0x1234);
const PLACE: Position = Position(4096);

fn start(kind: FrameKind) -> FrameStart {
    FrameStart { kind, op: Op(1), timestamp: Timestamp(1_000), epoch: Epoch(1) }
}

fn requests(count: u16) -> [RequestEntry; 2] {
    let others = RequestEntry::new(u32::from(count) - 1, Principal::NOBODY);
    [RequestEntry::new(1, Principal(7)), others]
}

fn transfers(count: u16) -> Frame {
    let mut builder = FrameBuilder::new(FramePool::new(4), start(FrameKind::CreateTransfers));
    for index in 0..count {
        let transfer = Transfer { id: u128::from(index) + 1, amount: 5, ..Transfer::default() };
        let links = Links { debit_previous: Position(4352), credit_previous: Position::NONE };
        builder.push_transfer(&transfer, index, links);
    }
    for request in requests(count) {
        builder.push_request(request);
    }
    builder.push_amendment(Amendment::new(0, 3, 99));
    builder.push_refusal(Refusal { index: 1, status: 54 });
    builder.push_history(HistoryRow {
        index: 0,
        side: 1,
        credits_posted: 5,
        ..HistoryRow::default()
    });
    let expected = builder.frame_bytes();
    let frame = builder.finish(PLACE, 11, 22);
    assert_eq!(frame.header().frame_bytes, expected);
    frame
}

fn sealed(frame: &Frame) -> (FrameBuf, ChainValue) {
    let mut bytes = FrameBuf::new();
    bytes.resize(to_usize(frame.header().frame_bytes));
    bytes.bytes_mut().fill(0xAA);
    let mut sealer = Sealer::new(CLUSTER, ChainValue([9; 32]));
    sealer.seal_into(frame, Position(77), bytes.bytes_mut());
    (bytes, sealer.chain())
}

#[test]
fn a_batch_of_transfers_comes_back_whole() {
    for count in [2, 3, 60, 200, 8_190] {
        let frame = transfers(count);
        let (bytes, chain) = sealed(&frame);
        let view = FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
        assert_eq!(view.header().committed, Position(77));
        assert_eq!(view.header().previous_chain, ChainValue([9; 32]));
        assert_eq!(view.header().outcome_digest, 11);
        assert_eq!(view.header().state_digest, 22);
        assert_eq!(view.chain(), chain);
        assert_eq!(view.transfers(), frame.transfers());
        assert_eq!(view.transfers().len(), usize::from(count));
        assert!(view.requests().eq(requests(count)));
        assert!(frame.requests().eq(requests(count)));
        assert_eq!(view.amendments(), [Amendment::new(0, 3, 99)]);
        assert_eq!(view.refusals(), [Refusal { index: 1, status: 54 }]);
        assert_eq!(view.history(), frame.history());
        assert_eq!(view.history()[0].credits_posted, 5);
        assert!(view.accounts().is_empty() && view.ids().is_empty());
    }
}

#[test]
fn a_record_is_found_by_its_position_and_nothing_else_is() {
    let frame = transfers(9);
    let place = entry_position(PLACE, FrameKind::CreateTransfers, 4);
    assert_eq!(frame.transfer_at(place).unwrap().transfer.id, 5);
    assert!(frame.transfer_at(place.plus(16)).is_none());
    assert!(frame.transfer_at(PLACE).is_none());
    assert!(frame.transfer_at(Position(0)).is_none());
    assert!(frame.transfer_at(entry_position(PLACE, FrameKind::CreateTransfers, 9)).is_none());
}

#[test]
fn accounts_ids_genesis_and_epochs_come_back() {
    let pool = FramePool::new(4);
    let mut builder = FrameBuilder::new(pool, start(FrameKind::CreateAccounts));
    let account = Account { id: 7, ledger: 1, code: 2, ..Account::default() };
    builder.push_account(&account);
    let frame = builder.finish(PLACE, 0, 0);
    assert_eq!(frame.accounts(), [account]);
    let (bytes, _) = sealed(&frame);
    assert_eq!(FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap().accounts(), [account]);

    builder.restart(start(FrameKind::Expire));
    builder.push_id(3);
    builder.push_id(u128::MAX - 1);
    let (bytes, _) = sealed(&builder.finish(PLACE, 0, 0));
    let view = FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
    assert_eq!(view.ids(), [3, u128::MAX - 1]);

    let genesis = Genesis { cluster: 5, segment_bytes: 64 << 20, ..Genesis::default() };
    builder.restart(start(FrameKind::Genesis));
    builder.push_genesis(&genesis);
    let (bytes, _) = sealed(&builder.finish(PLACE, 0, 0));
    let view = FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
    assert_eq!(view.genesis(), Some(&genesis));

    let epoch = EpochStart::new(Epoch(1), EpochReason::TornTail, Position(4096), 512);
    builder.restart(start(FrameKind::Epoch));
    builder.push_epoch(&epoch);
    let (bytes, _) = sealed(&builder.finish(PLACE, 0, 0));
    let view = FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
    assert_eq!(view.epoch_start(), Some(&epoch));
    assert_eq!(view.genesis(), None);
}

#[test]
fn commands_come_back_with_their_notes() {
    let mut builder = FrameBuilder::new(FramePool::new(4), start(FrameKind::Command));
    let command = CommandEntry {
        kind: 1,
        version: 2,
        principal: Principal(9),
        arguments: [1, 2, 3, 4, 5, u64::MAX],
        ..CommandEntry::default()
    };
    builder.push_command(&command);
    builder.push_request(RequestEntry::new(1, Principal(9)));
    builder.push_notes(b"because ");
    builder.push_notes(b"it must");
    let frame = builder.finish(PLACE, 1, 2);
    let (bytes, _) = sealed(&frame);
    let view = FrameView::parse(CLUSTER, PLACE, bytes.bytes()).unwrap();
    assert_eq!((view.commands(), frame.commands()), (&[command][..], &[command][..]));
    assert_eq!((view.notes(), frame.notes()), (&b"because it must"[..], &b"because it must"[..]));
    assert!(view.transfers().is_empty() && view.ids().is_empty());
    // The entry as other programs read it.
    let entry = &bytes.bytes()[256..320];
    assert_eq!(entry[..8], [1, 0, 2, 0, 9, 0, 0, 0]);
    assert_eq!(entry[8..24], u128::to_le_bytes(1 << 64));
    assert_eq!(bytes.bytes()[320..336], [1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.bytes()[336..351], *b"because it must");
    assert_eq!(bytes.bytes()[128..136], [15, 0, 0, 0, 0, 0, 0, 0]);

    builder.restart(start(FrameKind::Command));
    builder.push_command(&CommandEntry { reserved: 1, ..command });
    let (bytes, _) = sealed(&builder.finish(PLACE, 1, 2));
    let seen = FrameView::parse(CLUSTER, PLACE, bytes.bytes());
    assert_eq!(seen.unwrap_err(), FrameError::Content, "what has no meaning is refused");
}

#[test]
fn options_that_mean_nothing_yet_are_refused() {
    let request = RequestEntry::new(1, Principal(1));
    for wrong in [RequestEntry { options: 1, ..request }, RequestEntry { reserved: 1, ..request }] {
        let mut builder = FrameBuilder::new(FramePool::new(4), start(FrameKind::Fence));
        builder.push_id(1);
        builder.push_request(wrong);
        let (bytes, _) = sealed(&builder.finish(PLACE, 1, 2));
        let seen = FrameView::parse(CLUSTER, PLACE, bytes.bytes());
        assert_eq!(seen.unwrap_err(), FrameError::Content);
    }
}

/// The first frame of these bytes with its header changed, its sum made right again.
fn with_header(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<FrameHeader, FrameError> {
    let before = bytes[..256].to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    let crc = crate::checksum::block(header::seed(CLUSTER, Epoch(1), PLACE), &bytes[..252]);
    bytes[252..256].copy_from_slice(&crc.to_le_bytes());
    let seen = FrameHeader::parse(CLUSTER, PLACE, bytes);
    bytes[..256].copy_from_slice(&before);
    seen
}

#[test]
fn a_whole_header_of_what_is_not_known_is_told_apart_from_damage() {
    let (mut bytes, _) = sealed(&transfers(4));
    let bytes = bytes.bytes_mut();
    assert!(with_header(bytes, 8, &[2, 0]).is_ok());
    assert_eq!(with_header(bytes, 8, &[3, 0]), Err(FrameError::Version(3)));
    assert_eq!(with_header(bytes, 8, &[2, 0, 8, 0]), Err(FrameError::Kind(8)));
    assert_eq!(with_header(bytes, 8, &[1, 0, 7, 0]), Err(FrameError::Kind(7)), "since version 2");
    let rule = with_header(bytes, 132, &[1]).map(|header| header.commit_rule);
    assert_eq!(rule, Ok(crate::log::CommitRule::Standby));
    for (at, value) in [(132, 2), (136, 1), (12, 1), (128, 1), (57, 0x20), (251, 1)] {
        assert_eq!(with_header(bytes, at, &[value]), Err(FrameError::Fields), "byte {at}");
    }
}

#[test]
fn any_flipped_bit_is_noticed() {
    let (mut bytes, _) = sealed(&transfers(40));
    let length = bytes.bytes().len();
    for bit in 0..length * 8 {
        bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
        let seen = FrameView::parse(CLUSTER, PLACE, bytes.bytes());
        assert!(seen.is_err(), "bit {bit}");
        assert_ne!(seen.unwrap_err(), FrameError::Unwritten, "bit {bit}");
        bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(FrameView::parse(CLUSTER, PLACE, bytes.bytes()).is_ok());
    for cut in [0, 100, 255, 256, 4096, length - 1] {
        let seen = FrameView::parse(CLUSTER, PLACE, &bytes.bytes()[..cut]);
        assert_eq!(seen.unwrap_err(), FrameError::Short, "cut at {cut}");
    }
}

#[test]
fn a_frame_is_valid_only_where_it_was_written() {
    let (bytes, _) = sealed(&transfers(4));
    let elsewhere = FrameView::parse(CLUSTER, Position(8192), bytes.bytes());
    assert_eq!(elsewhere.unwrap_err(), FrameError::HeaderChecksum);
    let foreign = FrameView::parse(ClusterId(1), PLACE, bytes.bytes());
    assert_eq!(foreign.unwrap_err(), FrameError::HeaderChecksum);
}

#[test]
fn a_large_frame_gives_its_buffer_back_and_a_small_one_has_its_own() {
    let pool = FramePool::new(2);
    let mut builder = FrameBuilder::new(pool.clone(), start(FrameKind::CreateTransfers));
    for index in 0..8_190 {
        builder.push_transfer(&Transfer::default(), index, Links::default());
    }
    let large = builder.finish(PLACE, 0, 0);
    let memory_bytes = large.memory_bytes();
    assert_eq!(pool.take().capacity_bytes(), 0);
    drop(large);
    let kept = pool.take();
    assert_eq!(u64::try_from(kept.capacity_bytes()).unwrap(), memory_bytes);

    pool.give_back(kept);
    let mut builder = FrameBuilder::new(pool, start(FrameKind::Fence));
    builder.push_id(1);
    assert!(builder.finish(PLACE, 0, 0).memory_bytes() < memory_bytes / 8);
}
