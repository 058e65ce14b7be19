//! Stopping, gently and not: what was acknowledged is there afterwards.

use std::collections::BTreeSet;

use partita::wire::{ErrorCode, Reply, Request};

use crate::peer::{CREATED, Peer, frame, transfer};
use crate::process::{Launch, PARTITA};

const EVENTS: u128 = 50;

fn first_id(request: u64) -> u128 {
    1_000 + u128::from(request) * EVENTS
}

fn create(request: u64) -> Vec<u8> {
    let first = first_id(request);
    frame(
        request,
        &Request::CreateTransfers((first..first + EVENTS).map(|id| transfer(id, 1, 2)).collect()),
    )
}

/// Whether all transfers of a request exist. They must exist all or not at all.
fn exists(peer: &mut Peer, request: u64) -> bool {
    let first = first_id(request);
    let found = peer.lookup_transfers(&(first..first + EVENTS).collect::<Vec<_>>()).len();
    assert!(found == 0 || found == 50, "{found} transfers of request {request}");
    found > 0
}

#[test]
fn sigterm_answers_what_is_in_flight_and_a_restart_finds_it() {
    for cores in ["1", "2"] {
        let home = tempfile::tempdir().unwrap();
        let launch = Launch::new(&home.path().join("data")).flags(&["--cores", cores]);
        let mut server = launch.start();
        let mut peers: Vec<Peer> = (0..8).map(|_| Peer::greeted(server.address)).collect();
        peers[0].create_accounts(&[1, 2]);
        let mut request = 0;
        for peer in &mut peers {
            for _ in 0..40 {
                request += 1;
                peer.send(&create(request));
            }
        }
        // The signal must not come before the server has seen anything.
        let first = peers[0].receive().expect("an answer");
        assert!(matches!(first.reply, Some(Reply::CreateResults(_))));
        server.terminate();
        let (mut created, mut refused) = (BTreeSet::new(), BTreeSet::new());
        created.insert(first.header.correlation);
        for peer in &mut peers {
            while let Some(answer) = peer.receive() {
                let request = answer.header.correlation;
                match answer.reply.unwrap() {
                    Reply::CreateResults(results) => {
                        assert!(results.iter().all(|result| result.status == CREATED));
                        assert!(created.insert(request));
                    }
                    Reply::Error(error) => {
                        assert_eq!(error.code(), Some(ErrorCode::ShuttingDown), "{error:?}");
                        assert!(error.is_definite() && !error.closes());
                        assert!(refused.insert(request));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(server.wait(), 0, "{}", server.said());
        let server = launch.start();
        let mut peer = Peer::greeted(server.address);
        for &request in &created {
            assert!(exists(&mut peer, request), "request {request} was acknowledged");
        }
        for &request in &refused {
            assert!(!exists(&mut peer, request), "request {request} was refused");
        }
        let taken = peer.status().counters["requests_accepted"];
        assert!(taken > 0 && !created.is_empty(), "{} created", created.len());
        server.stop();
    }
}

#[test]
fn idle_and_unfinished_connections_don_t_hold_up_a_stop() {
    let home = tempfile::tempdir().unwrap();
    let server = Launch::new(&home.path().join("data")).start();
    let mut peers: Vec<Peer> = (0..50).map(|_| Peer::greeted(server.address)).collect();
    peers.iter_mut().take(20).for_each(|peer| peer.send(&create(1)[..100]));
    let silent = Peer::connect(server.address);
    let start = std::time::Instant::now();
    server.stop();
    // Half of what a client that doesn't read may cost.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    drop(silent);
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    for writer in ["direct", "mapped"] {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let launch = Launch::new(&data).flags(&["--log-writer", writer]);
        let server = launch.start();
        let mut peer = Peer::greeted(server.address);
        peer.create_accounts(&[1, 2]);
        let mut acknowledged = Vec::new();
        (1..=60).for_each(|request| peer.send(&create(request)));
        for _ in 0..30 {
            acknowledged.push(peer.receive().unwrap().header.correlation);
        }
        server.kill();
        // What had been sent before the end was acknowledged as well.
        while let Some(answer) = peer.receive() {
            acknowledged.push(answer.header.correlation);
        }
        let server = launch.start();
        let mut peer = Peer::greeted(server.address);
        for request in acknowledged {
            assert!(exists(&mut peer, request), "request {request}, {writer}");
        }
        server.stop();
        let verify =
            std::process::Command::new(PARTITA).arg("verify").arg("--data").arg(&data).output();
        assert!(verify.unwrap().status.success());
    }
}
