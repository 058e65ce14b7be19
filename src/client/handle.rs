//! The handle that callers share.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use super::driver::{Driver, WAKE};
use super::inbox::{Inbox, Job, Sink};
use super::options::{ConnectOptions, nanoseconds};
use super::outcome::{
    CallError, ConnectError, NotSentReason, Refusal, UnknownOutcome, UnknownReason,
};
use super::slot::{Call, Completion};
use crate::io::{Clock, SystemClock};
use crate::ledger::{Account, Transfer};
use crate::limits::EVENTS_PER_REQUEST_MAX;
use crate::wire::{
    HelloReply, Kind, Request, encode_create_accounts, encode_create_transfers, encode_request,
};

/// A connection to a Partita server, to be cloned and shared between threads. When the last clone
/// is dropped, calls that are still outstanding are completed and the connection is closed.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Arc<Inbox>,
    clock: SystemClock,
    request_deadline_ns: u64,
    share_below: usize,
    peer: HelloReply,
    thread: Option<JoinHandle<()>>,
}

/// A call on its way.
#[must_use = "a call that nobody waits for has an outcome that nobody learns"]
#[derive(Debug)]
pub struct Pending {
    kind: Kind,
    receiver: Receiver<Completion>,
}

impl Pending {
    /// Waits for the end of the call; its deadline bounds the wait.
    ///
    /// # Errors
    /// Why there is no reply, and whether that is definite.
    pub fn wait(self) -> Completion {
        self.receiver.recv().unwrap_or_else(|_| {
            // The client's thread completes every call before it ends. Should it ever not, then
            // nobody knows what became of this one.
            let (reason, kind, ids) = (UnknownReason::Closed, self.kind, Vec::new());
            Err(CallError::Unknown(UnknownOutcome { reason, kind, ids }))
        })
    }

    /// The end of the call, when it has come.
    #[must_use]
    pub fn try_wait(&self) -> Option<Completion> {
        self.receiver.try_recv().ok()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("peer", &self.shared.peer).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects: starts the client's thread and waits until a server has accepted the hello.
    ///
    /// # Errors
    /// No server did until the deadline, or one refused for good.
    pub fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let addresses = options.resolve()?;
        let resources = |error: std::io::Error| ConnectError::Resources(error.to_string());
        let poll = mio::Poll::new().map_err(resources)?;
        let waker = mio::Waker::new(poll.registry(), WAKE).map_err(resources)?;
        let inbox = Arc::new(Inbox::new(waker, options.outstanding_max));
        let clock = SystemClock::new();
        let (sender, connected) = channel();
        let driver = Driver::new(options, addresses, clock, poll, Arc::clone(&inbox), sender);
        let name = "partita-client".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || driver.run());
        let thread = thread.map_err(resources)?;
        let outcome = connected.recv().unwrap_or(Err(ConnectError::Closed));
        match outcome {
            Ok(peer) => {
                let shared = Shared {
                    inbox,
                    clock,
                    request_deadline_ns: nanoseconds(options.request_deadline),
                    share_below: options.share_below,
                    peer,
                    thread: Some(thread),
                };
                Ok(Self { shared: Arc::new(shared) })
            }
            Err(error) => {
                inbox.close();
                // The thread has nothing left to do; whether it panicked changes nothing here.
                let _ = thread.join();
                Err(error)
            }
        }
    }

    /// What the server said about itself when the client connected.
    #[must_use]
    pub fn server(&self) -> &HelloReply {
        &self.shared.peer
    }

    /// Sends a request without waiting for the reply: many can be under way. Waits only while too
    /// many calls are outstanding.
    pub fn submit(&self, request: &Request) -> Pending {
        let (sender, receiver) = channel();
        // A caller that dropped its `Pending` doesn't want to know.
        let sink = Box::new(move |completion| drop(sender.send(completion)));
        self.send(request, sink, true);
        Pending { kind: request.kind(), receiver }
    }

    /// The same, telling the end of the call to `done`. It runs on the client's own thread: it must
    /// not block, but may call this again. Never waits for other calls to end.
    pub fn submit_with(&self, request: &Request, done: impl FnOnce(Completion) + Send + 'static) {
        self.send(request, Box::new(done), false);
    }

    fn send(&self, request: &Request, sink: Sink, wait: bool) {
        let events = request.events();
        if events > EVENTS_PER_REQUEST_MAX {
            return sink(Err(too_many(events)));
        }
        let mut frame = Vec::new();
        encode_request(self.shared.inbox.correlation(), request, &mut frame);
        self.send_frame(frame, sink, wait);
    }

    fn send_frame(&self, frame: Vec<u8>, sink: Sink, wait: bool) {
        let call = Call::new(frame, self.deadline_ns());
        self.push(Job::Call { call, sink }, wait);
    }

    fn push(&self, job: Job, wait: bool) {
        if let Err(job) = self.shared.inbox.push(job, wait) {
            let (Job::Call { sink, .. } | Job::Accounts { sink, .. } | Job::Transfers { sink, .. }) =
                job;
            sink(Err(CallError::closed()));
        }
    }

    fn deadline_ns(&self) -> u64 {
        self.shared.clock.now().monotonic_ns.saturating_add(self.shared.request_deadline_ns)
    }

    /// Sends accounts to be created, alone or in a shared request.
    pub(super) fn send_accounts(&self, events: &[Account]) -> Pending {
        let deadline_ns = self.deadline_ns();
        self.send_events(events, Kind::CreateAccounts, encode_create_accounts, |events, sink| {
            Job::Accounts { events, deadline_ns, sink }
        })
    }

    /// Sends transfers to be created, alone or in a shared request.
    pub(super) fn send_transfers(&self, events: &[Transfer]) -> Pending {
        let deadline_ns = self.deadline_ns();
        self.send_events(events, Kind::CreateTransfers, encode_create_transfers, |events, sink| {
            Job::Transfers { events, deadline_ns, sink }
        })
    }

    fn send_events<E: Copy>(
        &self,
        events: &[E],
        kind: Kind,
        encode: fn(u64, &[E], &mut Vec<u8>),
        shared: impl FnOnce(Vec<E>, Sink) -> Job,
    ) -> Pending {
        let (sender, receiver) = channel();
        let sink: Sink = Box::new(move |completion| drop(sender.send(completion)));
        if events.len() > EVENTS_PER_REQUEST_MAX {
            sink(Err(too_many(events.len())));
        } else if !events.is_empty() && events.len() < self.shared.share_below {
            self.push(shared(events.to_vec(), sink), true);
        } else {
            let mut frame = Vec::new();
            encode(self.shared.inbox.correlation(), events, &mut frame);
            self.send_frame(frame, sink, true);
        }
        Pending { kind, receiver }
    }
}

const fn too_many(events: usize) -> CallError {
    let most = EVENTS_PER_REQUEST_MAX;
    CallError::Refused(Refusal::NotSent(NotSentReason::TooManyEvents { events, most }))
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of that thread ends the process anyway.
            let _ = thread.join();
        }
    }
}
