//! One connection of the load: slots for requests in flight, each with its own frame buffer.
//!
//! Promises that a reply is taken only for a request that waits for one, and only once. Generic
//! over the stream, which must not block. A frame is built where it is sent from, and a reply is
//! read where it was received.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};

use super::LoadError;
use super::journal::RESULT_BYTES;
use super::workload::{RequestNumber, TRANSFER_BYTES};
use crate::io::{Clock, to_u64, to_usize};
use crate::limits::EVENTS_PER_REQUEST_MAX;
use crate::wire::{
    FRAME_BODY_BYTES_MAX, FrameFields, HEADER_BYTES, Header, Kind, Reply, RequestError, seal_frame,
};

/// Requests in flight on one connection, at most: the slot is part of the correlation.
pub(crate) const SLOTS_MAX: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;
/// Frames handed to one write.
const FRAMES_PER_WRITE: usize = 16;
/// Bytes asked of one read.
const READ_BYTES: usize = 256 * 1024;
/// Room for a read behind the longest unfinished frame.
pub(crate) const SCRATCH_BYTES: usize = READ_BYTES + HEADER_BYTES + FRAME_BODY_BYTES_MAX as usize;

/// One request in flight.
#[derive(Debug)]
struct Slot {
    frame: Vec<u8>,
    frame_bytes: usize,
    request: RequestNumber,
    /// From when the request's latency counts.
    since_ns: u64,
    state: SlotState,
    /// A request of holds that this slot sent and nobody settled yet.
    holds: Option<RequestNumber>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotState {
    Free,
    /// Not written to the end.
    Queued,
    /// Written; the reply is due.
    Sent,
}

/// A request to build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRequest {
    pub(crate) number: RequestNumber,
    /// Transfers in it.
    pub(crate) events: u64,
    /// When it was due; none counts from when it is built.
    pub(crate) due_ns: Option<u64>,
}

/// A reply to a request.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) request: RequestNumber,
    pub(crate) latency_ns: u64,
    /// The results as they stand on the wire, or why there are none.
    pub(crate) results: Result<&'a [u8], RequestError>,
}

/// A connection after its hello.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// Slots whose frames wait to be written, the first perhaps in part.
    queue: VecDeque<usize>,
    written: usize,
    /// The beginning of a frame whose end hasn't arrived.
    partial: Vec<u8>,
    /// In the open loop: when the requests were due that found no free slot.
    pub(crate) waiting: VecDeque<u64>,
}

