//! The session against a scripted server, in virtual time and without sockets.

mod luck;

use super::*;
use crate::client::outcome::{CallError, UnknownReason};
use crate::ledger::{Account, CreateResult, Op, Transfer};
use crate::wire::{
    ErrorCode, HEADER_BYTES, Limits, ReplyTo, Request, encode_error, encode_reply, encode_request,
};

const MS: u64 = 1_000_000;

fn config() -> SessionConfig {
    SessionConfig {
        cluster: 0,
        name: "test".into(),
        addresses: 1,
        connect_timeout_ns: 100 * MS,
        connect_deadline_ns: 1_000 * MS,
        backoff_min_ns: 10 * MS,
        backoff_max_ns: 80 * MS,
        attempts_max: 3,
        in_flight_max: 100,
        seed: 1,
    }
}

fn transfers(ids: &[u128]) -> Request {
    let event = |&id: &u128| Transfer { id, ..Default::default() };
    Request::CreateTransfers(ids.iter().map(event).collect())
}

fn call(correlation: u64, request: &Request, deadline_ns: u64) -> Call {
    let mut frame = Vec::new();
    encode_request(correlation, request, &mut frame);
    Call::new(frame, deadline_ns)
}

/// A session and the server's end of its connection.
struct World {
    session: Session,
    now: u64,
    inbox: Vec<u8>,
}

impl World {
    fn new(config: SessionConfig) -> Self {
        Self { session: Session::new(config, 0), now: 0, inbox: Vec::new() }
    }

    /// A world whose hello was answered.
    fn ready(config: SessionConfig, credit: u32) -> Self {
        let mut world = Self::new(config);
        world.greet(credit);
        world
    }

    fn connect(&mut self) {
        assert!(matches!(self.session.poll_action(), Some(Action::Connect { .. })));
        self.inbox.clear();
        self.session.handle_connected(self.now);
    }

    fn greet(&mut self, credit: u32) {
        self.connect();
        self.flush();
        let (header, body) = self.receive().expect("a hello");
        let hello = Hello::decode(&header, &body).unwrap();
        let limits = Limits { cluster: 1, in_flight_max: credit, idle_seconds_max: 0 };
        let mut out = Vec::new();
        let to = ReplyTo { correlation: header.correlation, ..Default::default() };
        hello.accept(&limits).unwrap().encode(to, &mut out);
        self.session.handle_bytes(&out, self.now);
        assert!(self.session.is_ready());
    }

    /// Moves everything that the session wants to write to the server.
    fn flush(&mut self) {
        loop {
            let bytes: Vec<u8> = self.session.output(8).flatten().copied().collect();
            if bytes.is_empty() {
                return;
            }
            self.session.handle_sent(bytes.len(), self.now);
            self.inbox.extend(bytes);
        }
    }

    /// Takes one whole frame on the server's side.
    fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        let header = Header::parse(self.inbox.first_chunk()?).unwrap();
        let end = HEADER_BYTES + header.body_len();
        if self.inbox.len() < end {
            return None;
        }
        let frame: Vec<u8> = self.inbox.drain(..end).collect();
        Some((header, frame[HEADER_BYTES..].to_vec()))
    }

    fn received(&mut self) -> Vec<u64> {
        self.flush();
        std::iter::from_fn(|| self.receive().map(|(header, _)| header.correlation)).collect()
    }

    fn submit(&mut self, correlation: u64, request: &Request, deadline_ms: u64) {
        self.session.submit(call(correlation, request, deadline_ms * MS), self.now);
    }

    fn answer(&mut self, correlation: u64, reply: &Reply) {
        let mut out = Vec::new();
        encode_reply(ReplyTo { correlation, op: Op(9), epoch: 1 }, reply, &mut out);
        self.session.handle_bytes(&out, self.now);
    }

    fn refuse(&mut self, correlation: u64, error: &RequestError) {
        let mut out = Vec::new();
        encode_error(ReplyTo { correlation, ..Default::default() }, error, &mut out);
        self.session.handle_bytes(&out, self.now);
    }

    fn pass(&mut self, ms: u64) {
        self.now += ms * MS;
        self.session.handle_timeout(self.now);
    }

    fn lose(&mut self) {
        self.session.handle_lost("reset".into(), self.now);
    }

    fn done(&mut self) -> Vec<(u64, Completion)> {
        std::iter::from_fn(|| self.session.poll_completion()).collect()
    }

    fn only(&mut self) -> Completion {
        let mut done = self.done();
        assert_eq!(done.len(), 1, "{done:?}");
        done.remove(0).1
    }
}

fn created(events: usize) -> Reply {
    Reply::CreateResults(vec![CreateResult { timestamp: 1, status: u32::MAX, reserved: 0 }; events])
}

#[test]
fn replies_come_in_any_order() {
    let mut world = World::ready(config(), 10);
    for correlation in 1..=3 {
        world.submit(correlation, &transfers(&[u128::from(correlation)]), 500);
    }
    assert_eq!(world.received(), [1, 2, 3]);
    for correlation in [2, 3, 1] {
        world.answer(correlation, &created(1));
    }
    let done = world.done();
    assert_eq!(done.iter().map(|done| done.0).collect::<Vec<_>>(), [2, 3, 1]);
    assert!(done.iter().all(|done| done.1.as_ref().is_ok_and(|answer| answer.op == Op(9))));
}

