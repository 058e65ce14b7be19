//! Clients that dawdle, stop half-way, or never read: they cost little, and only themselves.

use std::time::Duration;

use partita::ledger::{AccountFilter, AccountFilterFlags};
use partita::wire::{ErrorCode, Reply, Request};

use crate::bystander::Bystander;
use crate::peer::{CREATED, Peer, frame, hello, transfer};
use crate::process::{eventually, served};

const TIMEOUT: [&str; 2] = ["--client-timeout-ms", "300"];

/// Far longer than the time-out above.
const DAWDLE: Duration = Duration::from_millis(1_200);

#[test]
fn who_stops_inside_a_frame_is_told_and_ended() {
    let (_home, server) = served(&TIMEOUT);
    let bystander = Bystander::start(server.address);
    let small = frame(2, &Request::CreateTransfers(vec![transfer(1, 2, 3); 100]));
    let large = frame(2, &Request::CreateTransfers(vec![transfer(1, 2, 3); 8_000]));
    let beginnings =
        [(0, &small), (1, &small), (63, &small), (64, &small), (9_000, &small), (700_000, &large)];
    let mut peers: Vec<Peer> = beginnings
        .iter()
        .map(|(end, bytes)| {
            let mut peer = Peer::connect(server.address);
            if *end > 0 {
                peer.send(&hello());
                assert!(peer.receive().unwrap().reply.is_none());
                peer.send(&bytes[..*end]);
            }
            peer
        })
        .collect();
    for peer in &mut peers {
        peer.expect_last_words(ErrorCode::TooSlow);
    }
    let status = Peer::greeted(server.address).status();
    assert_eq!(status.counters["connections_too_slow"], 6);
    bystander.finish();
    server.stop();
}

#[test]
fn byte_after_byte_buys_no_time() {
    let (_home, server) = served(&TIMEOUT);
    let bytes = frame(2, &Request::CreateTransfers(vec![transfer(1, 2, 3); 100]));
    let mut peer = Peer::greeted(server.address);
    for byte in &bytes[..400] {
        std::thread::sleep(Duration::from_millis(5));
        if !peer.try_send(&[*byte]) {
            break;
        }
    }
    peer.expect_last_words(ErrorCode::TooSlow);
    server.stop();
}

#[test]
fn silence_between_frames_is_no_fault() {
    let (_home, server) = served(&TIMEOUT);
    let mut peer = Peer::greeted(server.address);
    std::thread::sleep(DAWDLE);
    assert_eq!(peer.call(&Request::Ping), Reply::Pong);
    std::thread::sleep(DAWDLE);
    assert_eq!(peer.call(&Request::Ping), Reply::Pong);
    server.stop();
}

#[test]
fn large_bodies_that_never_end_don_t_block_those_that_do() {
    let (_home, server) = served(&["--client-timeout-ms", "60000"]);
    let large = frame(2, &Request::CreateTransfers(vec![transfer(1, 2, 3); 8_000]));
    let mut peers: Vec<Peer> = (0..200).map(|_| Peer::greeted(server.address)).collect();
    peers.iter_mut().for_each(|peer| peer.send(&large[..300_000]));
    Bystander::with_batches(server.address, 1_000).finish();
    drop(peers);
    server.stop();
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answers() {
    let (_home, server) = served(&[]);
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    let asked: Vec<u64> = (0..50)
        .map(|id| peer.ask(&Request::CreateTransfers(vec![transfer(10 + id, 1, 2)])))
        .collect();
    peer.end_writing();
    let mut answered: Vec<u64> =
        std::iter::from_fn(|| peer.receive()).map(|answer| answer.header.correlation).collect();
    answered.sort_unstable();
    assert_eq!(answered, asked);
    server.stop();
}

#[test]
fn answers_that_nobody_reads_take_bounded_memory_and_are_not_lost() {
    const REQUESTS: usize = 120;
    let (_home, server) = served(&[]);
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    for half in 0..2 {
        let events = (0..4_095).map(|at| transfer(10 + half * 4_095 + at, 1, 2)).collect();
        assert!(peer.create_transfers(events).iter().all(|result| result.status == CREATED));
    }
    let filter = AccountFilter {
        account_id: 1,
        limit: 8_190,
        flags: AccountFilterFlags::DEBITS,
        ..bytemuck::Zeroable::zeroed()
    };
    // Each of these 192 bytes is answered with a megabyte.
    assert_eq!(records(&peer.call(&Request::GetAccountTransfers(filter))), 8_190);
    let before = server.proc_status("VmHWM");
    for _ in 0..REQUESTS {
        peer.ask(&Request::GetAccountTransfers(filter));
    }
    std::thread::sleep(DAWDLE);
    assert_eq!(Peer::greeted(server.address).lookup_transfers(&[10, 11]).len(), 2);
    for _ in 0..REQUESTS {
        assert_eq!(records(&peer.receive().unwrap().reply.unwrap()), 8_190);
    }
    let grown = server.proc_status("VmHWM").saturating_sub(before);
    assert!(grown < 48 << 10, "{grown} KiB for a client that doesn't read");
    server.stop();
}

fn records(reply: &Reply) -> usize {
    match reply {
        Reply::Transfers(transfers) => transfers.len(),
        other => panic!("{:?}", other.kind()),
    }
}

#[test]
fn clients_that_go_without_reading_are_forgotten() {
    let (_home, server) = served(&TIMEOUT);
    let mut watch = Peer::greeted(server.address);
    watch.create_accounts(&[1, 2]);
    let files = server.open_files();
    let request = frame(5, &Request::LookupAccounts(vec![1; 4_000]));
    for half_open in [true, false] {
        let mut peers: Vec<Peer> = (0..20).map(|_| Peer::greeted(server.address)).collect();
        for peer in &mut peers {
            // Half a megabyte of answers each: together as much as the server will hold for one.
            for _ in 0..7 {
                peer.send(&request);
            }
            peer.end_writing();
        }
        if !half_open {
            peers.clear();
        }
        // Those that hold their own side open don't hold up the server.
        assert!(eventually(|| watch.status().connections == 1), "{:?}", watch.status());
    }
    assert!(eventually(|| server.open_files() <= files), "{} > {files}", server.open_files());
    server.stop();
}

#[test]
fn more_requests_than_the_credit_are_refused_one_by_one() {
    const PINGS: u64 = 2_000;
    let (_home, server) = served(&[]);
    let mut peer = Peer::greeted(server.address);
    let burst: Vec<u8> = (1..=PINGS).flat_map(|number| frame(number, &Request::Ping)).collect();
    peer.send(&burst);
    let (mut pongs, mut refused, mut seen) = (0, 0, Vec::new());
    for _ in 0..PINGS {
        let answer = peer.receive().unwrap();
        seen.push(answer.header.correlation);
        match answer.reply.unwrap() {
            Reply::Pong => pongs += 1,
            Reply::Error(error) => {
                assert_eq!(error.code(), Some(ErrorCode::CreditExceeded));
                assert!(error.is_definite() && !error.closes());
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=PINGS).collect::<Vec<_>>());
    assert!(pongs >= 256 && refused > 0, "{pongs} {refused}");
    assert_eq!(peer.call(&Request::Ping), Reply::Pong);
    server.stop();
}
