//! One connection: bytes in, requests out; answers in, bytes out.
//!
//! A reader task and a writer task share it, both living as long as the connection, neither ever
//! cancelled: the sweep and the server end them by shutting the socket down. Small requests are
//! cut out of the core's one receive buffer; a large body is read straight into the vector that
//! its request owns.
//!
//! The end of a connection has a deadline, too. After an error of its own making the server sends
//! it, says that nothing more comes, and reads on without listening until the peer goes: closing
//! at once would destroy the error on its way. A peer that only ends its own side still gets the
//! answers to what it has asked.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::core::Core;
use super::credit::{Credit, reply_bytes_max};
use crate::engine::{Source, Submission};
use crate::io::Socket;
use crate::ledger::Op;
use crate::wire::{
    BodyBuffer, ErrorCode, HEADER_BYTES, Header, Hello, Kind, Reply, ReplyTo, Request,
    RequestError, encode_error, encode_reply,
};

/// Bodies up to this size are taken from the shared receive buffer.
const SMALL_BODY_BYTES_MAX: usize = 32 * 1024;

/// Size of the shared receive buffer of a core: a small frame always fits in twice.
pub(super) const RECEIVE_BYTES: usize = 128 * 1024;

/// Nothing more is taken from a client that has, or has asked for, so much that it hasn't read.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Memory that a connection keeps for its next answers.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A connection that a core serves.
pub(super) struct Connection {
    pub(super) slot: u32,
    pub(super) generation: u32,
    socket: RefCell<Socket>,
    unsent: RefCell<Vec<u8>>,
    /// What the writer has taken out of `unsent` and not yet sent.
    sending_bytes: Cell<usize>,
    writer: Cell<Option<Waker>>,
    reader: Cell<Option<Waker>>,
    credit: RefCell<Credit>,
    /// What the hello agreed on; none before it.
    records_max: Cell<Option<u32>>,
    /// The rest of a frame, a hello, or the end of a connection that is closing must be here by
    /// then; 0 when nothing is awaited.
    deadline_ns: Cell<u64>,
    /// Whole frames are here, but there is no room for their answers yet.
    stalled: Cell<bool>,
    /// No more requests are served.
    closing: Cell<bool>,
    /// An error ended it: nothing follows that.
    failed: Cell<bool>,
    /// Nothing more is sent.
    closed: Cell<bool>,
    /// Tasks that still hold it.
    tasks: Cell<u8>,
}

/// What a pass over received bytes ends with.
enum Received {
    /// All whole frames were served; the rest waits for more bytes.
    Served,
    /// The body of this frame is large; that much of it has arrived.
    Large(Header, Vec<u8>),
    /// The connection ends.
    Closed,
}

impl Connection {
    pub(super) fn new(slot: u32, generation: u32, socket: Socket, deadline_ns: u64) -> Self {
        Self {
            slot,
            generation,
            socket: RefCell::new(socket),
            unsent: RefCell::new(Vec::new()),
            sending_bytes: Cell::new(0),
            writer: Cell::new(None),
            reader: Cell::new(None),
            credit: RefCell::new(Credit::default()),
            records_max: Cell::new(None),
            deadline_ns: Cell::new(deadline_ns),
            stalled: Cell::new(false),
            closing: Cell::new(false),
            failed: Cell::new(false),
            closed: Cell::new(false),
            tasks: Cell::new(2),
        }
    }

    /// Ends the connection if it has kept the server waiting for too long.
    pub(super) fn sweep(&self, now_ns: u64, core: &Core) {
        let deadline = self.deadline_ns.get();
        if deadline == 0 || now_ns < deadline {
            return;
        }
        if self.closing.get() {
            self.socket.borrow().shut_down();
        } else {
            core.count(|counters| &counters.connections_too_slow);
            self.fail(core, ErrorCode::TooSlow.into());
        }
    }

