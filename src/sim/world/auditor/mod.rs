//! The auditor: it follows the log frame by frame, runs the slow model beside it, and holds every
//! answer, every surviving byte and every verdict of a client against that.
//!
//! It learns the order of things from the frames as they go to the disk, decodes them on its own,
//! and lets the model decide again what the engine says it has decided. It promises to notice an
//! answer that differs, one that came before its op was durable, and an answered op that a restart
//! lost, changed or doubled. It never asks the engine what is right.

mod answers;
mod frames;

use std::collections::VecDeque;

pub(super) use answers::still_true;

use crate::io::memory::MemoryStorage;
use crate::io::to_usize;
use crate::ledger::model::Model;
use crate::ledger::{Capacity, Op};
use crate::log::{
    ChainValue, FrameBuf, FrameKind, FrameView, LogIdentity, LogReader, Position, segment_name,
};
use crate::sim::coverage::Coverage;
use crate::wire::{Reply, Request};

/// What is wrong, for people.
pub(super) type Wrong = String;

/// A frame that went to the disk and isn't known to be durable.
struct Written {
    op: Op,
    chain: ChainValue,
    position: Position,
    bytes: FrameBuf,
}

/// See the module's documentation.
pub(super) struct Auditor {
    identity: LogIdentity,
    model: Model,
    /// The chain value after each frame that the model has taken in, from op 1 on.
    taken: Vec<ChainValue>,
    written: VecDeque<Written>,
    /// Writes that the running server took in and that no frame holds yet.
    submitted: Vec<(u64, Request)>,
    /// The answers of the op that was taken in last, in order.
    expected: VecDeque<(Request, Reply)>,
    last_release: Op,
    pub(super) coverage: Coverage,
    pub(super) answers_checked: u64,
}

/// What a restart left of the frames that nobody was told of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survived {
    /// Frames that survived although nobody was told of them.
    pub(super) unasked: u64,
    /// Frames that were lost.
    pub(super) lost: u64,
}

impl Auditor {
    pub(super) fn new(identity: LogIdentity, capacity: Capacity) -> Self {
        Self {
            identity,
            model: Model::new().with_capacity(capacity),
            taken: Vec::new(),
            written: VecDeque::new(),
            submitted: Vec::new(),
            expected: VecDeque::new(),
            last_release: Op(0),
            coverage: Coverage::default(),
            answers_checked: 0,
        }
    }

    /// The state after the last op that was taken in.
    pub(super) const fn model(&self) -> &Model {
        &self.model
    }

    /// The last op that the model has taken in.
    pub(super) const fn op(&self) -> Op {
        Op(self.taken.len() as u64)
    }

    /// The server handed this write to the engine.
    pub(super) fn note_submitted(&mut self, correlation: u64, request: &Request) {
        if request.is_write() && request.events() > 0 {
            self.submitted.push((correlation, request.clone()));
        }
    }

    /// Frames go to the disk, one behind the other.
    pub(super) fn note_written(&mut self, position: Position, bytes: &[u8]) -> Result<(), Wrong> {
        let mut at = 0;
        while at < bytes.len() {
            let mut copy = FrameBuf::new();
            copy.resize(bytes.len() - at);
            copy.bytes_mut().copy_from_slice(&bytes[at..]);
            let position = position.plus(at as u64);
            let view = FrameView::parse(self.identity.cluster, position, copy.bytes())
                .map_err(|error| format!("the writer writes no frame at {position}: {error}"))?;
            let header = *view.header();
            let next = self.written.back().map_or(self.op(), |last| last.op).next();
            if header.op != next {
                return Err(format!("op {} is written where {} is next", header.op.0, next.0));
            }
            for request in frames::requests_of(&view)? {
                let found = self.submitted.iter().position(|(_, sent)| *sent == request);
                match found {
                    Some(index) => drop(self.submitted.swap_remove(index)),
                    None => {
                        return Err(format!(
                            "op {} holds a request that nobody sent: {request:?}",
                            header.op.0
                        ));
                    }
                }
            }
            let chain = view.chain();
            let mut bytes = FrameBuf::new();
            bytes.resize(view.bytes().len());
            bytes.bytes_mut().copy_from_slice(view.bytes());
            at += to_usize(header.frame_bytes);
            self.written.push_back(Written { op: header.op, chain, position, bytes });
        }
        Ok(())
    }

