//! The client's thread: does what the session says, with a real socket and a real clock.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::batch::{Batch, BatchEvent, Batcher};
use super::inbox::{Inbox, Job, Sink};
use super::options::{ConnectOptions, nanoseconds};
use super::outcome::{CallError, ConnectError};
use super::session::{Action, Session};
use super::slot::{Call, Completion};
use crate::io::{Clock, SystemClock};
use crate::ledger::{Account, Transfer};
use crate::limits::EVENTS_PER_REQUEST_MAX;
use crate::wire::{HelloReply, Reply, encode_create_accounts, encode_create_transfers};

pub(super) const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// Pieces in one write; more gain nothing, a piece is a whole request.
const PIECES: usize = 64;

/// Longest sleep: a bound on how late a lost wake-up is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// A caller in a shared request: where its events end up is told by the batch.
struct Caller {
    sink: Sink,
    deadline_ns: u64,
}

/// Whom a completion is for.
enum Addressee {
    One(Sink),
    Several(Kind, Vec<(Caller, Range<usize>)>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Accounts,
    Transfers,
}

/// The state of the thread.
pub(super) struct Driver {
    session: Session,
    inbox: Arc<Inbox>,
    clock: SystemClock,
    addresses: Vec<SocketAddr>,
    poll: Poll,
    stream: Option<TcpStream>,
    /// The connection attempt wasn't confirmed yet.
    connecting: bool,
    writable: bool,
    readable: bool,
    addressees: BTreeMap<u64, Addressee>,
    accounts: Batcher<Account, Caller>,
    transfers: Batcher<Transfer, Caller>,
    /// Shared requests in flight.
    shared_accounts: usize,
    shared_transfers: usize,
    /// Whether nobody listening ends it, before the first connection.
    wait_for_server: bool,
    /// Attempts in a row, from the first one on, at which nobody listened.
    unheard: usize,
    /// Who waits for the first connection.
    connected: Option<Sender<Result<HelloReply, ConnectError>>>,
}

impl Driver {
    pub(super) fn new(
        options: &ConnectOptions,
        addresses: Vec<SocketAddr>,
        clock: SystemClock,
        poll: Poll,
        inbox: Arc<Inbox>,
        connected: Sender<Result<HelloReply, ConnectError>>,
    ) -> Self {
        let now = clock.now();
        let seed = now.unix_ns ^ u64::from(std::process::id()).rotate_left(32);
        let config = options.session(addresses.len(), now.monotonic_ns, seed);
        let linger_ns = nanoseconds(options.linger);
        Self {
            session: Session::new(config, now.monotonic_ns),
            inbox,
            clock,
            addresses,
            poll,
            stream: None,
            connecting: false,
            writable: false,
            readable: false,
            addressees: BTreeMap::new(),
            accounts: Batcher::new(EVENTS_PER_REQUEST_MAX, linger_ns),
            transfers: Batcher::new(EVENTS_PER_REQUEST_MAX, linger_ns),
            shared_accounts: 0,
            shared_transfers: 0,
            wait_for_server: options.wait_for_server,
            unheard: 0,
            connected: Some(connected),
        }
    }

    fn now_ns(&self) -> u64 {
        self.clock.now().monotonic_ns
    }

    /// Runs until the client is closed.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut jobs = Vec::new();
        loop {
            let closed = self.inbox.take(&mut jobs);
            let now_ns = self.now_ns();
            for job in jobs.drain(..) {
                self.take_on(job, now_ns);
            }
            if closed {
                return self.end();
            }
            self.session.handle_timeout(now_ns);
            self.send_shared(now_ns);
            self.act();
            self.receive();
            self.send();
            let told = self.tell();
            self.report_connection();
            if told > 0 || self.session.has_action() {
                continue;
            }
            self.sleep(&mut events);
        }
    }

