//! Connections against peers in memory: whatever the machine wants done on a socket is done on a
//! line, which holds it to the rules of sockets.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::engine::Submission;
use crate::ledger::Transfer;
use crate::wire::{HEADER_BYTES, Header, Hello, Kind, Limits, Request, encode_request};

mod ends;
mod frames;
mod memory;
mod room;

const SECOND_NS: u64 = 1_000_000_000;

/// The time that a client has in these tests.
const TIMEOUT_NS: u64 = 10 * SECOND_NS;

/// A connection as the transport and the peer see it.
#[derive(Debug, Default)]
struct Line {
    is_receiving: bool,
    filling: Option<(BodyBuffer, usize)>,
    sending: Option<(Vec<u8>, usize)>,
    is_cancelled: bool,
    ended_writing: bool,
    is_shut_down: bool,
    is_forgotten: bool,
    /// Sent by the peer, and not yet received.
    incoming: VecDeque<u8>,
    /// The peer has ended its side.
    peer_ended: bool,
    /// What the peer has read.
    read: Vec<u8>,
}

/// The machine and the lines of its connections.
struct Bench {
    machine: Connections,
    view: View,
    outbox: Outbox,
    lines: BTreeMap<u32, Line>,
    /// The most bytes that are received at once.
    chunk_bytes: usize,
}

/// An answer as the peer reads it.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Hello,
    Reply(u64, Reply),
}

fn view() -> View {
    View {
        now_ns: 5 * SECOND_NS,
        limits: Limits { cluster: 7, in_flight_max: 4, idle_seconds_max: 0 },
        committed: Op(41),
        epoch: 3,
        draining: false,
        writes_refused: None,
        has_room: true,
        client_ns_max: TIMEOUT_NS,
    }
}

fn bench() -> Bench {
    Bench::new(Bounds { answer_bytes: 8 << 20, large_bodies: 4 })
}

fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    Hello::new(7, "test").encode(1, &mut bytes);
    bytes
}

fn frame(correlation: u64, request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(correlation, request, &mut bytes);
    bytes
}

fn transfers(count: usize) -> Request {
    let transfer = |id| Transfer { id, ..bytemuck::Zeroable::zeroed() };
    Request::CreateTransfers((1..=count as u128).map(transfer).collect())
}

fn lookup(count: usize) -> Request {
    Request::LookupAccounts((1..=count as u128).collect())
}

impl Bench {
    fn new(bounds: Bounds) -> Self {
        Self {
            machine: Connections::new(2, bounds),
            view: view(),
            outbox: Outbox::default(),
            lines: BTreeMap::new(),
            chunk_bytes: 32 << 10,
        }
    }

    fn accept(&mut self) -> u32 {
        let slot = self.machine.handle_accepted(&self.view);
        let before = self.lines.insert(slot, Line::default());
        assert!(before.is_none_or(|line| line.is_forgotten), "slot {slot} is taken");
        self.settle();
        slot
    }

    /// Accepted, and the hello answered.
    fn greeted(&mut self) -> u32 {
        let slot = self.accept();
        self.send(slot, &hello());
        assert_eq!(self.hear(slot), [Said::Hello]);
        slot
    }

    fn line(&mut self, slot: u32) -> &mut Line {
        self.lines.get_mut(&slot).unwrap()
    }

    /// The peer sends something, and the machine gets as much of it as it wants.
    fn send(&mut self, slot: u32, bytes: &[u8]) {
        self.line(slot).incoming.extend(bytes);
        self.deliver(slot);
    }

    fn ask(&mut self, slot: u32, correlation: u64, request: &Request) {
        self.send(slot, &frame(correlation, request));
    }

    fn end(&mut self, slot: u32) {
        self.line(slot).peer_ended = true;
        self.deliver(slot);
    }

    /// Lets the machine receive what there is for as long as it wants any.
    fn deliver(&mut self, slot: u32) {
        loop {
            self.settle();
            let chunk_bytes = self.chunk_bytes;
            let line = self.lines.get_mut(&slot).unwrap();
            let is_over = line.peer_ended || line.is_shut_down;
            if line.is_receiving && (is_over || !line.incoming.is_empty()) {
                line.is_receiving = false;
                let count = chunk_bytes.min(line.incoming.len());
                let bytes: Vec<u8> = line.incoming.drain(..count).collect();
                let has_more = !line.incoming.is_empty();
                let Self { machine, view, outbox, .. } = self;
                machine.handle_received(slot, &bytes, has_more, view, outbox);
            } else if !self.fill(slot, is_over) {
                return;
            }
        }
    }

