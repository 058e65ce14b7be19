//! The measurement: one thread, one poll, all connections.
//!
//! The closed loop keeps every slot of every connection busy. The open loop sends each request when
//! it is due, connections in turn, or as soon after as its connection has a free slot; the latency
//! of a request runs from when it was due.

use std::time::Duration;

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::check::{compare, expected};
use super::connection::{Connection, NewRequest, SCRATCH_BYTES, SLOTS_MAX};
use super::greeting::Greeting;
use super::journal::Journal;
use super::load::{Load, Measured, Progress};
use super::report::{Latency, Report, latency};
use super::schedule::Schedule;
use super::setup::{prepare, read_counters};
use super::timer::Timer;
use super::workload::{Mix, RequestNumber, TRANSFER_BYTES};
use super::{Disagreement, LoadError};
use crate::client::{Client, ConnectOptions};
use crate::io::{Clock, to_u64, to_usize};

const SECOND_NS: u64 = 1_000_000_000;
/// Without any answer for so long the run ends.
const STALL_SECONDS: u64 = 60;
/// The longest latency that is told apart from longer ones: an hour.
const LATENCY_MAX_NS: u64 = 3_600 * SECOND_NS;
/// Requests that become due within this time are sent together: a wake-up for each would cost more
/// than the requests. The delay counts as latency.
const TICK_NS: u64 = 50_000;
/// From this size on, a request is written before the next one is built.
const LARGE_FRAME_BYTES: usize = 64 * 1024;