#[test]
fn what_was_lost_is_resent_as_it_was_and_becomes_definite() {
    let mut world = World::ready(config(), 10);
    world.submit(7, &transfers(&[1, 2]), 500);
    world.flush();
    let first = world.inbox.clone();
    world.lose();
    assert!(world.done().is_empty());
    world.pass(10);
    world.greet(10);
    world.flush();
    assert_eq!(world.inbox, first);
    world.answer(7, &created(2));
    assert!(world.only().is_ok());
}

#[test]
fn a_deadline_after_sending_leaves_the_outcome_unknown_and_names_the_ids() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[11, 12]), 50);
    assert_eq!(world.received(), [1]);
    world.pass(50);
    let Err(CallError::Unknown(unknown)) = world.only() else { panic!("not unknown") };
    assert_eq!(unknown.reason, UnknownReason::DeadlinePassed);
    assert_eq!(unknown.ids, [11, 12]);
    assert_eq!(world.session.poll_action(), Some(Action::Close), "nothing came since: silent");
}

#[test]
fn a_late_reply_to_a_given_up_call_is_dropped_and_frees_its_credit() {
    let mut world = World::ready(config(), 2);
    world.submit(1, &transfers(&[1]), 50);
    world.submit(2, &transfers(&[2]), 500);
    assert_eq!(world.received(), [1, 2]);
    world.pass(20);
    world.answer(2, &created(1));
    world.pass(30);
    assert_eq!(world.done().len(), 2);
    world.submit(3, &transfers(&[3]), 500);
    world.submit(4, &transfers(&[4]), 500);
    assert_eq!(world.received(), [3], "one credit is still taken");
    world.answer(1, &created(1));
    assert_eq!(world.received(), [4]);
    assert!(world.done().is_empty());
}

/// Found by the simulator: something came after the call was sent, so the connection didn't count as
/// silent; then it died unnoticed, and with its only credit taken no call was ever sent again.
#[test]
fn a_connection_whose_credit_is_held_by_given_up_calls_alone_is_dropped() {
    let mut world = World::ready(config(), 2);
    world.submit(1, &transfers(&[1]), 50);
    world.submit(2, &transfers(&[2]), 500);
    assert_eq!(world.received(), [1, 2]);
    world.pass(20);
    world.answer(2, &created(1));
    world.submit(3, &transfers(&[3]), 60);
    assert_eq!(world.received(), [3]);
    world.answer(3, &created(1));
    world.submit(4, &transfers(&[4]), 60);
    assert_eq!(world.received(), [4]);
    world.session.receive_space();
    world.session.handle_received(0, world.now + 1);
    world.pass(40);
    assert_eq!(world.session.poll_action(), None, "nobody waits for the credit yet");
    world.submit(5, &transfers(&[5]), 500);
    assert_eq!(world.session.poll_action(), Some(Action::Close));
    world.pass(10);
    world.greet(2);
    assert_eq!(world.received(), [5]);
}

#[test]
fn what_was_never_sent_is_refused_for_certain() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[1]), 500);
    world.submit(2, &transfers(&[2]), 50);
    assert_eq!(world.received(), [1]);
    world.pass(50);
    let reason = NotSentReason::DeadlinePassed;
    assert_eq!(world.only(), Err(CallError::Refused(Refusal::NotSent(reason))));
}

#[test]
fn half_a_frame_is_not_in_doubt() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[1]), 60);
    world.session.handle_sent(100, world.now);
    world.lose();
    world.pass(60);
    let reason = NotSentReason::DeadlinePassed;
    assert_eq!(world.only(), Err(CallError::Refused(Refusal::NotSent(reason))));
}

#[test]
fn attempts_are_bounded() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[1]), 100_000);
    for attempt in 1..=3 {
        assert_eq!(world.received(), [1], "attempt {attempt}");
        world.lose();
        world.pass(80);
        if attempt < 3 {
            world.greet(1);
        }
    }
    let Err(CallError::Unknown(unknown)) = world.only() else { panic!("not unknown") };
    assert!(matches!(unknown.reason, UnknownReason::ConnectionLost { attempts: 3, .. }));
}

#[test]
fn a_busy_server_is_asked_again_after_the_time_it_names() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[1]), 500);
    assert_eq!(world.received(), [1]);
    world.refuse(1, &RequestError::new(ErrorCode::Overloaded).retry_after_ms(70));
    world.pass(69);
    assert!(world.received().is_empty());
    world.pass(1);
    assert_eq!(world.received(), [1]);
    world.answer(1, &created(1));
    assert!(world.only().is_ok());
}

