//! The client against a scripted server on a real socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::*;
use crate::ledger::{
    Account, CreateResult, Op, ResolveOutcome, ResolveResult, Transfer, TransferFlags,
};
use crate::wire::{
    ErrorCode, HEADER_BYTES, Header, Hello, Limits, Reply, ReplyTo, Request, RequestError,
    encode_reply,
};

/// The server's end of one connection.
struct Peer {
    stream: TcpStream,
    limits: Limits,
}

impl Peer {
    /// The next whole frame, or nothing when the client has gone.
    fn frame(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut head = [0; HEADER_BYTES];
        self.stream.read_exact(&mut head).ok()?;
        let header = Header::parse(&head).unwrap();
        let mut body = vec![0; header.body_len()];
        self.stream.read_exact(&mut body).ok()?;
        Some((header, body))
    }

    fn request(&mut self) -> Option<(u64, Request)> {
        let (header, body) = self.frame()?;
        Some((header.correlation, Request::decode(&header, &body).unwrap()))
    }

    fn write(&mut self, bytes: &[u8]) {
        // The client may be gone already; then the test says so by itself.
        let _ = self.stream.write_all(bytes);
    }

    fn greet(&mut self) -> Option<()> {
        let (header, body) = self.frame()?;
        let hello = Hello::decode(&header, &body).unwrap();
        let to = ReplyTo { correlation: header.correlation, ..Default::default() };
        let mut out = Vec::new();
        match hello.accept(&self.limits) {
            Ok(reply) => reply.encode(to, &mut out),
            Err(error) => encode_reply(to, &Reply::Error(error), &mut out),
        }
        self.write(&out);
        Some(())
    }

    fn reply(&mut self, correlation: u64, reply: &Reply) {
        let mut out = Vec::new();
        encode_reply(ReplyTo { correlation, op: Op(5), epoch: 1 }, reply, &mut out);
        self.write(&out);
    }

    /// Answers as a ledger to which everything is new.
    fn serve(&mut self, correlation: u64, request: &Request) {
        let created = |events| {
            let one = |at| CreateResult { timestamp: at, status: u32::MAX, reserved: 0 };
            Reply::CreateResults((1..=events as u64).map(one).collect())
        };
        let reply = match request {
            Request::ResolveTransfers { ids, .. } => {
                Reply::ResolveResults(vec![
                    ResolveResult { timestamp: 0, outcome: 3, reserved: 0 };
                    ids.len()
                ])
            }
            Request::LookupAccounts(ids) => {
                let found = |&id: &u128| Account { id, timestamp: 8, ..Default::default() };
                Reply::Accounts(ids.iter().map(found).collect())
            }
            Request::Ping => Reply::Pong,
            request => created(request.events()),
        };
        self.reply(correlation, &reply);
    }
}

/// A server that runs `script` for each connection, one after the other. It ends with the test.
fn server(mut script: impl FnMut(usize, &mut Peer) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let limits = Limits { cluster: 42, in_flight_max: 64, idle_seconds_max: 0 };
            script(at, &mut Peer { stream: stream.unwrap(), limits });
        }
    });
    address
}

fn options(address: String) -> ConnectOptions {
    ConnectOptions {
        backoff_min: Duration::from_millis(1),
        connect_deadline: Duration::from_secs(20),
        ..ConnectOptions::new(address)
    }
}

fn connect(address: String) -> Client {
    Client::connect(&options(address)).unwrap()
}

fn transfer(id: u128) -> Transfer {
    Transfer { id, ..Default::default() }
}

#[test]
fn many_requests_are_in_flight_and_replies_come_in_any_order() {
    let client = connect(server(|_, peer| {
        peer.greet();
        let requests: Vec<_> = (0..10).map_while(|_| peer.request()).collect();
        for (correlation, request) in requests.iter().rev() {
            peer.serve(*correlation, request);
        }
        peer.frame();
    }));
    assert_eq!(client.server().cluster, 42);
    let request = |count: usize| Request::CreateTransfers(vec![transfer(1); count]);
    let pending: Vec<_> = (1..=10).map(|count| client.submit(&request(count))).collect();
    for (at, pending) in pending.into_iter().enumerate() {
        let answer = pending.wait().unwrap();
        assert!(matches!(answer.value, Reply::CreateResults(results) if results.len() == at + 1));
        assert_eq!(answer.op, Op(5));
    }
}

