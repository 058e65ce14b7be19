//! One connection: bytes in, requests out; answers in, bytes out.
//!
//! A machine that is told what has happened on its socket and asked what to do next; it makes no
//! system call but to end. Small requests are cut out of what was received; a large body is
//! received straight into the vector that its request owns.
//!
//! The end of a connection has a deadline, too. After an error of its own making the server sends
//! it, says that nothing more comes, and reads on without listening until the peer goes: closing
//! at once would destroy the error on its way. A peer that only ends its own side still gets the
//! answers to what it has asked.

use super::credit::{Credit, reply_bytes_max};
use super::site::Site;
use crate::engine::{Source, Submission};
use crate::io::{SocketHandle, end_writing, shut_down};
use crate::ledger::Op;
use crate::wire::{
    BodyBuffer, ErrorCode, HEADER_BYTES, Header, Hello, Kind, Reply, ReplyTo, Request,
    RequestError, encode_error, encode_reply,
};

/// Bodies up to this size are put together from what is received anyway.
const SMALL_BODY_BYTES_MAX: usize = 32 * 1024;

/// Nothing more is taken from a client that has, or has asked for, so much that it hasn't read.
const UNSENT_BYTES_MAX: usize = 4 << 20;

/// Memory that a connection keeps for its next answers.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A connection that a core serves.
pub(super) struct Connection {
    pub(super) slot: u32,
    pub(super) generation: u32,
    /// Whether it is among those to be settled this turn.
    pub(super) marked: bool,
    /// Whether a receive is with the kernel.
    pub(super) receiving: bool,
    socket: SocketHandle,
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// A frame whose body is large, and as much of the body as has come with the header.
    large: Option<(Header, Vec<u8>)>,
    /// Whether the socket is known to have more.
    has_more: bool,
    unsent: Vec<u8>,
    /// What a send has left over, and how much of it was sent.
    unfinished: Option<(Vec<u8>, usize)>,
    /// Bytes that are with the kernel or unfinished.
    sending_bytes: usize,
    /// Whether a send is with the kernel.
    sending: bool,
    credit: Credit,
    /// What the hello agreed on; none before it.
    records_max: Option<u32>,
    /// The rest of a frame, a hello, or the end of a connection that is closing must be here by
    /// then; 0 when nothing is awaited.
    deadline_ns: u64,
    /// Whole frames are here, but there is no room for their answers yet.
    stalled: bool,
    /// The peer sends nothing more.
    ended: bool,
    /// No more requests are served.
    closing: bool,
    /// An error ended it: nothing follows that.
    failed: bool,
    /// Nothing more is sent.
    closed: bool,
}

/// What a connection wants to receive next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until something else happens to it.
    Nothing,
    /// Something, once there is room for more requests on this node.
    Room,
    /// Whatever comes.
    Bytes {
        /// Whether that has probably come already.
        may_be_there: bool,
    },
    /// The rest of a large body.
    Body,
}

impl Connection {
    pub(super) const fn new(
        slot: u32,
        generation: u32,
        socket: SocketHandle,
        deadline_ns: u64,
    ) -> Self {
        Self {
            slot,
            generation,
            marked: false,
            receiving: false,
            socket,
            rest: Vec::new(),
            large: None,
            has_more: true,
            unsent: Vec::new(),
            unfinished: None,
            sending_bytes: 0,
            sending: false,
            credit: Credit::new(),
            records_max: None,
            deadline_ns,
            stalled: false,
            ended: false,
            closing: false,
            failed: false,
            closed: false,
        }
    }

    pub(super) const fn socket(&self) -> &SocketHandle {
        &self.socket
    }

    /// Ends the connection if it has kept the server waiting for too long. Whether it has.
    pub(super) fn sweep(&mut self, now_ns: u64, site: &Site) -> bool {
        if self.deadline_ns == 0 || now_ns < self.deadline_ns {
            return false;
        }
        if self.closing && !self.failed && !self.closed && self.credit.used() > 0 {
            // The peer waits for us: its time begins with the last answer.
            self.deadline_ns = site.frame_deadline_ns();
            return false;
        }
        if self.closing {
            shut_down(&self.socket);
        } else {
            site.count(|counters| &counters.connections_too_slow);
            self.fail(site, &ErrorCode::TooSlow.into());
        }
        true
    }

    /// Whether answers wait to be sent or to be made.
    pub(super) fn is_busy(&self) -> bool {
        !self.closed && (self.credit.used() > 0 || self.unsent_bytes() > 0)
    }

    /// Whether nothing can happen to it any more. Its requests have to be answered, although nobody
    /// hears that: else a client that comes and goes could have any number of them served.
    pub(super) const fn is_over(&self) -> bool {
        let heard = self.ended || (self.closing && !self.failed);
        let answered = self.credit.used() == 0;
        self.closed && heard && answered && !self.receiving && !self.sending
    }

