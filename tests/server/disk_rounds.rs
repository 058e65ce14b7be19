//! Rounds of: fill a small disk under full load, see writes refused and nothing else, make room, see
//! writes go on by themselves.
//!
//! Segments have the least size, so that a full batch with history takes one for itself, and whatever
//! is on its way at any moment needs many. `PARTITA_DISK_ROUNDS` sets the number of rounds;
//! scripts/disk-full runs a hundred.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita::ledger::{Account, AccountFlags, Transfer, TransferFlags};
use partita::limits::EVENTS_PER_REQUEST_MAX;
use partita::wire::{ErrorCode, Reply, Request};

use crate::peer::{CREATED, Peer, transfer};
use crate::process::{Launch, PARTITA, Server, eventually};
use crate::small_disk::on_small_disk;

const ROUNDS_DEFAULT: u64 = 4;
/// A directory's log is read again when its last round is over.
const ROUNDS_PER_DISK: u64 = 5;
const CONNECTIONS: u64 = 3;
const IN_FLIGHT: usize = 3;
const MIB: u64 = 1 << 20;

/// One connection that writes all it can.
struct Loader {
    peer: Peer,
    next_id: u128,
    kind: u64,
}

impl Loader {
    fn new(address: SocketAddr, number: u64) -> Self {
        let next_id = (u128::from(number) + 1) << 64;
        Self { peer: Peer::greeted(address), next_id, kind: number }
    }

    /// The next request, and what it moves from account 1 to account 2.
    fn next(&mut self) -> (Request, u128) {
        self.kind += 1;
        let count = EVENTS_PER_REQUEST_MAX;
        let first = self.next_id;
        self.next_id += count as u128;
        let plain = |at: usize| transfer(first + at as u128, 1, 2);
        let events: Vec<Transfer> = match self.kind % 4 {
            // Full, and each side leaves a row of history.
            0 | 1 => (0..count).map(plain).collect(),
            // Chains of three.
            2 => {
                let linked = |at: usize| if at % 3 == 2 { 0 } else { TransferFlags::LINKED };
                (0..count).map(|at| Transfer { flags: linked(at), ..plain(at) }).collect()
            }
            // Holds that are posted at once.
            _ => (0..count)
                .map(|at| match at % 2 {
                    0 => Transfer { flags: TransferFlags::PENDING, ..plain(at) },
                    _ => Transfer {
                        flags: TransferFlags::POST_PENDING_TRANSFER,
                        pending_id: first + at as u128 - 1,
                        ..plain(at)
                    },
                })
                .collect(),
        };
        let posted = if self.kind % 4 == 3 { count / 2 } else { count };
        (Request::CreateTransfers(events), posted as u128)
    }

    /// Writes until it is refused. Gives what was moved.
    fn fill(mut self) -> (Self, u128) {
        let mut moved = 0;
        let mut refused = false;
        let mut open: Vec<(u64, u128)> = Vec::new();
        while !refused || !open.is_empty() {
            while !refused && open.len() < IN_FLIGHT {
                let (request, amount) = self.next();
                open.push((self.peer.ask(&request), amount));
            }
            let answer = self.peer.receive().expect("the server goes on");
            let at = open.iter().position(|(sent, _)| *sent == answer.header.correlation).unwrap();
            let (_, amount) = open.swap_remove(at);
            match answer.reply {
                Some(Reply::CreateResults(results)) => {
                    assert!(results.iter().all(|result| result.status == CREATED));
                    moved += amount;
                }
                Some(Reply::Error(error)) => {
                    assert_eq!(error.code(), Some(ErrorCode::CapacityExceeded), "{error:?}");
                    assert!(error.is_definite() && error.detail.contains("full"), "{error:?}");
                    refused = true;
                }
                other => panic!("{other:?}"),
            }
        }
        (self, moved)
    }
}