    /// Whether answers wait to be sent or to be made.
    pub(super) fn is_busy(&self) -> bool {
        !self.closed.get() && (self.credit.borrow().used() > 0 || self.unsent_bytes() > 0)
    }

    /// Notes that one of its two tasks has ended. Whether it was the last.
    pub(super) fn is_left(&self) -> bool {
        self.tasks.set(self.tasks.get() - 1);
        self.tasks.get() == 0
    }

    fn unsent_bytes(&self) -> usize {
        self.unsent.borrow().len() + self.sending_bytes.get()
    }

    fn has_room(&self) -> bool {
        self.unsent_bytes() + self.credit.borrow().promised_bytes() < UNSENT_BYTES_MAX
    }

    /// Queues the answer to a request.
    pub(super) fn answer(&self, ticket: u64, op: Op, epoch: u64, reply: &Reply) {
        let correlation = self.credit.borrow_mut().give_back(ticket);
        if !self.closed.get() && !self.failed.get() {
            encode_reply(ReplyTo { correlation, op, epoch }, reply, &mut self.unsent.borrow_mut());
        }
        self.wake(&self.writer);
        self.wake(&self.reader);
    }

    fn wake(&self, who: &Cell<Option<Waker>>) {
        if let Some(waker) = who.take() {
            waker.wake();
        }
    }

    /// Refuses one request; the connection lives on.
    fn refuse(&self, core: &Core, correlation: u64, error: &RequestError) {
        let to = ReplyTo { correlation, op: core.committed(), epoch: core.epoch() };
        encode_error(to, error, &mut self.unsent.borrow_mut());
        self.wake(&self.writer);
        core.count(|counters| &counters.requests_refused);
    }

    /// Says what is wrong with the connection and ends it once that is sent.
    fn fail(&self, core: &Core, error: RequestError) {
        tracing::debug!(%error, "closing a connection");
        self.refuse(core, 0, &error);
        self.failed.set(true);
        self.close(core);
    }

    /// Nothing more is served. Whatever is still to be sent has to go soon.
    fn close(&self, core: &Core) {
        if !self.closing.replace(true) {
            self.deadline_ns.set(core.frame_deadline_ns());
        }
        self.wake(&self.writer);
        self.wake(&self.reader);
    }

    /// Reads and serves until the connection ends.
    pub(super) async fn read(&self, core: &Core) {
        let mut rest = Vec::new();
        while !self.closing.get() {
            self.wait_for_room(core).await;
            let awaited = !rest.is_empty() || self.records_max.get().is_none();
            self.await_until(if awaited { core.frame_deadline_ns() } else { 0 });
            let received = if self.stalled.take() {
                self.serve_stalled(core, &mut rest)
            } else {
                self.receive(core, &mut rest).await
            };
            match received {
                Received::Served => {}
                Received::Large(header, start) => {
                    if !self.receive_large(core, &header, &start).await {
                        break;
                    }
                }
                Received::Closed => break,
            }
            core.yield_now().await;
        }
        self.close(core);
        if self.failed.get() {
            self.ignore_the_rest(core).await;
        }
    }

    /// Returns when there is room for another answer here, and for another request on this node.
    /// The time until then is not the client's.
    async fn wait_for_room(&self, core: &Core) {
        if self.has_room() && core.has_room() {
            return;
        }
        self.await_until(0);
        poll_fn(|context| {
            if self.has_room() || self.closing.get() {
                return Poll::Ready(());
            }
            self.reader.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        core.wait_for_room().await;
    }

    /// Reads without listening until the peer goes or the deadline of closing has passed.
    async fn ignore_the_rest(&self, core: &Core) {
        loop {
            let read = poll_fn(|context| {
                let mut socket = self.socket.borrow_mut();
                socket.poll_read(context, &mut core.receive_buffer()[..])
            });
            if matches!(read.await, Ok(0) | Err(_)) {
                return;
            }
            core.yield_now().await;
        }
    }

    /// Reads once and serves all whole frames. `rest` is the beginning of a frame from before.
    async fn receive(&self, core: &Core, rest: &mut Vec<u8>) -> Received {
        poll_fn(|context| {
            let mut buffer = core.receive_buffer();
            buffer[..rest.len()].copy_from_slice(rest);
            let read = self.socket.borrow_mut().poll_read(context, &mut buffer[rest.len()..]);
            let read = match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Received::Closed),
                Poll::Ready(Ok(read)) => read,
            };
            let length = rest.len() + read;
            rest.clear();
            let (used, received) = self.serve_all(core, &buffer[..length]);
            rest.extend_from_slice(&buffer[used..length]);
            Poll::Ready(received)
        })
        .await
    }

