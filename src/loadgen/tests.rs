//! The load generator against a small server that runs the model, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::io::SystemClock;
use crate::ledger::model::Model;
use crate::ledger::{Op, Timestamp};
use crate::wire::{
    ErrorCode, HEADER_BYTES, Header, Hello, Limits, Reply, ReplyTo, Request, RequestError,
    StatusReport, encode_reply,
};

/// What the server does to the `n`-th request to create transfers, counted over all connections.
type Misbehave = fn(u64) -> Behaviour;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Honest,
    /// Says that all were created, and forgets the last.
    Forgets,
    /// Refuses the request.
    Refuses,
    /// Answers twice.
    Repeats,
    /// Answers with one result less.
    Shortens,
    /// Closes the connection.
    Closes,
    /// Changes a byte of the reply's body.
    Damages,
}

#[derive(Default)]
struct State {
    model: Model,
    creates: u64,
}

/// A server that ends with the test's process.
fn serve(misbehave: Misbehave) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(Mutex::new(State::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let state = state.clone();
            std::thread::spawn(move || connection(stream, &state, misbehave));
        }
    });
    address
}

fn read_frame(stream: &mut TcpStream) -> Option<(Header, Vec<u8>)> {
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).ok()?;
    let header = Header::parse(&head).unwrap();
    let mut body = vec![0; header.body_len()];
    stream.read_exact(&mut body).ok()?;
    Some((header, body))
}

/// Ends when the client goes or the server misbehaves so.
fn connection(mut stream: TcpStream, state: &Mutex<State>, misbehave: Misbehave) -> Option<()> {
    let limits = Limits { cluster: 1, in_flight_max: 32, idle_seconds_max: 0 };
    let (header, body) = read_frame(&mut stream)?;
    let hello = Hello::decode(&header, &body).unwrap();
    let mut out = Vec::new();
    let to = |correlation| ReplyTo { correlation, op: Op(1), epoch: 1 };
    hello.accept(&limits).unwrap().encode(to(header.correlation), &mut out);
    stream.write_all(&out).ok()?;
    loop {
        let (header, body) = read_frame(&mut stream)?;
        let request = Request::decode(&header, &body).unwrap();
        let (reply, behaviour) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&mut state, &request, misbehave)
        };
        out.clear();
        encode_reply(to(header.correlation), &reply, &mut out);
        match behaviour {
            Behaviour::Closes => return None,
            Behaviour::Repeats => out.extend_from_within(..),
            Behaviour::Damages => out[HEADER_BYTES + 3] ^= 4,
            _ => {}
        }
        stream.write_all(&out).ok()?;
    }
}

fn answer(state: &mut State, request: &Request, misbehave: Misbehave) -> (Reply, Behaviour) {
    let State { model, creates } = state;
    let clock = Timestamp(1);
    let mut behaviour = Behaviour::Honest;
    let reply = match request {
        Request::CreateAccounts(events) => {
            Reply::CreateResults(model.create_accounts(events, clock))
        }
        Request::CreateTransfers(events) => {
            *creates += 1;
            behaviour = misbehave(*creates);
            match behaviour {
                Behaviour::Refuses => Reply::Error(RequestError::new(ErrorCode::Overloaded)),
                Behaviour::Forgets => {
                    let mut results = model.create_transfers(&events[..events.len() - 1], clock);
                    results.push(results[0]);
                    Reply::CreateResults(results)
                }
                Behaviour::Shortens => {
                    let mut results = model.create_transfers(events, clock);
                    results.pop();
                    Reply::CreateResults(results)
                }
                _ => Reply::CreateResults(model.create_transfers(events, clock)),
            }
        }
        Request::LookupAccounts(ids) => Reply::Accounts(model.lookup_accounts(ids)),
        Request::Status => Reply::Status(Box::new(StatusReport {
            counters: [("phase_core0_decide_ns".to_owned(), *creates * 100)].into(),
            ..StatusReport::default()
        })),
        other => panic!("the load generator doesn't send {other:?}"),
    };
    (reply, behaviour)
}

fn load(address: SocketAddr, mix: Mix, batch: u64) -> Load {
    let workload = Workload {
        accounts: 50,
        hot_accounts: 0,
        hot_percent: 0,
        mix,
        ids: Ids::Ordered,
        seed: 42,
        batch,
    };
    Load {
        address,
        workload,
        connections: 3,
        in_flight: 4,
        transfers: Some(2_000),
        seconds: None,
        rate: None,
    }
}

fn run_quietly(load: &Load) -> Result<Report, LoadError> {
    run(load, &SystemClock::new(), &mut |_| {})
}

#[test]
fn every_transfer_is_answered_and_every_balance_agrees_in_every_mix() {
    for mix in [Mix::Simple, Mix::Limits, Mix::TwoPhase, Mix::Chains] {
        let load = load(serve(|_| Behaviour::Honest), mix, 70);
        let report = run_quietly(&load).unwrap();
        assert_eq!((report.transfers, report.requests), (2_000, 29), "{mix:?}");
        assert_eq!(report.statuses.values().sum::<u64>(), 2_000, "{mix:?}");
        assert!(report.balances_agree(), "{mix:?}: {report}");
        let only_created = report.statuses.keys().eq(["created"]);
        assert_eq!(only_created, matches!(mix, Mix::Simple | Mix::TwoPhase), "{mix:?} {report}");
        let expected: &[&str] = match mix {
            Mix::Limits => &["created", "exceeds_credits"],
            Mix::Chains => &["accounts_must_be_different", "created", "linked_event_failed"],
            Mix::Simple | Mix::TwoPhase => &["created"],
        };
        assert!(report.statuses.keys().eq(expected), "{mix:?}: {report}");
        assert!(report.phases_ns["core0"]["decide"] > 0.0);
    }
}