/// What takes the room on the disk, in pieces that can be taken away.
fn fill_up(disk: &Path, mib: &[u64]) -> Vec<PathBuf> {
    (0..)
        .zip(mib)
        .map(|(number, &mib)| {
            let path = disk.join(format!("filler-{number}"));
            std::fs::write(&path, vec![1; usize::try_from(mib * MIB).unwrap()]).unwrap();
            path
        })
        .collect()
}

fn create_accounts(peer: &mut Peer) {
    let account = |id| Account {
        id,
        ledger: 700,
        code: 10,
        flags: AccountFlags::HISTORY,
        ..Account::default()
    };
    match peer.call(&Request::CreateAccounts(vec![account(1), account(2)])) {
        Reply::CreateResults(results) => assert!(results.iter().all(|it| it.status == CREATED)),
        other => panic!("{other:?}"),
    }
}

fn expect_moved(peer: &mut Peer, moved: u128) {
    let accounts = peer.lookup_accounts(&[1, 2]);
    assert_eq!((accounts[0].debits_posted, accounts[1].credits_posted), (moved, moved));
}

/// All rounds of one disk.
fn rounds_of_disk(disk: &Path, number: u64, room_mib: &[u64]) {
    let data = disk.join("data");
    let fillers = fill_up(disk, room_mib);
    let writer = if number.is_multiple_of(2) { "mapped" } else { "direct" };
    let launch = Launch::new(&data).segment("4MiB").flags(&["--log-writer", writer]);
    let mut server: Server = launch.start();
    let mut peer = Peer::greeted(server.address);
    create_accounts(&mut peer);
    let mut moved = 0;
    let mut loaders: Vec<Loader> =
        (0..CONNECTIONS).map(|number| Loader::new(server.address, number)).collect();
    for filler in fillers {
        let threads: Vec<_> =
            loaders.drain(..).map(|loader| std::thread::spawn(move || loader.fill())).collect();
        for thread in threads {
            let (loader, more) = thread.join().unwrap();
            loaders.push(loader);
            moved += more;
        }
        // Everything that was accepted is there, and reads are served.
        expect_moved(&mut peer, moved);
        assert!(server.is_alive(), "{}", server.said());
        std::fs::remove_file(filler).unwrap();
        assert!(eventually(|| {
            let (request, amount) = loaders[0].next();
            match peer.call(&request) {
                Reply::CreateResults(_) => {
                    moved += amount;
                    true
                }
                Reply::Error(error) => {
                    assert_eq!(error.code(), Some(ErrorCode::CapacityExceeded), "{error:?}");
                    false
                }
                other => panic!("{other:?}"),
            }
        }));
        expect_moved(&mut peer, moved);
    }
    if number.is_multiple_of(3) {
        server.kill();
    } else {
        server.stop();
    }
    let server = launch.start();
    expect_moved(&mut Peer::greeted(server.address), moved);
    server.stop();
    let verified = Command::new(PARTITA).arg("verify").arg("--data").arg(&data).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_disk_that_fills_up_again_and_again_under_full_load() {
    let rounds = std::env::var("PARTITA_DISK_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut left: u64 = rounds.unwrap_or(ROUNDS_DEFAULT);
    let mut number = 0;
    while left > 0 {
        let here = left.min(ROUNDS_PER_DISK);
        // Room for one segment at least; what is over shifts the end from round to round.
        let room: Vec<u64> = (0..here).map(|round| 5 + (number * 5 + round * 3) % 9).collect();
        let size = 18 + number % 7 + room.iter().sum::<u64>();
        let name = "disk_rounds::a_disk_that_fills_up_again_and_again_under_full_load";
        let mut mounted = false;
        on_small_disk(name, size, |disk| {
            mounted = true;
            rounds_of_disk(disk.path(), number, &room);
        });
        if !mounted {
            // All of it ran in a namespace of its own, or nowhere.
            return;
        }
        left -= here;
        number += 1;
        println!("{here} rounds on a disk of {size} MiB: ok, {left} to go");
    }
}