    /// Goes on with what was received before there was room.
    fn serve_stalled(&self, core: &Core, rest: &mut Vec<u8>) -> Received {
        let bytes = std::mem::take(rest);
        let (used, received) = self.serve_all(core, &bytes);
        rest.extend_from_slice(&bytes[used..]);
        received
    }

    /// A running deadline stays as it is: each new byte must not buy more time.
    fn await_until(&self, deadline_ns: u64) {
        if !self.closing.get() && (deadline_ns == 0 || self.deadline_ns.get() == 0) {
            self.deadline_ns.set(deadline_ns);
        }
    }

    /// Serves the whole frames at the start of `bytes`. Gives how many bytes are used up.
    fn serve_all(&self, core: &Core, bytes: &[u8]) -> (usize, Received) {
        let mut used = 0;
        if self.closing.get() {
            return (bytes.len(), Received::Closed);
        }
        while let Some(head) = bytes[used..].first_chunk::<HEADER_BYTES>() {
            if !self.has_room() {
                self.stalled.set(true);
                break;
            }
            let header = match Header::parse(head) {
                Ok(header) => header,
                Err(error) => {
                    self.fail(core, error.into());
                    return (bytes.len(), Received::Closed);
                }
            };
            let body = used + HEADER_BYTES;
            let whole = bytes.get(body..body + header.body_len());
            if whole.is_none()
                && header.body_len() > SMALL_BODY_BYTES_MAX
                && self.records_max.get().is_some()
            {
                return (bytes.len(), Received::Large(header, bytes[body..].to_vec()));
            } else if self.records_max.get().is_none() && header.body_len() > SMALL_BODY_BYTES_MAX {
                self.fail(core, ErrorCode::HelloExpected.into());
                return (bytes.len(), Received::Closed);
            } else if let Some(whole) = whole {
                used = body + whole.len();
                if self.records_max.get().is_none() {
                    self.greet(core, &header, whole);
                } else {
                    self.serve(core, &header, Request::decode(&header, whole));
                }
            } else {
                break;
            }
            if self.closing.get() {
                return (bytes.len(), Received::Closed);
            }
            // What came until now was in time.
            self.deadline_ns.set(0);
        }
        (used, Received::Served)
    }

    /// Reads the rest of a large body into its place. Whether the connection lives on.
    async fn receive_large(&self, core: &Core, header: &Header, start: &[u8]) -> bool {
        let _permit = core.permit_large_body().await;
        self.deadline_ns.set(core.frame_deadline_ns());
        let mut body = BodyBuffer::for_header(header);
        body.as_mut_bytes()[..start.len()].copy_from_slice(start);
        let mut filled = start.len();
        while filled < header.body_len() {
            let read = poll_fn(|context| {
                let mut socket = self.socket.borrow_mut();
                socket.poll_read(context, &mut body.as_mut_bytes()[filled..])
            })
            .await;
            match read {
                Ok(0) | Err(_) => return false,
                Ok(_) if self.closing.get() => return false,
                Ok(read) => filled += read,
            }
        }
        self.deadline_ns.set(0);
        self.serve(core, header, body.into_request(header));
        !self.closing.get()
    }

