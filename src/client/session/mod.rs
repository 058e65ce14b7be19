//! The machine behind a client: connects, sends, resends, and tells what became of each call.
//!
//! It owns no socket, clock, thread or randomness of its own. A driver does what [`Action`]s say,
//! brings bytes and time, and takes bytes and completions away; the simulator is such a driver.
//!
//! It promises: every call is completed exactly once, at its deadline at the latest; an attempt is
//! the same bytes as the first; attempts are bounded; a call is reported as refused only when no
//! attempt of it can have had an effect. It never has more requests unanswered on a connection
//! than the server gave credit for.

mod link;
mod replies;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::backoff::Backoff;
use super::incoming::Incoming;
use super::outcome::{ConnectError, LostReason, NotSentReason, Refusal};
use super::slot::{Call, Completion, Slot, Stage};
use crate::wire::{Header, Hello, HelloReply, Reply, RequestError};

/// How a session behaves. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// The cluster that is meant; 0 is any.
    pub cluster: u128,
    /// The client's name, for the server's messages.
    pub name: String,
    /// How many addresses there are to choose from, at least 1.
    pub addresses: usize,
    /// How long one attempt to connect and to get the hello answered may take.
    pub connect_timeout_ns: u64,
    /// Until when the first connection must stand, or the session fails.
    pub connect_deadline_ns: u64,
    /// The first wait between attempts.
    pub backoff_min_ns: u64,
    /// The longest wait between attempts.
    pub backoff_max_ns: u64,
    /// How often one request is sent at most.
    pub attempts_max: u32,
    /// How many requests may be unanswered, if the server gives that much credit.
    pub in_flight_max: u32,
    /// Spreads the waits.
    pub seed: u64,
}

/// What the driver has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Open a connection to the address of that index, then say [`Session::handle_connected`] or
    /// [`Session::handle_lost`].
    Connect {
        /// Index of the address.
        address: usize,
    },
    /// Drop the connection, or the attempt at one. Nothing is to be said about it any more.
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    /// Nothing to do for a connection.
    Idle,
    /// Waits before the next attempt.
    Backoff { until_ns: u64 },
    /// The driver opens a connection.
    Connecting { until_ns: u64 },
    /// The hello goes out, or its answer is awaited.
    Greeting { until_ns: u64, written: usize },
    /// Requests flow.
    Ready,
    /// No server will have this client.
    Failed(ConnectError),
}

/// One client's side of the protocol. See the module's documentation.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    link: Link,
    /// Hello frame, the same for every connection.
    hello: Vec<u8>,
    peer: Option<HelloReply>,
    address: usize,
    /// Refusals for good since the last connection that stood.
    refusals: usize,
    last_lost: Option<LostReason>,
    backoff: Backoff,
    incoming: Incoming,
    received_ns: u64,
    slots: BTreeMap<u64, Slot>,
    /// Calls to send, in the order of sending; may name calls that are gone.
    waiting: VecDeque<u64>,
    /// Calls to send later.
    delayed: BTreeSet<(u64, u64)>,
    deadlines: BTreeSet<(u64, u64)>,
    /// Calls whose bytes are to be written now, and how much of the first is.
    sending: VecDeque<u64>,
    written: usize,
    /// Calls with credit on this connection: being sent, or sent and unanswered.
    in_flight: usize,
    actions: VecDeque<Action>,
    completions: VecDeque<(u64, Completion)>,
}

/// The hello's own correlation; calls may have the same, for they come later.
const HELLO_CORRELATION: u64 = u64::MAX;

impl Session {
    /// A session that starts to connect at once.
    #[must_use]
    pub fn new(config: SessionConfig, now_ns: u64) -> Self {
        let mut hello = Vec::new();
        Hello::new(config.cluster, &config.name).encode(HELLO_CORRELATION, &mut hello);
        let backoff = Backoff::new(config.backoff_min_ns, config.backoff_max_ns, config.seed);
        let mut session = Self {
            config,
            link: Link::Idle,
            hello,
            peer: None,
            address: 0,
            refusals: 0,
            last_lost: None,
            backoff,
            incoming: Incoming::default(),
            received_ns: now_ns,
            slots: BTreeMap::new(),
            waiting: VecDeque::new(),
            delayed: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            sending: VecDeque::new(),
            written: 0,
            in_flight: 0,
            actions: VecDeque::new(),
            completions: VecDeque::new(),
        };
        session.connect(now_ns);
        session
    }