#[test]
fn a_refusal_is_definite_only_if_no_earlier_attempt_is_in_doubt() {
    let mut world = World::ready(config(), 1);
    let full = RequestError::new(ErrorCode::CapacityExceeded);
    world.submit(1, &transfers(&[1]), 500);
    world.flush();
    world.refuse(1, &full);
    assert_eq!(world.only(), Err(CallError::Refused(Refusal::Server(full.clone()))));

    world.submit(2, &transfers(&[2]), 500);
    world.flush();
    world.lose();
    world.pass(10);
    world.greet(1);
    world.flush();
    world.refuse(2, &full);
    let Err(CallError::Unknown(unknown)) = world.only() else { panic!("not unknown") };
    assert_eq!(unknown.reason, UnknownReason::RefusedInDoubt(Refusal::Server(full)));
}

#[test]
fn an_interrupted_write_is_resent_and_its_refusal_is_not_trusted() {
    let mut world = World::ready(SessionConfig { attempts_max: 1, ..config() }, 1);
    world.submit(1, &transfers(&[1]), 500);
    world.flush();
    let interrupted = RequestError::new(ErrorCode::Interrupted);
    world.refuse(1, &interrupted);
    let Err(CallError::Unknown(unknown)) = world.only() else { panic!("not unknown") };
    assert_eq!(unknown.reason, UnknownReason::Interrupted(interrupted));
    assert_eq!(world.session.poll_action(), Some(Action::Close));
}

#[test]
fn a_refused_hello_is_final_when_every_address_refuses() {
    for code in [ErrorCode::ClusterMismatch, ErrorCode::VersionMismatch] {
        let mut world = World::new(SessionConfig { addresses: 2, ..config() });
        world.submit(1, &transfers(&[1]), 500);
        world.connect();
        world.refuse(u64::MAX, &RequestError::new(code));
        assert_eq!(world.session.poll_action(), Some(Action::Close));
        assert_eq!(world.session.failure(), None);
        world.pass(10);
        assert_eq!(world.session.poll_action(), Some(Action::Connect { address: 1 }));
        world.session.handle_connected(world.now);
        world.refuse(u64::MAX, &RequestError::new(code));
        assert!(matches!(world.session.failure(), Some(ConnectError::Refused(_))));
        assert!(matches!(world.only(), Err(CallError::Refused(Refusal::NotSent(_)))));
        world.submit(2, &transfers(&[2]), 500);
        assert!(matches!(world.only(), Err(CallError::Refused(Refusal::NotSent(_)))));
    }
}

#[test]
fn a_server_that_is_not_ready_is_tried_until_the_connect_deadline() {
    let mut world = World::new(config());
    let mut attempts = 0;
    while world.session.failure().is_none() {
        while let Some(action) = world.session.poll_action() {
            if matches!(action, Action::Connect { .. }) {
                attempts += 1;
                world.session.handle_connected(world.now);
                world.refuse(u64::MAX, &RequestError::new(ErrorCode::NotReady));
            }
        }
        let next = world.session.poll_timeout().expect("something to wait for");
        assert!(next > world.now, "time passes");
        world.now = next;
        world.session.handle_timeout(next);
    }
    assert_eq!(world.now, 1_000 * MS);
    assert!((10..60).contains(&attempts), "{attempts} attempts");
    assert!(matches!(
        world.session.failure(),
        Some(ConnectError::DeadlinePassed { last: Some(LostReason::ClosedByServer(_)) })
    ));
}

#[test]
fn garbage_and_stray_replies_end_the_connection_not_the_call() {
    let garbage = |world: &mut World| world.session.handle_bytes(&[0x47; 200], world.now);
    let stray = |world: &mut World| world.answer(99, &created(1));
    let shape = |world: &mut World| world.answer(1, &Reply::Pong);
    let count = |world: &mut World| world.answer(1, &created(2));
    let misbehaviours: [&dyn Fn(&mut World); 4] = [&garbage, &stray, &shape, &count];
    for misbehave in misbehaviours {
        let mut world = World::ready(config(), 4);
        world.submit(1, &transfers(&[1]), 500);
        assert_eq!(world.received(), [1]);
        misbehave(&mut world);
        assert_eq!(world.session.poll_action(), Some(Action::Close));
        assert!(world.done().is_empty());
        world.pass(10);
        world.greet(4);
        assert_eq!(world.received(), [1]);
        world.answer(1, &created(1));
        assert!(world.only().is_ok());
    }
}

#[test]
fn an_idle_connection_that_breaks_is_made_anew_for_the_next_call() {
    let mut world = World::ready(config(), 4);
    world.lose();
    assert_eq!(world.session.poll_timeout(), None);
    assert_eq!(world.session.poll_action(), None);
    world.submit(1, &Request::Ping, 500);
    world.greet(4);
    assert_eq!(world.received(), [1]);
    world.answer(1, &Reply::Pong);
    assert!(world.only().is_ok());
}

#[test]
fn closing_completes_every_call() {
    let mut world = World::ready(config(), 1);
    world.submit(1, &transfers(&[1]), 500);
    world.submit(2, &Request::CreateAccounts(vec![Account::default()]), 500);
    world.flush();
    world.session.close();
    let done = world.done();
    assert!(matches!(done[0], (1, Err(CallError::Unknown(_)))));
    assert!(matches!(done[1], (2, Err(CallError::Refused(_)))));
    assert_eq!(world.session.outstanding(), 0);
}
