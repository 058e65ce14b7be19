//! The machines of a node with a post that keeps what is sent until the test delivers it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::*;
use crate::engine::{Engine, EngineOptions, IdHasher, Partition, Polled, Source, Submission, Tip};
use crate::ledger::{Account, Op, Timestamp};
use crate::log::{Epoch, Frame, Layout, Position, Principal, Room};
use crate::wire::{ErrorCode, Reply, Request};

const CORES: usize = 3;
const NOW: Timestamp = Timestamp(1_000);

/// What was sent to each core, what is shown, and who was rung.
#[derive(Debug, Default)]
struct Office {
    mail: [VecDeque<Message>; CORES],
    shown: Option<Shown>,
    rung: Vec<usize>,
}

#[derive(Debug, Clone, Default)]
struct TestPost(Rc<RefCell<Office>>);

impl Post for TestPost {
    fn cores(&self) -> usize {
        CORES
    }

    fn send(&self, core: usize, message: Message) {
        self.0.borrow_mut().mail[core].push_back(message);
    }

    fn show(&self, shown: Shown) {
        self.0.borrow_mut().shown = Some(shown);
    }

    fn ring(&self, core: usize) {
        self.0.borrow_mut().rung.push(core);
    }
}

struct Cores {
    post: TestPost,
    sequencer: Sequencer<TestPost>,
    owners: Vec<Owner<TestPost>>,
}

impl Cores {
    fn new() -> Self {
        let post = TestPost::default();
        let hasher = IdHasher::new(7);
        let owners = CoreOwners::new(Partition::new(hasher), post.clone());
        let options = EngineOptions {
            layout: Layout::new(4 << 20).unwrap(),
            hash_key: 7,
            accounts_max: 1_000,
            holds_max: 1_000,
            recent_bytes_max: 1 << 20,
            state_bytes_max: u64::MAX,
        };
        let end =
            Tip { position: Position(8_192), op: Op(1), epoch: Epoch(1), timestamp: Timestamp(1) };
        let engine = Engine::new(owners, options, end);
        let owner = |core| Owner::new(core, Partition::new(hasher), post.clone());
        let owners = (1..CORES).map(owner).collect();
        let mut sequencer = Sequencer::new(engine, post.clone());
        sequencer.handle_log(Op(1), Room::Ready);
        Self { sequencer, owners, post }
    }

    fn next(&self, core: usize) -> Option<Message> {
        self.post.0.borrow_mut().mail[core].pop_front()
    }

    /// Delivers everything. Gives the answers that came to the other cores.
    fn deliver_all(&mut self) -> Vec<Delivery> {
        let mut delivered = Vec::new();
        loop {
            let mut any = false;
            for core in 1..CORES {
                while let Some(message) = self.next(core) {
                    any = true;
                    delivered.extend(self.owners[core - 1].handle_message(message));
                }
            }
            while let Some(message) = self.next(0) {
                any = true;
                assert!(self.sequencer.handle_message(message).is_none());
            }
            if !any {
                return delivered;
            }
        }
    }

    /// Makes all frames that can be made, the owners answering at once.
    fn frames(&mut self) -> Vec<Arc<Frame>> {
        let mut frames = Vec::new();
        for _ in 0..8 {
            while let Polled::Frame(frame) = self.sequencer.poll_frame(NOW) {
                frames.push(frame);
                // What the log said holds for one frame.
                let committed = self.sequencer.engine().committed();
                self.sequencer.handle_log(committed, Room::Ready);
            }
            assert!(self.deliver_all().is_empty());
        }
        frames
    }
}

fn submission(core: u16, correlation: u64, request: Request) -> Submission {
    Submission {
        source: Source { core, slot: 0, generation: 1, correlation },
        principal: Principal::NOBODY,
        request,
    }
}

fn accounts(first: u128, count: u128) -> Request {
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    Request::CreateAccounts((first..first + count).map(account).collect())
}

#[test]
fn an_answer_goes_to_the_core_of_its_connection_once_its_op_is_committed() {
    let mut cores = Cores::new();
    cores.post.send(0, Message::Submit(submission(2, 9, accounts(1, 20))));
    let message = cores.next(0).unwrap();
    assert!(cores.sequencer.handle_message(message).is_none());
    let polled = cores.sequencer.poll_frame(NOW);
    assert!(!matches!(polled, Polled::Frame(_)), "two owners haven't answered");
    let frames = cores.frames();
    assert_eq!(frames.len(), 1);
    assert!(cores.sequencer.poll_release(|_| ()).is_none(), "nothing is committed");
    cores.sequencer.handle_log(frames[0].header().op, Room::Ready);
    assert!(matches!(cores.sequencer.poll_release(|_| ()), Some(Released::Sent)));
    let shown = cores.post.0.borrow().shown.unwrap();
    assert_eq!(shown.committed, frames[0].header().op);
    let delivered = cores.deliver_all();
    assert_eq!(delivered.len(), 1);
    assert_eq!((delivered[0].to.core, delivered[0].to.correlation), (2, 9));
    assert!(matches!(&delivered[0].reply, Reply::CreateResults(results) if results.len() == 20));
}

#[test]
fn a_full_log_refuses_writes_and_orders_them_again_when_it_has_room() {
    let mut cores = Cores::new();
    cores.sequencer.handle_log(Op(1), Room::Full);
    cores.sequencer.handle_submission(submission(0, 1, accounts(1, 1)));
    assert!(cores.frames().is_empty());
    let Some(Released::Own(refused)) = cores.sequencer.poll_release(|_| ()) else {
        panic!("the write is refused at once")
    };
    let Reply::Error(error) = refused.reply else { panic!("it was refused") };
    assert_eq!(error.code(), Some(ErrorCode::CapacityExceeded));
    cores.sequencer.end_turn();
    assert!(cores.post.0.borrow().shown.unwrap().log_full);
    cores.sequencer.handle_log(Op(1), Room::Ready);
    cores.sequencer.handle_submission(submission(0, 2, accounts(1, 1)));
    assert_eq!(cores.frames().len(), 1);
}