    fn greet(&self, core: &Core, header: &Header, body: &[u8]) {
        let greeting = Hello::decode(header, body)
            .and_then(|hello| Ok((hello.accept(&core.limits())?, hello.records_max())));
        match greeting {
            Ok((reply, records_max)) => {
                self.records_max.set(Some(records_max));
                let to = ReplyTo {
                    correlation: header.correlation,
                    op: core.committed(),
                    epoch: core.epoch(),
                };
                reply.encode(to, &mut self.unsent.borrow_mut());
                self.wake(&self.writer);
            }
            Err(error) => self.fail(core, error),
        }
    }

    fn serve(&self, core: &Core, header: &Header, request: Result<Request, RequestError>) {
        let correlation = header.correlation;
        let request = match request {
            Ok(request) => request,
            Err(error) if error.closes() => return self.fail(core, error),
            Err(_) if header.kind() == Some(Kind::Hello) => {
                return self.fail(core, ErrorCode::HelloRepeated.into());
            }
            Err(error) => return self.refuse(core, correlation, &error),
        };
        let request = match self.admit(core, request) {
            Ok(request) => request,
            Err(error) => return self.refuse(core, correlation, &error),
        };
        let ticket = self.credit.borrow_mut().take(correlation, reply_bytes_max(&request));
        let source = Source {
            core: core.index(),
            slot: self.slot,
            generation: self.generation,
            correlation: ticket,
        };
        core.submit(Submission { source, request });
    }

    /// Whether the request can be taken at all.
    fn admit(&self, core: &Core, mut request: Request) -> Result<Request, RequestError> {
        if core.is_draining() {
            return Err(RequestError::new(ErrorCode::ShuttingDown).retry_after_ms(1_000));
        }
        if self.credit.borrow().used() >= core.limits().in_flight_max as usize {
            return Err(ErrorCode::CreditExceeded.into());
        }
        if request.is_write() && core.is_log_full() {
            let error = RequestError::new(ErrorCode::CapacityExceeded);
            return Err(error.with_detail(super::sequencer::LOG_FULL));
        }
        let records_max = self.records_max.get().unwrap_or(0);
        match &mut request {
            Request::LookupAccounts(ids) | Request::LookupTransfers(ids)
                if ids.len() > records_max as usize =>
            {
                return Err(ErrorCode::ReplyTooLarge.into());
            }
            Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
                filter.limit = filter.limit.min(records_max);
            }
            Request::QueryAccounts(filter) => filter.limit = filter.limit.min(records_max),
            Request::QueryTransfers(filter) => filter.limit = filter.limit.min(records_max),
            _ => {}
        }
        Ok(request)
    }

    /// Sends what there is to send until the connection ends.
    pub(super) async fn write(&self, core: &Core) {
        let mut sending = Vec::new();
        while self.wait_for_answers().await {
            std::mem::swap(&mut sending, &mut *self.unsent.borrow_mut());
            if !self.send(&sending).await {
                self.socket.borrow().shut_down();
                break;
            }
            sending.clear();
            sending.shrink_to(KEPT_BYTES_MAX);
            self.wake(&self.reader);
        }
        self.sending_bytes.set(0);
        self.closed.set(true);
        self.socket.borrow().end_writing();
        self.close(core);
    }

    /// Whether there is anything more to send.
    async fn wait_for_answers(&self) -> bool {
        poll_fn(|context| {
            if !self.unsent.borrow().is_empty() {
                return Poll::Ready(true);
            }
            let answered = self.failed.get() || self.credit.borrow().used() == 0;
            if self.closing.get() && answered {
                return Poll::Ready(false);
            }
            self.writer.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// Whether all of it was sent.
    async fn send(&self, bytes: &[u8]) -> bool {
        let mut sent = 0;
        while sent < bytes.len() {
            self.sending_bytes.set(bytes.len() - sent);
            let written =
                poll_fn(|context| self.socket.borrow_mut().poll_write(context, &bytes[sent..]))
                    .await;
            match written {
                Ok(0) | Err(_) => return false,
                Ok(written) => sent += written,
            }
        }
        self.sending_bytes.set(0);
        true
    }
}