    const fn unsent_bytes(&self) -> usize {
        self.unsent.len() + self.sending_bytes
    }

    const fn has_room(&self) -> bool {
        self.unsent_bytes() + self.credit.promised_bytes() < UNSENT_BYTES_MAX
    }

    /// Queues the answer to a request.
    pub(super) fn answer(&mut self, ticket: u64, op: Op, epoch: u64, reply: &Reply) {
        let correlation = self.credit.give_back(ticket);
        if !self.closed && !self.failed {
            encode_reply(ReplyTo { correlation, op, epoch }, reply, &mut self.unsent);
        }
    }

    /// Refuses one request; the connection lives on.
    fn refuse(&mut self, site: &Site, correlation: u64, error: &RequestError) {
        let to = ReplyTo { correlation, op: site.committed(), epoch: site.epoch() };
        encode_error(to, error, &mut self.unsent);
        site.count(|counters| &counters.requests_refused);
    }

    /// Says what is wrong with the connection and ends it once that is sent.
    fn fail(&mut self, site: &Site, error: &RequestError) {
        tracing::debug!(%error, "closing a connection");
        self.refuse(site, 0, error);
        self.failed = true;
        self.close(site);
    }

    /// Nothing more is served. Whatever is still to be sent has to go soon.
    fn close(&mut self, site: &Site) {
        if !self.closing {
            self.closing = true;
            self.deadline_ns = site.frame_deadline_ns();
        }
    }

    /// What to receive next. Also goes on with what was received before there was room.
    pub(super) fn next(&mut self, site: &mut Site) -> Next {
        let listens = !self.closing || self.failed;
        if self.receiving || self.ended || !listens {
            return Next::Nothing;
        }
        if self.failed {
            return Next::Bytes { may_be_there: true };
        }
        // The time until there is room is not the client's.
        if !self.has_room() {
            self.await_until(0);
            return Next::Nothing;
        }
        if !site.has_room() {
            self.await_until(0);
            return Next::Room;
        }
        if std::mem::take(&mut self.stalled) {
            let bytes = std::mem::take(&mut self.rest);
            self.take_in(site, bytes);
            return self.next(site);
        }
        if self.large.is_some() {
            // Nor is the time until the body may come.
            self.await_until(0);
            return Next::Body;
        }
        let awaited = !self.rest.is_empty() || self.records_max.is_none();
        self.await_until(if awaited { site.frame_deadline_ns() } else { 0 });
        Next::Bytes { may_be_there: std::mem::take(&mut self.has_more) }
    }

    /// A running deadline stays as it is: each new byte must not buy more time.
    const fn await_until(&mut self, deadline_ns: u64) {
        if !self.closing && (deadline_ns == 0 || self.deadline_ns == 0) {
            self.deadline_ns = deadline_ns;
        }
    }

    /// The room for a large body, and how much of it is there already.
    pub(super) fn take_body(&mut self, site: &Site) -> Option<(BodyBuffer, usize)> {
        let (header, start) = self.large.as_ref()?;
        let mut body = BodyBuffer::for_header(header);
        body.as_mut()[..start.len()].copy_from_slice(start);
        self.deadline_ns = site.frame_deadline_ns();
        Some((body, start.len()))
    }

    /// Bytes have come; none is the end.
    pub(super) fn received(&mut self, site: &mut Site, bytes: &[u8], has_more: bool) {
        self.receiving = false;
        self.has_more = has_more;
        if bytes.is_empty() {
            self.ended = true;
            return self.close(site);
        }
        if self.rest.is_empty() {
            let used = self.serve_all(site, bytes);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(bytes);
            self.take_in(site, joined);
        }
    }

    /// Serves bytes that are ours, and keeps the rest of them.
    fn take_in(&mut self, site: &mut Site, mut bytes: Vec<u8>) {
        let used = self.serve_all(site, &bytes);
        bytes.drain(..used);
        self.rest = bytes;
    }

    /// A large body has come, or as much of it as ever will.
    pub(super) fn filled(&mut self, site: &mut Site, body: BodyBuffer, added: usize) {
        self.receiving = false;
        self.has_more = true;
        let Some((header, start)) = self.large.take() else { return };
        if start.len() + added < header.body_len() {
            self.ended = true;
            return self.close(site);
        }
        if !self.closing {
            self.deadline_ns = 0;
            self.serve(site, &header, body.into_request(&header));
        }
    }