#[test]
fn full_requests_pass_whole() {
    let client = connect(server(|_, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            peer.serve(correlation, &request);
        }
    }));
    let events: Vec<_> = (1..=8_190).map(transfer).collect();
    let Outcome::Definite(answer) = client.create_transfers(&events) else { panic!("no answer") };
    assert_eq!(answer.value.len(), 8_190);
    assert_eq!(answer.value[8_189].timestamp, 8_190);
    let too_many: Vec<_> = (1..=8_191).map(transfer).collect();
    assert!(matches!(client.create_transfers(&too_many), Outcome::Refused(Refusal::NotSent(_))));
    assert!(client.ping().is_ok());
}

#[test]
fn a_connection_lost_in_between_is_made_anew_and_the_same_bytes_are_resent() {
    let (sender, seen) = channel();
    let client = connect(server(move |at, peer| {
        peer.greet();
        while let Some((header, body)) = peer.frame() {
            sender.send((header, body.clone())).unwrap();
            if at < 2 {
                return;
            }
            peer.serve(header.correlation, &Request::decode(&header, &body).unwrap());
        }
    }));
    let Outcome::Definite(answer) = client.create_transfer(transfer(7)) else { panic!() };
    assert_eq!(answer.value.status, u32::MAX);
    let attempts: Vec<_> = seen.try_iter().collect();
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|attempt| *attempt == attempts[0]));
}

#[test]
fn a_deadline_leaves_the_outcome_unknown_until_it_is_settled() {
    let address = server(|at, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            if at > 0 || !matches!(request, Request::CreateTransfers(_)) {
                peer.serve(correlation, &request);
            }
        }
    });
    let options =
        ConnectOptions { request_deadline: Duration::from_millis(200), ..options(address) };
    let client = Client::connect(&options).unwrap();
    let Outcome::Unknown(unknown) = client.create_transfers(&[transfer(1), transfer(2)]) else {
        panic!("no reply ever came")
    };
    assert_eq!(
        (unknown.ids.as_slice(), &unknown.reason),
        (&[1, 2][..], &UnknownReason::DeadlinePassed)
    );
    // A machine that is busy may let one short deadline pass; settling can be repeated.
    let settled = (0..50).find_map(|_| client.settle(&unknown, true).into_result().ok()).unwrap();
    let fenced = |id| Settled { id, outcome: ResolveOutcome::Fenced, timestamp: None };
    assert_eq!(settled.value, [fenced(1), fenced(2)]);
}

#[test]
fn accounts_are_settled_by_looking() {
    let client = connect(server(|_, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            peer.serve(correlation, &request);
        }
    }));
    let unknown = UnknownOutcome {
        reason: UnknownReason::Closed,
        kind: crate::wire::Kind::CreateAccounts,
        ids: vec![3],
    };
    let settled = client.settle(&unknown, true).into_result().unwrap();
    assert_eq!(settled.value[0].outcome, ResolveOutcome::Created);
    assert_eq!(settled.value[0].timestamp.map(|timestamp| timestamp.0), Some(8));
}

#[test]
fn a_refused_hello_is_an_error_at_once() {
    let address = server(|_, peer| {
        peer.greet();
    });
    let other = ConnectOptions { cluster: 41, ..options(address) };
    let Err(ConnectError::Refused(error)) = Client::connect(&other) else { panic!("accepted") };
    assert_eq!(error.code(), Some(ErrorCode::ClusterMismatch));

    let address = server(|_, peer| {
        peer.frame();
        peer.reply(u64::MAX, &Reply::Error(RequestError::new(ErrorCode::VersionMismatch)));
    });
    let Err(ConnectError::Refused(error)) = Client::connect(&options(address)) else { panic!() };
    assert_eq!(error.code(), Some(ErrorCode::VersionMismatch));
}

