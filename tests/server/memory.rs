//! Memory and descriptors stay flat over very many connections.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use partita::wire::{Reply, Request};
use socket2::SockRef;

use crate::peer::{Peer, hello};
use crate::process::{Server, eventually, served};

const WARM_UP: usize = 10_000;
const CONNECTIONS: usize = 100_000;
const THREADS: usize = 4;
/// What allocators may keep here and there.
const SLACK_KIB: u64 = 8 << 10;

/// Connects; waits when all ports of this machine are taken by connections that just ended.
fn connect(address: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// One short connection, of one of several kinds.
fn visit(address: SocketAddr, kind: usize) {
    match kind % 8 {
        // A whole conversation.
        0 => assert_eq!(Peer::greeted(address).call(&Request::Ping), Reply::Pong),
        // Greets and goes without waiting.
        1 | 2 => {
            let _ = connect(address).write_all(&hello());
        }
        // Nonsense.
        3 => {
            let _ = connect(address).write_all(&[0x5a; 70]);
        }
        // Connects and goes.
        4 | 5 => drop(connect(address)),
        // Goes with a reset, in the middle of a greeting or without a word.
        other => {
            let mut stream = connect(address);
            if other == 6 {
                let _ = stream.write_all(&hello()[..100]);
            }
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}

fn visits(address: SocketAddr, count: usize) {
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..count / THREADS).for_each(|kind| visit(address, kind)));
        }
    });
}

/// Resident memory and descriptors once all visitors are gone.
fn at_rest(server: &Server, watch: &mut Peer) -> (u64, usize) {
    assert!(eventually(|| watch.status().connections == 1), "{:?}", watch.status());
    (server.proc_status("VmRSS"), server.open_files())
}

#[test]
fn a_hundred_thousand_connections_leave_nothing_behind() {
    let (_home, server) = served(&["--client-timeout-ms", "2000"]);
    let mut watch = Peer::greeted(server.address);
    visits(server.address, WARM_UP);
    let (memory, files) = at_rest(&server, &mut watch);
    visits(server.address, CONNECTIONS - WARM_UP);
    let (memory_after, files_after) = at_rest(&server, &mut watch);
    println!(
        "resident: {memory} KiB, then {memory_after} KiB; open files: {files}, then {files_after}"
    );
    assert!(memory_after <= memory + SLACK_KIB, "{memory} KiB grew to {memory_after} KiB");
    assert!(files_after <= files + 8, "{files} open files became {files_after}");
    assert!(watch.status().counters["connections_accepted"] > 99_000);
    server.stop();
}
