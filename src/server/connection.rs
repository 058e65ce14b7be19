//! One connection: bytes in, requests out; answers in, bytes out.
//!
//! A reader task and a writer task share it, both living as long as the connection, neither ever
//! cancelled: the sweep and the server end them by shutting the socket down. Small requests are
//! cut out of the core's one receive buffer; a large body is read straight into the vector that
//! its request owns.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::core::Core;
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

/// No more is read from a client that leaves so many answers unread.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Memory that a connection keeps for its next answers.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A connection that a core serves.
pub(super) struct Connection {
    pub(super) slot: u32,
    pub(super) generation: u32,
    socket: RefCell<Socket>,
    unsent: RefCell<Vec<u8>>,
    writer: Cell<Option<Waker>>,
    reader: Cell<Option<Waker>>,
    in_flight: Cell<u32>,
    /// What the hello agreed on; none before it.
    records_max: Cell<Option<u32>>,
    /// The rest of a frame, or a hello, must be here by then; 0 when nothing is awaited.
    deadline_ns: Cell<u64>,
    closing: Cell<bool>,
    closed: Cell<bool>,
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
            writer: Cell::new(None),
            reader: Cell::new(None),
            in_flight: Cell::new(0),
            records_max: Cell::new(None),
            deadline_ns: Cell::new(deadline_ns),
            closing: Cell::new(false),
            closed: Cell::new(false),
        }
    }

    /// Ends the connection if it has kept the server waiting for too long.
    pub(super) fn sweep(&self, now_ns: u64, core: &Core) {
        let deadline = self.deadline_ns.get();
        if deadline != 0 && now_ns >= deadline && !self.closing.get() {
            core.count(|counters| &counters.connections_too_slow);
            self.fail(core, ErrorCode::TooSlow.into());
            // Whoever does not send does not read either: don't wait for it.
            self.socket.borrow().shut_down();
        }
    }

    /// Whether answers wait to be sent or to be made.
    pub(super) fn is_busy(&self) -> bool {
        !self.closed.get() && (self.in_flight.get() > 0 || !self.unsent.borrow().is_empty())
    }

    /// Queues the answer to a request.
    pub(super) fn answer(&self, correlation: u64, op: Op, epoch: u64, reply: &Reply) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        if self.closed.get() {
            return;
        }
        encode_reply(ReplyTo { correlation, op, epoch }, reply, &mut self.unsent.borrow_mut());
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
        self.closing.set(true);
        self.wake(&self.writer);
    }

    /// Reads and serves until the connection ends.
    pub(super) async fn read(self: Rc<Self>, core: Rc<Core>) {
        let mut rest = Vec::new();
        while !self.closing.get() {
            self.wait_for_room().await;
            core.wait_for_room().await;
            match self.receive(&core, &mut rest).await {
                Received::Served => {}
                Received::Large(header, start) => {
                    if !self.receive_large(&core, &header, &start).await {
                        break;
                    }
                }
                Received::Closed => break,
            }
            core.yield_now().await;
        }
        self.closing.set(true);
        self.wake(&self.writer);
    }

    async fn wait_for_room(&self) {
        poll_fn(|context| {
            if self.unsent.borrow().len() < UNSENT_BYTES_MAX || self.closing.get() {
                return Poll::Ready(());
            }
            self.reader.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
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
            let awaited = !rest.is_empty() || self.records_max.get().is_none();
            self.await_until(if awaited { core.frame_deadline_ns() } else { 0 });
            Poll::Ready(received)
        })
        .await
    }

    /// A running deadline stays as it is: each new byte must not buy more time.
    fn await_until(&self, deadline_ns: u64) {
        if deadline_ns == 0 || self.deadline_ns.get() == 0 {
            self.deadline_ns.set(deadline_ns);
        }
    }

    /// Serves the whole frames at the start of `bytes`. Gives how many bytes are used up.
    fn serve_all(&self, core: &Core, bytes: &[u8]) -> (usize, Received) {
        let mut used = 0;
        while let Some(head) = bytes[used..].first_chunk::<HEADER_BYTES>() {
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
            // What came until now was in time.
            self.deadline_ns.set(0);
            if self.closing.get() {
                return (bytes.len(), Received::Closed);
            }
        }
        (used, Received::Served)
    }

    /// Reads the rest of a large body into its place. Whether the connection lives on.
    async fn receive_large(&self, core: &Core, header: &Header, start: &[u8]) -> bool {
        self.await_until(core.frame_deadline_ns());
        let _permit = core.permit_large_body().await;
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
        self.in_flight.set(self.in_flight.get() + 1);
        let source = Source {
            core: core.index(),
            slot: self.slot,
            generation: self.generation,
            correlation,
        };
        core.submit(Submission { source, request });
    }

    /// Whether the request can be taken at all.
    fn admit(&self, core: &Core, mut request: Request) -> Result<Request, RequestError> {
        if core.is_draining() {
            return Err(RequestError::new(ErrorCode::ShuttingDown).retry_after_ms(1_000));
        }
        if self.in_flight.get() >= core.limits().in_flight_max {
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
    pub(super) async fn write(self: Rc<Self>) {
        let mut sending = Vec::new();
        loop {
            let more = poll_fn(|context| {
                if !self.unsent.borrow().is_empty() {
                    return Poll::Ready(true);
                }
                if self.closing.get() {
                    return Poll::Ready(false);
                }
                self.writer.set(Some(context.waker().clone()));
                Poll::Pending
            })
            .await;
            if !more {
                break;
            }
            std::mem::swap(&mut sending, &mut *self.unsent.borrow_mut());
            if !self.send(&sending).await {
                break;
            }
            sending.clear();
            sending.shrink_to(KEPT_BYTES_MAX);
            self.wake(&self.reader);
        }
        self.closing.set(true);
        self.closed.set(true);
        self.wake(&self.reader);
        self.socket.borrow().shut_down();
    }

    /// Whether all of it was sent.
    async fn send(&self, bytes: &[u8]) -> bool {
        let mut sent = 0;
        while sent < bytes.len() {
            let written =
                poll_fn(|context| self.socket.borrow_mut().poll_write(context, &bytes[sent..]))
                    .await;
            match written {
                Ok(0) | Err(_) => return false,
                Ok(written) => sent += written,
            }
        }
        true
    }
}
