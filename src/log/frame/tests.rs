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

fn transfers(count: u16) -> Frame {
    let mut builder = FrameBuilder::new(FramePool::new(4), start(FrameKind::CreateTransfers));
    for index in 0..count {
        let transfer = Transfer { id: u128::from(index) + 1, amount: 5, ..Transfer::default() };
        let links = Links { debit_previous: Position(4352), credit_previous: Position::NONE };
        builder.push_transfer(&transfer, index, links);
    }
    builder.push_request(1);
    builder.push_request(u32::from(count) - 1);
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
        assert_eq!(view.requests(), [1, u32::from(count) - 1]);
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
fn any_flipped_bit_is_noticed() {
    let (mut bytes, _) = sealed(&transfers(40));
    let length = bytes.bytes().len();
    for at in 0..length {
        bytes.bytes_mut()[at] ^= 1 << (at % 8);
        let seen = FrameView::parse(CLUSTER, PLACE, bytes.bytes());
        assert!(seen.is_err(), "byte {at}");
        assert_ne!(seen.unwrap_err(), FrameError::Unwritten, "byte {at}");
        bytes.bytes_mut()[at] ^= 1 << (at % 8);
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