    /// Whether a body that is being filled is full, or ends.
    fn fill(&mut self, slot: u32, is_over: bool) -> bool {
        let Self { machine, view, outbox, lines, .. } = self;
        let line = lines.get_mut(&slot).unwrap();
        let Some((mut body, from)) = line.filling.take() else { return false };
        let room = &mut body.as_mut()[from..];
        if line.incoming.len() < room.len() && !is_over && !line.is_cancelled {
            line.filling = Some((body, from));
            return false;
        }
        let count = room.len().min(line.incoming.len());
        line.incoming.drain(..count).zip(room).for_each(|(byte, to)| *to = byte);
        line.is_cancelled = false;
        machine.handle_filled(slot, body, count, view, outbox);
        true
    }

    /// Ends the turn and does what is wanted, but for what takes the peer.
    fn settle(&mut self) {
        self.machine.settle(&self.view, &mut self.outbox);
        while let Some(action) = self.machine.poll_action() {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Receive { slot, .. } => {
                let line = self.line(slot);
                assert!(!line.is_receiving && line.filling.is_none(), "one receive at a time");
                line.is_receiving = true;
            }
            Action::Fill { slot, body, from } => {
                let line = self.line(slot);
                assert!(!line.is_receiving && line.filling.is_none(), "one receive at a time");
                line.filling = Some((body, from));
            }
            Action::Cancel { slot } => self.line(slot).is_cancelled = true,
            Action::Send { slot, bytes, from } => {
                let line = self.line(slot);
                assert!(line.sending.is_none(), "one send at a time");
                assert!(!line.ended_writing, "nothing follows the end");
                assert!(from < bytes.len(), "there is something to send");
                line.sending = Some((bytes, from));
            }
            Action::EndWriting { slot } => {
                let line = self.line(slot);
                assert!(line.sending.is_none(), "the end comes behind all that is sent");
                line.ended_writing = true;
            }
            Action::ShutDown { slot } => self.line(slot).is_shut_down = true,
            Action::Forget { slot } => {
                let line = self.line(slot);
                assert!(!line.is_forgotten, "a slot is given back once");
                let at_rest = !line.is_receiving && line.filling.is_none();
                assert!(at_rest && line.sending.is_none(), "the transport still works on it");
                line.is_forgotten = true;
            }
        }
    }

    /// Ends what is under way on a line that the machine has shut down.
    fn break_down(&mut self, slot: u32) {
        assert!(self.line(slot).is_shut_down);
        self.line(slot).incoming.clear();
        if let Some((bytes, _)) = self.line(slot).sending.take() {
            self.machine.handle_sent(slot, bytes, 0, &self.view, &mut self.outbox);
        }
        self.deliver(slot);
    }

    /// The peer reads up to so many bytes of what is being sent.
    fn read(&mut self, slot: u32, count: usize) -> bool {
        let line = self.lines.get_mut(&slot).unwrap();
        let Some((bytes, from)) = line.sending.take() else { return false };
        let count = count.min(bytes.len() - from);
        line.read.extend_from_slice(&bytes[from..from + count]);
        self.machine.handle_sent(slot, bytes, count, &self.view, &mut self.outbox);
        self.deliver(slot);
        true
    }

    /// Reads all that there is, and gives what has come whole.
    fn hear(&mut self, slot: u32) -> Vec<Said> {
        while self.read(slot, usize::MAX) {}
        let mut said = Vec::new();
        let read = &mut self.line(slot).read;
        while let Some(head) = read.first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(head).unwrap();
            let end = HEADER_BYTES + header.body_len();
            let Some(body) = read.get(HEADER_BYTES..end) else { break };
            header.check_body(body).unwrap();
            said.push(match header.kind() {
                Some(Kind::HelloReply) => Said::Hello,
                _ => Said::Reply(header.correlation, Reply::decode(&header, body).unwrap()),
            });
            read.drain(..end);
        }
        said
    }

    fn submissions(&mut self) -> Vec<Submission> {
        std::mem::take(&mut self.outbox.submissions)
    }

    fn answer(&mut self, to: &Source, reply: &Reply) -> Option<u64> {
        let Self { machine, view, outbox, .. } = self;
        let taken_ns = machine.handle_answer(to, Op(42), reply, view, outbox);
        self.settle();
        taken_ns
    }

    /// Time passes, and the machine looks for those that are late.
    fn pass(&mut self, ns: u64) {
        self.view.now_ns += ns;
        self.machine.handle_tick(&self.view, &mut self.outbox);
        let slots: Vec<u32> = self.lines.keys().copied().collect();
        for slot in slots {
            if !self.lines[&slot].is_forgotten {
                self.deliver(slot);
            }
        }
    }

    /// The code and correlation of the only thing that the peer is told.
    fn expect_error(&mut self, slot: u32) -> (crate::wire::ErrorCode, u64) {
        match self.hear(slot).as_slice() {
            [Said::Reply(correlation, Reply::Error(error))] => {
                (error.code().unwrap(), *correlation)
            }
            other => panic!("{other:?}"),
        }
    }
}