#[test]
fn a_second_run_with_the_same_seed_changes_nothing_and_still_agrees() {
    for mix in [Mix::Simple, Mix::Limits] {
        let load = load(serve(|_| Behaviour::Honest), mix, 100);
        let first = run_quietly(&load).unwrap();
        let second = run_quietly(&load).unwrap();
        assert!(first.balances_agree() && second.balances_agree(), "{mix:?}: {second}");
        assert_eq!(second.statuses.get("created"), None, "{mix:?}");
        assert_eq!(second.statuses.get("exists"), first.statuses.get("created"), "{mix:?}");
    }
}

#[test]
fn single_transfers_run_on_a_schedule_and_their_latency_counts_from_when_they_were_due() {
    let mut load = load(serve(|_| Behaviour::Honest), Mix::TwoPhase, 1);
    load.rate = Some(20_000);
    let report = run_quietly(&load).unwrap();
    assert_eq!((report.transfers, report.requests), (2_000, 2_000));
    assert!(report.balances_agree(), "{report}");
    assert!(report.seconds >= 0.099, "faster than the schedule: {} s", report.seconds);
}

#[test]
fn a_rate_beyond_what_the_server_can_do_shows_as_waiting_and_latency() {
    let slow: Misbehave = |_| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        Behaviour::Honest
    };
    let mut load = load(serve(slow), Mix::Simple, 10);
    (load.transfers, load.rate) = (Some(1_000), Some(1_000_000));
    let report = run_quietly(&load).unwrap();
    // 100 requests of at least 2 ms each, one after the other, all due within the first ms.
    assert!(report.seconds >= 0.2);
    assert!(report.waiting_max >= 50, "{}", report.waiting_max);
    assert!(report.latency_us.p90 >= 170_000.0, "{:?}", report.latency_us);
}

#[test]
fn a_run_by_time_ends_and_answers_everything_that_it_sent() {
    let mut load = load(serve(|_| Behaviour::Honest), Mix::Simple, 5);
    (load.transfers, load.seconds) = (None, Some(1));
    let mut told = 0_u32;
    let report = run(&load, &SystemClock::new(), &mut |_| told += 1).unwrap();
    assert!(report.seconds >= 1.0 && report.transfers > 0);
    assert_eq!(report.transfers, report.requests * 5);
    assert!(report.balances_agree(), "{report}");
    assert!(f64::from(told) <= report.seconds);
}

#[test]
fn a_server_that_forgets_a_transfer_is_found_out() {
    let address = serve(|n| if n == 7 { Behaviour::Forgets } else { Behaviour::Honest });
    let report = run_quietly(&load(address, Mix::Simple, 50)).unwrap();
    assert!(!report.balances_agree());
    let text = report.to_string();
    assert!(text.contains("2 of 51 accounts WRONG"), "{text}");
    assert!(text.contains("expected Counters"), "{text}");
}

#[test]
fn a_refused_request_is_counted_and_moves_nothing() {
    let address = serve(|n| if n % 5 == 0 { Behaviour::Refuses } else { Behaviour::Honest });
    let report = run_quietly(&load(address, Mix::Simple, 50)).unwrap();
    assert_eq!(report.refused_requests["overloaded"], 8);
    assert_eq!((report.requests, report.transfers), (40, 32 * 50));
    assert!(report.balances_agree(), "{report}");
}

#[test]
fn a_server_that_breaks_the_protocol_ends_the_run() {
    let at_seven = |behaviour| match behaviour {
        Behaviour::Repeats => {
            serve(|n| if n == 7 { Behaviour::Repeats } else { Behaviour::Honest })
        }
        Behaviour::Shortens => {
            serve(|n| if n == 7 { Behaviour::Shortens } else { Behaviour::Honest })
        }
        Behaviour::Damages => {
            serve(|n| if n == 7 { Behaviour::Damages } else { Behaviour::Honest })
        }
        _ => serve(|n| if n == 7 { Behaviour::Closes } else { Behaviour::Honest }),
    };
    let result = |behaviour| run_quietly(&load(at_seven(behaviour), Mix::Simple, 20));
    assert!(matches!(result(Behaviour::Repeats), Err(LoadError::Answer(_))));
    assert!(matches!(result(Behaviour::Shortens), Err(LoadError::Answer(_))));
    assert!(matches!(result(Behaviour::Damages), Err(LoadError::Frame(_))));
    // Depending on what was in flight the system reports an end or a reset.
    let closed = result(Behaviour::Closes);
    assert!(matches!(closed, Err(LoadError::Closed | LoadError::Io { .. })), "{closed:?}");
}

#[test]
fn more_in_flight_than_the_server_allows_is_said_before_the_start() {
    let mut load = load(serve(|_| Behaviour::Honest), Mix::Simple, 20);
    load.in_flight = 33;
    let refused = run_quietly(&load);
    assert!(matches!(refused, Err(LoadError::InFlight { asked: 33, allowed: 32 })));
}

#[test]
fn full_requests_and_random_ids_go_through() {
    let mut load = load(serve(|_| Behaviour::Honest), Mix::Simple, 8_190);
    load.workload.ids = Ids::Random;
    load.transfers = Some(40_000);
    let report = run_quietly(&load).unwrap();
    assert_eq!((report.transfers, report.statuses["created"]), (40_000, 40_000));
    assert!(report.balances_agree(), "{report}");
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["transfers_per_second"].as_f64().unwrap() > 0.0);
    for field in ["p50", "p90", "p99", "p999", "max"] {
        assert!(json["latency_us"][field].as_f64().unwrap() > 0.0, "{field}");
    }
}