#[test]
fn connecting_to_something_else_ends_at_the_deadline() {
    let brief = |address| ConnectOptions {
        connect_deadline: Duration::from_millis(100),
        ..options(address)
    };
    let garbage = server(|_, peer| {
        peer.write(&[b'x'; 100]);
        peer.frame();
    });
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for address in [garbage, nobody] {
        let error = Client::connect(&brief(address)).unwrap_err();
        assert!(matches!(error, ConnectError::DeadlinePassed { last: Some(_) }), "{error}");
    }
    let nowhere = ConnectOptions { addresses: vec![], ..brief(String::new()) };
    assert!(matches!(Client::connect(&nowhere), Err(ConnectError::NoAddress(_))));
}

#[test]
fn garbage_from_the_server_costs_a_connection_and_not_the_answer() {
    let client = connect(server(|at, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            if at == 0 {
                return peer.write(&[0xEE; 500]);
            }
            peer.serve(correlation, &request);
        }
    }));
    assert!(matches!(client.create_transfer(transfer(1)), Outcome::Definite(_)));
}

/// Answers everything, and reports the events of each create request.
fn counting_server(sender: Sender<Vec<Transfer>>) -> String {
    server(move |_, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            peer.serve(correlation, &request);
            if let Request::CreateTransfers(events) = request {
                sender.send(events).unwrap();
            }
        }
    })
}

#[test]
fn concurrent_callers_share_requests_and_each_gets_its_own_result() {
    let (sender, seen) = channel();
    let client = connect(counting_server(sender));
    let callers = 8_u128;
    let calls = 200_u128;
    std::thread::scope(|scope| {
        for caller in 1..=callers {
            let client = client.clone();
            scope.spawn(move || {
                for call in 0..calls {
                    let first = Transfer {
                        flags: TransferFlags::LINKED,
                        ..transfer(caller * 10_000 + call * 2)
                    };
                    let second = transfer(first.id + 1);
                    let Outcome::Definite(answer) = client.create_transfers(&[first, second])
                    else {
                        panic!("no answer")
                    };
                    let [one, two] = answer.value[..] else { panic!("two results") };
                    assert_eq!(one.timestamp + 1, two.timestamp, "neighbours in the request");
                }
            });
        }
    });
    drop(client);
    let requests: Vec<_> = seen.try_iter().collect();
    let events: usize = requests.iter().map(Vec::len).sum();
    assert_eq!(events as u128, callers * calls * 2);
    assert!(requests.len() as u128 <= callers * calls);
    for request in requests {
        assert!(!request.last().unwrap().has(TransferFlags::LINKED), "a chain was cut");
    }
}

#[test]
fn dropping_the_client_ends_what_is_outstanding() {
    let client = connect(server(|_, peer| {
        peer.greet();
        while peer.frame().is_some() {}
    }));
    let pending = client.submit(&Request::Ping);
    let other = client.clone();
    drop(client);
    drop(other);
    assert!(pending.wait().is_err());
}

#[test]
fn callers_wait_when_too_many_calls_are_outstanding() {
    let (go, start) = channel::<()>();
    let address = server(move |_, peer| {
        peer.greet();
        start.recv().unwrap();
        while let Some((correlation, request)) = peer.request() {
            peer.serve(correlation, &request);
        }
    });
    let options = ConnectOptions { outstanding_max: 2, ..options(address) };
    let client = Client::connect(&options).unwrap();
    let first = [client.submit(&Request::Ping), client.submit(&Request::Ping)];
    let waiting = std::thread::spawn({
        let client = client.clone();
        move || client.ping().is_ok()
    });
    assert!(first.iter().all(|pending| pending.try_wait().is_none()));
    go.send(()).unwrap();
    assert!(first.into_iter().all(|pending| pending.wait().is_ok()));
    assert!(waiting.join().unwrap());
}

#[test]
fn a_callback_may_submit_the_next_call() {
    let client = connect(server(|_, peer| {
        peer.greet();
        while let Some((correlation, request)) = peer.request() {
            peer.serve(correlation, &request);
        }
    }));
    fn next(client: Client, left: u32, done: Sender<u32>) {
        let again = client.clone();
        client.submit_with(&Request::Ping, move |completion| {
            assert!(completion.is_ok());
            if left == 0 { done.send(left).unwrap() } else { next(again, left - 1, done) }
        });
    }
    let (sender, done) = channel();
    next(client, 100, sender);
    assert_eq!(done.recv_timeout(Duration::from_secs(20)), Ok(0));
}