impl<S: Read + Write> Connection<S> {
    /// A connection that keeps up to `in_flight` requests of up to `batch` transfers in flight.
    pub(crate) fn new(stream: S, in_flight: usize, batch: usize) -> Self {
        assert!((1..=SLOTS_MAX).contains(&in_flight) && batch <= EVENTS_PER_REQUEST_MAX);
        let slot = || Slot {
            frame: vec![0; HEADER_BYTES + batch * TRANSFER_BYTES],
            frame_bytes: 0,
            request: RequestNumber(0),
            since_ns: 0,
            state: SlotState::Free,
            holds: None,
        };
        Self {
            stream,
            slots: std::iter::repeat_with(slot).take(in_flight).collect(),
            free: (0..in_flight).rev().collect(),
            queue: VecDeque::with_capacity(in_flight),
            written: 0,
            partial: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    pub(crate) const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(crate) fn has_free_slot(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether something waits to be written.
    pub(crate) fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Builds a request in a free slot and queues it. With `settling`, every second request of a
    /// slot settles the holds of the one before, which was answered: else the slot wasn't free.
    /// Returns the request whose holds this one settles.
    pub(crate) fn build(
        &mut self,
        new: NewRequest,
        settling: bool,
        clock: &dyn Clock,
        fill: impl FnOnce(Option<RequestNumber>, &mut [u8]),
    ) -> Option<RequestNumber> {
        let at = self.free.pop()?;
        let slot = &mut self.slots[at];
        let holds = slot.holds.take();
        if settling && holds.is_none() {
            slot.holds = Some(new.number);
        }
        slot.frame_bytes = HEADER_BYTES + to_usize(new.events) * TRANSFER_BYTES;
        let frame = &mut slot.frame[..slot.frame_bytes];
        fill(holds, &mut frame[HEADER_BYTES..]);
        let correlation = correlation_of(new.number, at);
        seal_frame(frame, 0, FrameFields::request(Kind::CreateTransfers, correlation));
        slot.request = new.number;
        slot.since_ns = new.due_ns.unwrap_or_else(|| clock.now().monotonic_ns);
        slot.state = SlotState::Queued;
        self.queue.push_back(at);
        holds
    }

    /// Writes what is queued, as far as the stream takes it.
    pub(crate) fn flush(&mut self) -> Result<(), LoadError> {
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut used = 0;
            for (slice, &at) in slices.iter_mut().zip(&self.queue) {
                let start = if used == 0 { self.written } else { 0 };
                let slot = &self.slots[at];
                *slice = IoSlice::new(&slot.frame[start..slot.frame_bytes]);
                used += 1;
            }
            match self.stream.write_vectored(&slices[..used]) {
                Ok(0) => return Err(LoadError::Closed),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(LoadError::io("sending")(error)),
            }
        }
        Ok(())
    }

    fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(&at) = self.queue.front() {
            let slot = &mut self.slots[at];
            if self.written < slot.frame_bytes {
                return;
            }
            self.written -= slot.frame_bytes;
            slot.state = SlotState::Sent;
            self.queue.pop_front();
        }
    }

    /// Reads until the stream has no more, and hands over every reply.
    pub(crate) fn receive(
        &mut self,
        scratch: &mut [u8],
        clock: &dyn Clock,
        on_reply: &mut impl FnMut(Answered<'_>),
    ) -> Result<(), LoadError> {
        loop {
            let kept = self.partial.len();
            scratch[..kept].copy_from_slice(&self.partial);
            let count = match self.stream.read(&mut scratch[kept..kept + READ_BYTES]) {
                Ok(0) => return Err(LoadError::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(LoadError::io("receiving")(error)),
            };
            let now_ns = clock.now().monotonic_ns;
            let bytes = &scratch[..kept + count];
            let used = self.take_frames(bytes, now_ns, on_reply)?;
            self.partial.clear();
            self.partial.extend_from_slice(&bytes[used..]);
            // A short read means that the stream is empty; the next bytes wake us again.
            if count < READ_BYTES {
                return Ok(());
            }
        }
    }

    /// Handles the whole frames at the beginning of `bytes`; answers how many bytes they take.
    fn take_frames(
        &mut self,
        bytes: &[u8],
        now_ns: u64,
        on_reply: &mut impl FnMut(Answered<'_>),
    ) -> Result<usize, LoadError> {
        let mut used = 0;
        while let Some(head) = bytes[used..].first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(head)?;
            let end = used + HEADER_BYTES + header.body_len();
            let Some(body) = bytes.get(used + HEADER_BYTES..end) else { break };
            header.check_body(body)?;
            on_reply(self.answer(&header, body, now_ns)?);
            used = end;
        }
        Ok(used)
    }

    /// Frees the slot of the request that a reply answers.
    fn answer<'a>(
        &mut self,
        header: &Header,
        body: &'a [u8],
        now_ns: u64,
    ) -> Result<Answered<'a>, LoadError> {
        let kind = header.check_reply()?;
        let at = slot_of(header.correlation);
        let slot = self.slots.get_mut(at).filter(|slot| {
            slot.state == SlotState::Sent && header.correlation == correlation_of(slot.request, at)
        });
        let results = match kind {
            Kind::CreateResults => Ok(body),
            Kind::Error => {
                let Reply::Error(error) = Reply::decode(header, body)? else {
                    return Err(LoadError::Answer("a reply of another kind"));
                };
                if error.closes() || slot.is_none() {
                    return Err(error.into());
                }
                Err(error)
            }
            _ => return Err(LoadError::Answer("a reply of another kind")),
        };
        let slot = slot.ok_or(LoadError::Answer("a reply to no request that waits for one"))?;
        let events = (slot.frame_bytes - HEADER_BYTES) / TRANSFER_BYTES;
        if results.as_ref().is_ok_and(|body| body.len() != events * RESULT_BYTES) {
            return Err(LoadError::Answer("more or fewer results than events"));
        }
        slot.state = SlotState::Free;
        self.free.push(at);
        let latency_ns = now_ns.saturating_sub(slot.since_ns);
        Ok(Answered { request: slot.request, latency_ns, results })
    }
}

fn correlation_of(request: RequestNumber, slot: usize) -> u64 {
    (request.0 + 1) << SLOT_BITS | to_u64(slot)
}

fn slot_of(correlation: u64) -> usize {
    to_usize(correlation & to_u64(SLOTS_MAX - 1))
}