    fn take_on(&mut self, job: Job, now_ns: u64) {
        match job {
            Job::Call { call, sink } => {
                self.addressees.insert(call.correlation(), Addressee::One(sink));
                self.session.submit(call, now_ns);
            }
            Job::Accounts { events, deadline_ns, sink } => {
                self.accounts.push(Caller { sink, deadline_ns }, events, now_ns);
            }
            Job::Transfers { events, deadline_ns, sink } => {
                self.transfers.push(Caller { sink, deadline_ns }, events, now_ns);
            }
        }
    }

    /// Submits the shared requests that are due.
    fn send_shared(&mut self, now_ns: u64) {
        while let Some(batch) = self.accounts.next(self.shared_accounts, now_ns) {
            self.shared_accounts += 1;
            self.submit_shared(Kind::Accounts, batch, encode_create_accounts, now_ns);
        }
        while let Some(batch) = self.transfers.next(self.shared_transfers, now_ns) {
            self.shared_transfers += 1;
            self.submit_shared(Kind::Transfers, batch, encode_create_transfers, now_ns);
        }
    }

    fn submit_shared<E: BatchEvent>(
        &mut self,
        kind: Kind,
        batch: Batch<E, Caller>,
        encode: fn(u64, &[E], &mut Vec<u8>),
        now_ns: u64,
    ) {
        let correlation = self.inbox.correlation();
        let mut frame = Vec::new();
        encode(correlation, &batch.events, &mut frame);
        // The first to run out of time decides; callers of one client are equally patient.
        let deadline_ns = batch.parts.iter().map(|part| part.0.deadline_ns).min();
        self.addressees.insert(correlation, Addressee::Several(kind, batch.parts));
        self.session.submit(Call::new(frame, deadline_ns.unwrap_or(now_ns)), now_ns);
    }

    /// Does what the session asks for.
    fn act(&mut self) {
        while let Some(action) = self.session.poll_action() {
            self.disconnect();
            if let Action::Connect { address } = action
                && let Err(error) = self.connect(address)
            {
                self.disconnect();
                let now_ns = self.now_ns();
                self.session.handle_lost(error.to_string(), now_ns);
            }
        }
    }