#[test]
fn nothing_is_ordered_while_the_log_makes_room() {
    let mut cores = Cores::new();
    cores.sequencer.handle_log(Op(1), Room::Awaited);
    cores.sequencer.handle_submission(submission(0, 1, accounts(1, 1)));
    assert!(cores.frames().is_empty());
    assert!(cores.sequencer.poll_release(|_| ()).is_none(), "and nothing is refused");
    cores.sequencer.end_turn();
    assert!(!cores.post.0.borrow().shown.unwrap().log_full);
    cores.sequencer.handle_log(Op(1), Room::Ready);
    assert_eq!(cores.frames().len(), 1);
}

#[test]
fn what_the_log_says_of_its_room_holds_for_one_frame() {
    let mut cores = Cores::new();
    let make = |cores: &mut Cores, number: u64| {
        cores.sequencer.handle_submission(submission(0, number, accounts(number.into(), 1)));
        let mut made = 0;
        for _ in 0..8 {
            made += usize::from(matches!(cores.sequencer.poll_frame(NOW), Polled::Frame(_)));
            cores.deliver_all();
        }
        made
    };
    assert_eq!(make(&mut cores, 1), 1);
    assert_eq!(make(&mut cores, 2), 0, "its room isn't known");
    cores.sequencer.handle_log(Op(1), Room::Ready);
    assert_eq!(make(&mut cores, 3), 1);
}

#[test]
fn small_requests_gather_while_the_log_is_busy() {
    let mut cores = Cores::new();
    for number in 0..4 {
        cores.sequencer.handle_submission(submission(
            0,
            number,
            accounts(1 + 10 * u128::from(number), 1),
        ));
        let made = cores.frames().len();
        assert_eq!(made, usize::from(number < 2), "request {number}");
    }
    cores.sequencer.handle_log(Op(2), Room::Ready);
    let frames = cores.frames();
    assert_eq!(frames.len(), 1, "both that waited share a batch");
    assert_eq!(frames[0].header().counts.entries, 2);
}

#[test]
fn cores_that_wait_for_room_are_woken_once_there_is_some() {
    let mut cores = Cores::new();
    // More events than may wait, each request as large as can be.
    for number in 0..70 {
        let id = 1 + 10_000 * u128::from(number);
        cores.sequencer.handle_submission(submission(0, number, accounts(id, 8_000)));
    }
    cores.sequencer.end_turn();
    assert!(!has_room(cores.post.0.borrow().shown.unwrap().waiting_events));
    assert!(cores.post.0.borrow().rung.is_empty());
    while !has_room(cores.sequencer.engine().waiting_events() as u64) {
        assert_eq!(cores.post.0.borrow().rung, [0_usize; 0]);
        cores.frames();
        cores.sequencer.handle_log(cores.sequencer.engine().end().op, Room::Ready);
    }
    cores.sequencer.end_turn();
    assert_eq!(cores.post.0.borrow().rung, [1, 2]);
    cores.sequencer.end_turn();
    assert_eq!(cores.post.0.borrow().rung, [1, 2], "once");
}

#[test]
fn a_drain_ends_when_all_cores_refuse_and_all_is_answered() {
    let mut cores = Cores::new();
    cores.owners[0].handle_draining();
    // This one was taken before its core refused, and comes later than the other core's word.
    cores.post.send(0, Message::Submit(submission(2, 5, accounts(1, 1))));
    cores.owners[1].handle_draining();
    cores.owners[1].handle_draining();
    assert!(!cores.sequencer.poll_end(true), "nobody has said that it refuses");
    let message = cores.next(0).unwrap();
    cores.sequencer.handle_message(message);
    assert!(!cores.sequencer.poll_end(true), "one core may still submit");
    cores.deliver_all();
    assert!(!cores.sequencer.poll_end(true), "a request waits");
    let frames = cores.frames();
    assert_eq!(frames.len(), 1);
    assert!(!cores.sequencer.poll_end(true), "an answer waits");
    cores.sequencer.handle_log(frames[0].header().op, Room::Ready);
    while cores.sequencer.poll_release(|_| ()).is_some() {}
    assert!(!cores.sequencer.poll_end(false), "its own connections have something to send");
    assert!(!cores.owners[1].is_over());
    assert!(cores.sequencer.poll_end(true));
    assert_eq!(cores.deliver_all().len(), 1, "the answer comes before the end");
    assert!(cores.owners.iter().all(Owner::is_over));
}

#[test]
fn reads_of_a_connection_that_is_gone_are_given_up_wherever_they_are() {
    let mut cores = Cores::new();
    cores.sequencer.handle_submission(submission(0, 1, accounts(1, 1)));
    let frames = cores.frames();
    let read = submission(2, 2, Request::LookupAccounts(vec![1]));
    let gone = read.source;
    cores.post.send(0, Message::Submit(read));
    cores.post.send(0, Message::Gone(gone));
    assert!(cores.deliver_all().is_empty());
    assert!(cores.frames().is_empty());
    cores.sequencer.handle_log(frames[0].header().op, Room::Ready);
    let released: Vec<_> = std::iter::from_fn(|| cores.sequencer.poll_release(|_| ())).collect();
    assert!(matches!(released[0], Released::Gone(source) if source == gone), "{released:?}");
    assert!(matches!(&released[1], Released::Own(delivery) if delivery.to.correlation == 1));
    assert_eq!(released.len(), 2, "nobody answers whoever is gone: {released:?}");
}
