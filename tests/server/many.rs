//! Thousands of connections at once, and the bound on them.

use partita::wire::{ErrorCode, Reply, Request};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bystander::Bystander;
use crate::peer::{CREATED, Peer, transfer};
use crate::process::{Launch, eventually, served};

const CONNECTIONS: usize = 10_000;

/// As many connections as wanted, or as the hard limit of this process allows.
fn affordable(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let possible = usize::try_from(hard.saturating_sub(512)).unwrap_or(usize::MAX).min(wanted);
    if possible < wanted {
        println!("only {possible} connections: the hard limit of open files is {hard}");
    }
    possible
}

#[test]
fn ten_thousand_connections_are_all_served() {
    let connections = affordable(CONNECTIONS);
    let (_home, server) = served(&["--client-timeout-ms", "60000"]);
    let mut peers: Vec<Peer> = (0..connections).map(|_| Peer::greeted(server.address)).collect();
    peers[0].create_accounts(&[1, 2]);
    let status = peers[0].status();
    assert_eq!(usize::try_from(status.connections).unwrap(), connections);
    // All at once, and only then all the answers.
    for (id, peer) in (1_000..).zip(&mut peers) {
        peer.ask(&Request::CreateTransfers(vec![transfer(id, 1, 2)]));
    }
    for peer in &mut peers {
        match peer.receive().unwrap().reply.unwrap() {
            Reply::CreateResults(results) => assert_eq!(results[0].status, CREATED),
            other => panic!("{other:?}"),
        }
    }
    let debits = peers[1].lookup_accounts(&[1])[0].debits_posted;
    assert_eq!(debits, u128::try_from(connections).unwrap());
    let mut last = peers.pop().unwrap();
    drop(peers);
    assert!(eventually(|| last.status().connections == 1));
    server.stop();
}

#[test]
fn one_connection_too_many_is_told_so_and_a_place_that_is_free_is_given() {
    let (_home, server) = served(&["--connections-max", "20"]);
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::greeted(server.address)).collect();
    for _ in 0..5 {
        Peer::connect(server.address).expect_last_words(ErrorCode::TooManyConnections);
    }
    for peer in &mut peers {
        assert_eq!(peer.call(&Request::Ping), Reply::Pong);
    }
    peers.truncate(19);
    assert!(eventually(|| peers[0].status().connections == 19));
    assert_eq!(Peer::greeted(server.address).call(&Request::Ping), Reply::Pong);
    server.stop();
}

#[test]
fn connections_never_use_up_the_descriptors_that_the_log_needs() {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::new(&home.path().join("data")).limited("ulimit -n 300");
    let mut server = launch.flags(&["--connections-max", "10000"]).start();
    let bystander = Bystander::with_batches(server.address, 1_000);
    let mut served = Vec::new();
    let refused = loop {
        let mut peer = Peer::connect(server.address);
        peer.try_send(&crate::peer::hello());
        match peer.receive() {
            Some(answer) if answer.reply.is_none() => served.push(peer),
            Some(answer) => break answer,
            None => panic!("closed without a word"),
        }
        assert!(served.len() < 300, "{}", served.len());
    };
    assert_eq!(refused.error().code(), Some(ErrorCode::TooManyConnections));
    assert!(served.len() >= 30, "{}", served.len());
    // Through several segments of the log.
    let position = |peer: &mut Peer| peer.status().log_position;
    let start = position(&mut served[0]);
    assert!(eventually(|| position(&mut served[0]) > start + (40 << 20)));
    served.truncate(1);
    assert!(eventually(|| served[0].status().connections == 2));
    bystander.finish();
    assert!(server.is_alive(), "{}", server.said());
    server.stop();
}