/// Prepares the accounts, measures, and checks the balances.
///
/// # Errors
/// Whatever leaves no result to trust. A disagreement of balances is no error but in the report.
pub fn run(
    load: &Load,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, LoadError> {
    let client = Client::connect(&ConnectOptions::new(load.address.to_string()))?;
    let allowed = client.server().in_flight_max;
    if to_usize(u64::from(allowed)).min(SLOTS_MAX) < load.in_flight {
        return Err(LoadError::InFlight { asked: load.in_flight, allowed });
    }
    let before = prepare(&client, &load.workload)?;
    let status_before = client.status()?.value;
    let mut measured = Driver::new(load, clock)?.measure(progress)?;
    let status_after = client.status()?.value;
    measured.journal.close();
    let expected = expected(&load.workload, &measured.journal, before);
    let found = read_counters(&client, &load.workload)?;
    let disagreements: Vec<Disagreement> = compare(&load.workload, &expected, &found);
    Ok(Report::new(load, &measured, &status_before, *status_after, disagreements))
}

/// Only measures: prepares nothing and checks no balances, for an endpoint that answers but keeps
/// no accounts. Gives transfers a second and the latency.
///
/// # Errors
/// Whatever leaves no result to trust.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown to people")]
pub fn drive(
    load: &Load,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<(f64, Latency), LoadError> {
    let measured = Driver::new(load, clock)?.measure(progress)?;
    let seconds = measured.elapsed_ns as f64 / 1e9;
    let speed = measured.journal.events_answered() as f64 / seconds.max(f64::MIN_POSITIVE);
    Ok((speed, latency(&measured.latency_ns)))
}

/// Opens all connections; thousands of hellos are under way at once.
fn connect_all(load: &Load) -> Result<Vec<Connection<TcpStream>>, LoadError> {
    let greetings: Result<Vec<Greeting>, LoadError> =
        (0..load.connections).map(|_| Greeting::send(load.address)).collect();
    let mut connections = Vec::with_capacity(load.connections);
    for greeting in greetings? {
        let (stream, _) = greeting.finish()?;
        let stream = TcpStream::from_std(stream);
        connections.push(Connection::new(stream, load.in_flight, to_usize(load.workload.batch)));
    }
    Ok(connections)
}

struct Driver<'a> {
    load: &'a Load,
    clock: &'a dyn Clock,
    poll: Poll,
    timer: Timer,
    connections: Vec<Connection<TcpStream>>,
    scratch: Vec<u8>,
    started_ns: u64,
    /// None in the closed loop.
    schedule: Option<Schedule>,
    /// Requests that became due so far (open loop).
    due: u64,
    waiting: u64,
    /// Requests may be built until here; none is without a bound by number.
    requests_max: Option<u64>,
    results: Measured,
}

impl<'a> Driver<'a> {
    fn new(load: &'a Load, clock: &'a dyn Clock) -> Result<Self, LoadError> {
        let mut connections = connect_all(load)?;
        let poll = Poll::new().map_err(LoadError::io("preparing to wait"))?;
        for (at, connection) in connections.iter_mut().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = poll.registry().register(connection.stream_mut(), Token(at), interest);
            registered.map_err(LoadError::io("preparing to wait"))?;
        }
        let token = Token(connections.len());
        let timer = Timer::new(poll.registry(), token).map_err(LoadError::io("setting a timer"))?;
        let requests_max = load.transfers.map(|n| n.div_ceil(load.workload.batch));
        let started_ns = clock.now().monotonic_ns;
        let latency_ns = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)
            .map_err(|_| LoadError::Answer("no histogram"))?;
        let settling = load.workload.mix == Mix::TwoPhase;
        let results = Measured {
            journal: Journal::new(settling, requests_max),
            latency_ns,
            elapsed_ns: 0,
            waiting_max: 0,
        };
        let schedule = load.rate.map(|rate| Schedule::new(started_ns, load.workload.batch, rate));
        let scratch = vec![0; SCRATCH_BYTES];
        let (due, waiting) = (0, 0);
        Ok(Self {
            load,
            clock,
            poll,
            timer,
            connections,
            scratch,
            started_ns,
            schedule,
            due,
            waiting,
            requests_max,
            results,
        })
    }

    fn measure(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Measured, LoadError> {
        let mut watch = Watch::new(self.started_ns);
        let mut events = Events::with_capacity(1024);
        if self.schedule.is_none() {
            for at in 0..self.connections.len() {
                self.fill(at, self.started_ns)?;
            }
        }
        loop {
            let now_ns = self.clock.now().monotonic_ns;
            self.release_due(now_ns)?;
            if self.is_finished(now_ns) {
                self.results.elapsed_ns = now_ns - self.started_ns;
                return Ok(self.results);
            }
            watch.look(now_ns, &self.results.journal, progress)?;
            self.wait(&mut events, now_ns)?;
            let now_ns = self.clock.now().monotonic_ns;
            for event in &events {
                let at = event.token().0;
                if at == self.connections.len() {
                    continue;
                }
                if event.is_readable() || event.is_read_closed() {
                    self.receive(at)?;
                }
                self.fill(at, now_ns)?;
            }
        }
    }

    /// Waits for a socket or for the next request to be due.
    fn wait(&mut self, events: &mut Events, now_ns: u64) -> Result<(), LoadError> {
        if let Some(schedule) = &self.schedule
            && self.may_build(now_ns, self.due)
        {
            let next_ns = schedule.due_ns(self.due).saturating_sub(now_ns).max(TICK_NS);
            self.timer.arm(next_ns).map_err(LoadError::io("setting a timer"))?;
        }
        match self.poll.poll(events, Some(Duration::from_millis(500))) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                Err(LoadError::io("waiting")(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the bounds of the run allow request number `request` at this time.
    fn may_build(&self, now_ns: u64, request: u64) -> bool {
        let end_ns = self.load.seconds.map(|seconds| self.started_ns + seconds * SECOND_NS);
        // In the open loop what is due before the end belongs to the run, however late it is sent.
        let at_ns = self.schedule.as_ref().map_or(now_ns, |schedule| schedule.due_ns(request));
        self.requests_max.is_none_or(|max| request < max) && end_ns.is_none_or(|end| at_ns < end)
    }

    fn is_finished(&self, now_ns: u64) -> bool {
        let built = self.results.journal.requests_built();
        let next = if self.schedule.is_some() { self.due } else { built };
        self.waiting == 0
            && built == self.results.journal.requests_answered()
            && !self.may_build(now_ns, next)
    }

    /// Hands every request that is due by now to its connection, then lets each connection send
    /// all of its own at once.
    fn release_due(&mut self, now_ns: u64) -> Result<(), LoadError> {
        let Some(schedule) = self.schedule else { return Ok(()) };
        let connections = to_u64(self.connections.len());
        let first = self.due;
        while schedule.due_ns(self.due) <= now_ns && self.may_build(now_ns, self.due) {
            let at = to_usize(self.due % connections);
            self.connections[at].waiting.push_back(schedule.due_ns(self.due));
            self.due += 1;
            self.waiting += 1;
        }
        self.results.waiting_max = self.results.waiting_max.max(self.waiting);
        for request in first..self.due.min(first + connections) {
            self.fill(to_usize(request % connections), now_ns)?;
        }
        Ok(())
    }

    /// Builds what the connection may send, and writes what it takes.
    fn fill(&mut self, at: usize, now_ns: u64) -> Result<(), LoadError> {
        while self.connections[at].has_free_slot() {
            let number = self.results.journal.requests_built();
            let due_ns = if self.schedule.is_some() {
                let Some(due_ns) = self.connections[at].waiting.pop_front() else { break };
                self.waiting -= 1;
                Some(due_ns)
            } else if self.may_build(now_ns, number) {
                None
            } else {
                break;
            };
            self.build(at, number, due_ns);
            if to_usize(self.load.workload.batch) * TRANSFER_BYTES >= LARGE_FRAME_BYTES {
                self.connections[at].flush()?;
            }
        }
        if self.connections[at].has_output() { self.connections[at].flush() } else { Ok(()) }
    }

    fn build(&mut self, at: usize, number: u64, due_ns: Option<u64>) {
        let workload = &self.load.workload;
        let left = self.load.transfers.map_or(u64::MAX, |all| all - number * workload.batch);
        let events = workload.batch.min(left);
        let number = RequestNumber(number);
        let settling = workload.mix == Mix::TwoPhase;
        let new = NewRequest { number, events, due_ns };
        let holds = self.connections[at].build(new, settling, self.clock, |holds, body| {
            workload.fill(number, holds, body);
        });
        self.results.journal.begin(events, holds);
    }

    fn receive(&mut self, at: usize) -> Result<(), LoadError> {
        let Measured { journal, latency_ns, .. } = &mut self.results;
        self.connections[at].receive(&mut self.scratch, self.clock, &mut |answered| {
            latency_ns.saturating_record(answered.latency_ns);
            match answered.results {
                Ok(results) => journal.answer(answered.request, results),
                Err(error) => journal.refuse(answered.request, &error.name()),
            }
        })
    }
}

/// Tells progress once a second and notices a server that no longer answers.
struct Watch {
    started_ns: u64,
    told_ns: u64,
    told_events: u64,
    answered: u64,
    answered_ns: u64,
}

impl Watch {
    const fn new(started_ns: u64) -> Self {
        let (told_ns, answered_ns) = (started_ns, started_ns);
        Self { started_ns, told_ns, told_events: 0, answered: 0, answered_ns }
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    fn look(
        &mut self,
        now_ns: u64,
        journal: &Journal,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), LoadError> {
        let in_flight = journal.requests_built() - journal.requests_answered();
        if journal.requests_answered() != self.answered || in_flight == 0 {
            self.answered = journal.requests_answered();
            self.answered_ns = now_ns;
        }
        if now_ns - self.answered_ns > STALL_SECONDS * SECOND_NS {
            return Err(LoadError::Stalled { seconds: STALL_SECONDS, in_flight });
        }
        if now_ns - self.told_ns >= SECOND_NS {
            let transfers = journal.events_answered();
            let since = (now_ns - self.told_ns) as f64 / SECOND_NS as f64;
            progress(Progress {
                seconds: (now_ns - self.started_ns) as f64 / SECOND_NS as f64,
                transfers,
                transfers_per_second: (transfers - self.told_events) as f64 / since,
                in_flight,
            });
            (self.told_ns, self.told_events) = (now_ns, transfers);
        }
        Ok(())
    }
}