    /// Serves the whole frames at the start of `bytes`. Gives how many bytes are used up.
    fn serve_all(&mut self, site: &mut Site, bytes: &[u8]) -> usize {
        let mut used = 0;
        while !self.closing
            && let Some(head) = bytes[used..].first_chunk::<HEADER_BYTES>()
        {
            if !self.has_room() {
                self.stalled = true;
                return used;
            }
            let header = match Header::parse(head) {
                Ok(header) => header,
                Err(error) => {
                    self.fail(site, &error.into());
                    break;
                }
            };
            let body = used + HEADER_BYTES;
            let is_large = header.body_len() > SMALL_BODY_BYTES_MAX;
            if is_large && self.records_max.is_none() {
                self.fail(site, &ErrorCode::HelloExpected.into());
                break;
            }
            let Some(whole) = bytes.get(body..body + header.body_len()) else {
                if is_large {
                    self.large = Some((header, bytes[body..].to_vec()));
                    return bytes.len();
                }
                return used;
            };
            used = body + whole.len();
            if self.records_max.is_none() {
                self.greet(site, &header, whole);
            } else {
                self.serve(site, &header, Request::decode(&header, whole));
            }
            if !self.closing {
                // What came until now was in time.
                self.deadline_ns = 0;
            }
        }
        // Nothing behind the end of a connection is of any use.
        if self.closing { bytes.len() } else { used }
    }

    fn greet(&mut self, site: &Site, header: &Header, body: &[u8]) {
        let greeting = Hello::decode(header, body)
            .and_then(|hello| Ok((hello.accept(&site.limits())?, hello.records_max())));
        match greeting {
            Ok((reply, records_max)) => {
                self.records_max = Some(records_max);
                let to = ReplyTo {
                    correlation: header.correlation,
                    op: site.committed(),
                    epoch: site.epoch(),
                };
                reply.encode(to, &mut self.unsent);
            }
            Err(error) => self.fail(site, &error),
        }
    }

    fn serve(&mut self, site: &mut Site, header: &Header, request: Result<Request, RequestError>) {
        let correlation = header.correlation;
        let request = match request {
            Ok(request) => request,
            Err(error) if error.closes() => return self.fail(site, &error),
            Err(_) if header.kind() == Some(Kind::Hello) => {
                return self.fail(site, &ErrorCode::HelloRepeated.into());
            }
            Err(error) => return self.refuse(site, correlation, &error),
        };
        let request = match self.admit(site, request) {
            Ok(request) => request,
            Err(error) => return self.refuse(site, correlation, &error),
        };
        let ticket = self.credit.take(correlation, reply_bytes_max(&request));
        let source = Source {
            core: site.index(),
            slot: self.slot,
            generation: self.generation,
            correlation: ticket,
        };
        site.submit(Submission { source, request });
    }

    /// Whether the request can be taken at all.
    fn admit(&self, site: &Site, mut request: Request) -> Result<Request, RequestError> {
        if site.is_draining() {
            return Err(RequestError::new(ErrorCode::ShuttingDown).retry_after_ms(1_000));
        }
        if self.credit.used() >= site.limits().in_flight_max as usize {
            return Err(ErrorCode::CreditExceeded.into());
        }
        if request.is_write() && site.is_log_full() {
            let error = RequestError::new(ErrorCode::CapacityExceeded);
            return Err(error.with_detail(super::sequencer::LOG_FULL));
        }
        let records_max = self.records_max.unwrap_or(0);
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

    /// Whether there is something to send and no send is under way.
    pub(super) const fn is_to_send(&self) -> bool {
        !self.closed && !self.sending && (self.unfinished.is_some() || !self.unsent.is_empty())
    }

    /// What to send, and from which byte of it on.
    pub(super) fn take_to_send(&mut self) -> (Vec<u8>, usize) {
        let (bytes, from) =
            self.unfinished.take().unwrap_or_else(|| (std::mem::take(&mut self.unsent), 0));
        self.sending = true;
        self.sending_bytes = bytes.len() - from;
        (bytes, from)
    }

    /// So much more of `bytes` was sent; nothing more ever if it is none.
    pub(super) fn sent(&mut self, site: &Site, mut bytes: Vec<u8>, count: usize) {
        self.sending = false;
        if count == 0 {
            shut_down(&self.socket);
            self.sending_bytes = 0;
            self.closed = true;
            return self.close(site);
        }
        let from = bytes.len() - self.sending_bytes + count;
        self.sending_bytes -= count;
        if self.sending_bytes > 0 {
            self.unfinished = Some((bytes, from));
        } else if self.unsent.is_empty() && bytes.capacity() <= KEPT_BYTES_MAX {
            bytes.clear();
            self.unsent = bytes;
        }
    }

    /// Says that nothing more comes, once all that was to come has been sent.
    pub(super) fn end_writing_if_done(&mut self, site: &Site) {
        let answered = self.failed || self.credit.used() == 0;
        let sent = !self.sending && self.unsent_bytes() == 0;
        if self.closing && answered && sent && !self.closed {
            self.closed = true;
            end_writing(&self.socket);
            self.close(site);
        }
    }
}