    /// Takes a call on; its completion comes from [`Session::poll_completion`].
    pub fn submit(&mut self, call: Call, now_ns: u64) {
        let correlation = call.correlation();
        let slot = Slot::new(call);
        if let Link::Failed(error) = &self.link {
            let refusal = Refusal::NotSent(NotSentReason::NoServer(error.clone()));
            self.completions.push_back((correlation, slot.refused(refusal)));
            return;
        }
        self.deadlines.insert((slot.call.deadline_ns(), correlation));
        let taken = self.slots.insert(correlation, slot);
        assert!(taken.is_none(), "correlation {correlation} is in use");
        self.waiting.push_back(correlation);
        if self.link == Link::Idle {
            self.connect(now_ns);
        }
        self.pump();
        self.drop_if_stuck(now_ns);
    }

    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether there is something for the driver to do.
    #[must_use]
    pub fn has_action(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The next call that is done.
    pub fn poll_completion(&mut self) -> Option<(u64, Completion)> {
        self.completions.pop_front()
    }

    /// When [`Session::handle_timeout`] wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let link = match self.link {
            Link::Backoff { until_ns }
            | Link::Connecting { until_ns }
            | Link::Greeting { until_ns, .. } => Some(until_ns),
            Link::Idle | Link::Ready | Link::Failed(_) => None,
        };
        let first = match self.link {
            Link::Failed(_) => None,
            _ => self.peer.is_none().then_some(self.config.connect_deadline_ns),
        };
        let deadline = self.deadlines.first().map(|entry| entry.0);
        let delayed = self.delayed.first().map(|entry| entry.0);
        [link, first, deadline, delayed].into_iter().flatten().min()
    }

    /// The bytes to write to the connection now, in order; at most `most` pieces. Say with
    /// [`Session::handle_sent`] how many of them were taken.
    pub fn output(&self, most: usize) -> impl Iterator<Item = &[u8]> {
        let hello = match self.link {
            Link::Greeting { written, .. } => &self.hello[written..],
            _ => &[],
        };
        let frames = self.sending.iter().enumerate().map(|(at, correlation)| {
            let frame = self.slots.get(correlation).map_or(&[][..], |slot| slot.call.frame());
            if at == 0 { &frame[self.written..] } else { frame }
        });
        std::iter::once(hello).chain(frames).filter(|piece| !piece.is_empty()).take(most)
    }

    /// Room for received bytes; say with [`Session::handle_received`] how many came.
    pub fn receive_space(&mut self) -> &mut [u8] {
        self.incoming.space()
    }

    /// The answer to the last hello that was accepted.
    #[must_use]
    pub const fn peer(&self) -> Option<&HelloReply> {
        self.peer.as_ref()
    }

    /// Whether requests flow.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.link == Link::Ready
    }

    /// Why no server will have this client, when that is so. It is final.
    #[must_use]
    pub const fn failure(&self) -> Option<&ConnectError> {
        match &self.link {
            Link::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Calls that aren't completed.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.deadlines.len()
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, _now_ns: u64) {
        if let Link::Connecting { until_ns } = self.link {
            self.link = Link::Greeting { until_ns, written: 0 };
        }
    }

    /// The connection, or the attempt at one, is gone.
    pub fn handle_lost(&mut self, why: String, now_ns: u64) {
        if self.has_connection() {
            self.lose(LostReason::Network(why), now_ns);
        }
    }

    /// So many bytes of [`Session::output`] were given to the connection.
    pub fn handle_sent(&mut self, mut bytes: usize, now_ns: u64) {
        if let Link::Greeting { written, .. } = &mut self.link {
            *written += bytes;
            return;
        }
        while let Some(correlation) = self.sending.front() {
            let Some(slot) = self.slots.get_mut(correlation) else { break };
            let left = slot.call.frame().len() - self.written;
            if bytes < left {
                self.written += bytes;
                return;
            }
            bytes -= left;
            self.written = 0;
            slot.stage = Stage::Sent;
            slot.attempts += 1;
            slot.sent_ns = now_ns;
            self.sending.pop_front();
        }
    }

    /// So many bytes were put into [`Session::receive_space`].
    pub fn handle_received(&mut self, bytes: usize, now_ns: u64) {
        self.received_ns = now_ns;
        self.incoming.advance(bytes);
        while self.has_connection() {
            let taken = match self.incoming.next() {
                Ok(None) => break,
                Ok(Some((header, body))) if self.link == Link::Ready => {
                    Reply::decode(&header, body).map(|reply| Taken::Reply(header, reply))
                }
                Ok(Some((header, body))) => {
                    Ok(Taken::Hello(header, HelloReply::decode(&header, body)))
                }
                Err(error) => Err(error),
            };
            match taken {
                Ok(Taken::Reply(header, reply)) => self.take_reply(&header, reply, now_ns),
                Ok(Taken::Hello(header, answer)) => self.take_hello(&header, answer, now_ns),
                Err(error) => self.lose(error.into(), now_ns),
            }
        }
        self.pump();
    }

    /// The same for bytes that stand elsewhere.
    pub fn handle_bytes(&mut self, mut bytes: &[u8], now_ns: u64) {
        while !bytes.is_empty() {
            let space = self.receive_space();
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            space[..now.len()].copy_from_slice(now);
            self.handle_received(now.len(), now_ns);
            bytes = later;
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now_ns: u64) {
        while let Some(&(at_ns, correlation)) = self.delayed.first() {
            if at_ns > now_ns {
                break;
            }
            self.delayed.pop_first();
            self.waiting.push_back(correlation);
        }
        let never = self.peer.is_none() && self.failure().is_none();
        if never && now_ns >= self.config.connect_deadline_ns {
            let error = ConnectError::DeadlinePassed { last: self.last_lost.take() };
            self.fail(error);
        }
        match self.link {
            Link::Backoff { until_ns } if now_ns >= until_ns => {
                if self.slots.is_empty() && self.peer.is_some() {
                    self.link = Link::Idle;
                } else {
                    self.connect(now_ns);
                }
            }
            Link::Connecting { until_ns } | Link::Greeting { until_ns, .. }
                if now_ns >= until_ns =>
            {
                self.lose(LostReason::ConnectTimeout, now_ns);
            }
            _ => {}
        }
        while let Some(&(at_ns, correlation)) = self.deadlines.first() {
            if at_ns > now_ns {
                break;
            }
            self.deadlines.pop_first();
            self.give_up(correlation, now_ns);
        }
        self.pump();
        self.drop_if_stuck(now_ns);
    }

    /// There will be no first connection: the session has failed.
    pub fn give_up_connecting(&mut self, error: ConnectError) {
        if self.peer.is_none() && self.failure().is_none() {
            self.fail(error);
        }
    }

    /// Ends the session: every call is completed now.
    pub fn close(&mut self) {
        if self.has_connection() {
            self.actions.push_back(Action::Close);
        }
        self.end(ConnectError::Closed);
    }
}

enum Taken {
    Reply(Header, Reply),
    Hello(Header, Result<HelloReply, RequestError>),
}