    /// A write that the server had taken in gets the answer that there is no room. It must not be on
    /// its way to the log, and never will be.
    pub(super) fn note_refused(
        &mut self,
        op: Op,
        correlation: u64,
        disk: &MemoryStorage,
    ) -> Result<(), Wrong> {
        self.advance(op, disk)?;
        match self.submitted.iter().position(|(sent, _)| *sent == correlation) {
            Some(index) => drop(self.submitted.swap_remove(index)),
            None => return Err(format!("call {correlation} is refused, and stands in the log")),
        }
        Ok(())
    }

    /// The server lets an answer go. Gives the right one, where there is only one.
    pub(super) fn expect(
        &mut self,
        op: Op,
        request: &Request,
        disk: &MemoryStorage,
    ) -> Result<Option<Reply>, Wrong> {
        self.advance(op, disk)?;
        if !request.is_write() {
            return Ok(answers::read(&mut self.model, request));
        }
        if request.events() == 0 {
            return Ok(Some(answers::nothing(request)));
        }
        match self.expected.pop_front() {
            Some((asked, reply)) if asked == *request => Ok(Some(reply)),
            other => Err(format!(
                "op {} is answered to {request:?}, but its next answer belongs to {other:?}",
                op.0
            )),
        }
    }

    /// Takes in all frames up to the op that an answer names: each must be durable by now.
    fn advance(&mut self, op: Op, disk: &MemoryStorage) -> Result<(), Wrong> {
        if op < self.last_release {
            let last = self.last_release.0;
            return Err(format!("an answer names op {} after one named op {last}", op.0));
        }
        while self.op() < op {
            if let Some((request, _)) = self.expected.front() {
                return Err(format!("op {} was never answered: {request:?}", self.op().0));
            }
            let Some(written) = self.written.pop_front() else {
                return Err(format!("op {} is answered and was never written", op.0));
            };
            self.check_durable(written.position, written.bytes.bytes(), disk).map_err(|wrong| {
                format!("op {} is answered before it is durable: {wrong}", written.op.0)
            })?;
            self.take_in(&written)?;
        }
        self.last_release = op;
        self.answers_checked += 1;
        Ok(())
    }

    /// The server has started on this disk: what is there must be what was there, without a gap, up
    /// to the last op that was answered at least, and must not get lost any more.
    pub(super) fn survived(&mut self, disk: &MemoryStorage) -> Result<Survived, Wrong> {
        let mut found = Survived::default();
        let mut reader = LogReader::open(disk.clone(), self.identity).map_err(|e| e.to_string())?;
        let mut op = Op(0);
        while let Some(frame) = reader.next_frame().map_err(|error| error.to_string())? {
            op = frame.header().op;
            let (chain, position) = (frame.chain(), frame.header().position);
            self.check_durable(position, frame.bytes(), disk)
                .map_err(|wrong| format!("op {} was recovered, not made durable: {wrong}", op.0))?;
            if let Some(taken) = self.taken.get(to_usize(op.0 - 1)) {
                if *taken != chain {
                    return Err(format!("op {} is not what was answered", op.0));
                }
                continue;
            }
            match self.written.pop_front() {
                Some(written) if written.chain == chain => {
                    found.unasked += 1;
                    self.take_in(&written)?;
                }
                lost => {
                    if !matches!(frame.header().kind, FrameKind::Genesis | FrameKind::Epoch) {
                        return Err(format!("op {} is a frame that nobody wrote", op.0));
                    }
                    found.lost += u64::from(lost.is_some()) + self.written.len() as u64;
                    self.written.clear();
                    self.taken.push(chain);
                }
            }
        }
        found.lost += self.written.len() as u64;
        self.written.clear();
        self.submitted.clear();
        self.expected.clear();
        if op < self.op() {
            let answered = self.last_release.0;
            return Err(format!("the log ends at op {}, op {answered} was answered", op.0));
        }
        Ok(found)
    }

    /// Whether these bytes of the log would survive a power cut now.
    fn check_durable(
        &self,
        position: Position,
        bytes: &[u8],
        disk: &MemoryStorage,
    ) -> Result<(), Wrong> {
        let layout = self.identity.layout;
        let name = segment_name(layout.segment_of(position));
        let length = bytes.len();
        let durable = disk.durable_bytes(&name, layout.offset_in_segment(position), length);
        if durable == bytes {
            return Ok(());
        }
        Err(format!("{length} bytes at {position} of {name} would not survive a power cut"))
    }
}