    fn connect(&mut self, address: usize) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.addresses[address])?;
        stream.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, SOCKET, interest)?;
        self.stream = Some(stream);
        self.connecting = true;
        Ok(())
    }

    fn disconnect(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // Closing the descriptor deregisters it as well.
            let _ = self.poll.registry().deregister(&mut stream);
        }
        self.connecting = false;
        self.readable = false;
        self.writable = false;
    }

    fn lost(&mut self, why: &str) {
        self.disconnect();
        let now_ns = self.now_ns();
        self.session.handle_lost(why.to_owned(), now_ns);
    }

    /// Reads what has arrived.
    fn receive(&mut self) {
        while self.readable
            && !self.connecting
            && let Some(stream) = &mut self.stream
        {
            match stream.read(self.session.receive_space()) {
                Ok(0) => return self.lost("the peer closed the connection"),
                Ok(bytes) => {
                    let now_ns = self.now_ns();
                    self.session.handle_received(bytes, now_ns);
                    self.act();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(&error.to_string()),
            }
        }
    }

    /// Writes what is due.
    fn send(&mut self) {
        while self.writable
            && !self.connecting
            && let Some(stream) = &mut self.stream
        {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (piece, bytes) in pieces.iter_mut().zip(self.session.output(PIECES)) {
                *piece = IoSlice::new(bytes);
                count += 1;
            }
            if count == 0 {
                return;
            }
            match stream.write_vectored(&pieces[..count]) {
                Ok(bytes) => {
                    let now_ns = self.now_ns();
                    self.session.handle_sent(bytes, now_ns);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(&error.to_string()),
            }
        }
    }

    /// Tells callers what became of their calls, and says how many were told.
    fn tell(&mut self) -> usize {
        let mut told = 0;
        while let Some((correlation, completion)) = self.session.poll_completion() {
            match self.addressees.remove(&correlation) {
                None => {}
                Some(Addressee::One(sink)) => {
                    sink(completion);
                    told += 1;
                }
                Some(Addressee::Several(kind, parts)) => {
                    match kind {
                        Kind::Accounts => self.shared_accounts -= 1,
                        Kind::Transfers => self.shared_transfers -= 1,
                    }
                    told += parts.len();
                    for (caller, range) in parts {
                        (caller.sink)(part_of(&completion, range));
                    }
                }
            }
        }
        self.inbox.completed(told);
        told
    }

    /// Says once how the first connection went.
    fn report_connection(&mut self) {
        let outcome = match (self.session.failure(), self.session.peer()) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(peer)) => Ok(*peer),
            (None, None) => return,
        };
        if let Some(connected) = self.connected.take() {
            // Nobody waits any more when the caller went away; the client is closed next.
            let _ = connected.send(outcome);
        }
    }

    /// Sleeps until the socket, a timer or a caller has something.
    fn sleep(&mut self, events: &mut Events) {
        let timers = [
            self.session.poll_timeout(),
            self.accounts.poll_timeout(),
            self.transfers.poll_timeout(),
        ];
        let now_ns = self.now_ns();
        let due_ns = timers.into_iter().flatten().min().unwrap_or(u64::MAX);
        let wait = Duration::from_nanos(due_ns.saturating_sub(now_ns)).min(SLEEP_MAX);
        let wait = if self.inbox.may_sleep() { wait } else { Duration::ZERO };
        if let Err(error) = self.poll.poll(events, Some(wait))
            && error.kind() != ErrorKind::Interrupted
        {
            tracing::error!(%error, "the client can not wait for its socket");
            self.inbox.close();
        }
        self.inbox.awake();
        for event in events.iter().filter(|event| event.token() == SOCKET) {
            self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            self.writable |= event.is_writable();
        }
        if self.connecting {
            self.confirm();
        }
    }

    /// Finds out whether a connection attempt has ended, and how.
    fn confirm(&mut self) {
        let Some(stream) = &self.stream else { return };
        match (stream.take_error(), stream.peer_addr()) {
            (Ok(Some(error)), _) | (Err(error), _) => {
                let unheard = error.kind() == ErrorKind::ConnectionRefused;
                self.unheard = if unheard { self.unheard + 1 } else { 0 };
                self.lost(&error.to_string());
                let first = self.connected.is_some();
                if first && !self.wait_for_server && self.unheard >= self.addresses.len() {
                    self.session.give_up_connecting(ConnectError::NobodyListens);
                }
            }
            (Ok(None), Ok(_)) if self.writable => {
                self.connecting = false;
                let now_ns = self.now_ns();
                self.session.handle_connected(now_ns);
            }
            (Ok(None), _) => {}
        }
    }

    /// Completes everything that is left.
    fn end(mut self) {
        self.session.close();
        self.act();
        let waiting: Vec<Caller> = self.accounts.drain().chain(self.transfers.drain()).collect();
        let calls = waiting.len();
        for caller in waiting {
            (caller.sink)(Err(CallError::closed()));
        }
        self.inbox.completed(calls);
        self.tell();
        self.report_connection();
    }
}

/// The part of a shared completion that concerns one caller.
fn part_of(completion: &Completion, range: Range<usize>) -> Completion {
    match completion {
        Ok(answer) => Ok(super::Answer {
            op: answer.op,
            epoch: answer.epoch,
            value: match &answer.value {
                Reply::CreateResults(results) => Reply::CreateResults(results[range].to_vec()),
                other => other.clone(),
            },
        }),
        Err(CallError::Unknown(unknown)) => {
            let mut unknown = unknown.clone();
            unknown.ids = unknown.ids[range].to_vec();
            Err(CallError::Unknown(unknown))
        }
        Err(CallError::Refused(refusal)) => Err(CallError::Refused(refusal.clone())),
    }
}
