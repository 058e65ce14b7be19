//! A disk that is full: refused clearly, nothing acknowledged is lost, and room is enough to go on.

use std::path::Path;
use std::process::Command;

use partita::wire::{ErrorCode, Reply, Request};

use crate::peer::{CREATED, Peer, transfer};
use crate::process::{Launch, PARTITA, eventually};
use crate::small_disk::{SmallDisk, on_small_disk};

const UNAVAILABLE: i32 = 5;

fn launch(data: &Path) -> Launch {
    // The mapped writer needs no direct writes, which not every such file system takes.
    Launch::new(data).segment("4MiB").flags(&["--log-writer", "mapped"])
}

fn batch(number: u128) -> Request {
    let first = 1_000 + number * 500;
    Request::CreateTransfers((first..first + 500).map(|id| transfer(id, 1, 2)).collect())
}

/// Creates batches until one is refused for want of space. Gives how many were created.
fn fill(peer: &mut Peer, start: u128) -> u128 {
    for number in start..start + 2_000 {
        match peer.call(&batch(number)) {
            Reply::CreateResults(results) => {
                assert!(results.iter().all(|result| result.status == CREATED));
            }
            Reply::Error(error) => {
                assert_eq!(error.code(), Some(ErrorCode::CapacityExceeded), "{error:?}");
                assert!(error.is_definite() && error.detail.contains("full"), "{error:?}");
                return number;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("the disk never fills up");
}

fn expect_created(peer: &mut Peer, batches: u128) {
    let debits = peer.lookup_accounts(&[1])[0].debits_posted;
    assert_eq!(debits, batches * 500);
    for number in 0..batches {
        let first = 1_000 + number * 500;
        assert_eq!(peer.lookup_transfers(&[first, first + 499]).len(), 2, "batch {number}");
    }
}

#[test]
fn a_disk_that_fills_up_while_serving() {
    on_small_disk("disk::a_disk_that_fills_up_while_serving", 32, fills_up_while_serving);
}

fn fills_up_while_serving(disk: &SmallDisk) {
    let data = disk.path().join("data");
    let server = launch(&data).start();
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    let created = fill(&mut peer, 0);
    assert!(created > 20, "{created}");
    expect_created(&mut peer, created);
    server.kill();

    // On the full disk everything is there, and still nothing can be written.
    let server = launch(&data).start();
    let mut peer = Peer::greeted(server.address);
    expect_created(&mut peer, created);
    let created = fill(&mut peer, created);
    expect_created(&mut peer, created);

    // With room the server goes on by itself.
    disk.resize(64);
    let mut results = None;
    assert!(eventually(|| {
        results = Some(peer.call(&batch(created)));
        matches!(results, Some(Reply::CreateResults(_)))
    }));
    expect_created(&mut peer, created + 1);
    server.stop();
    let verified = Command::new(PARTITA).arg("verify").arg("--data").arg(&data).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    on_small_disk("disk::a_disk_that_is_full_from_the_start", 1, full_from_the_start);
}

fn full_from_the_start(disk: &SmallDisk) {
    let data = disk.path().join("data");
    let (status, said) = launch(&data).refused();
    assert_eq!(status, UNAVAILABLE, "{said}");
    assert!(said.contains("No space left"), "{said}");
    disk.resize(64);
    let server = launch(&data).start();
    Peer::greeted(server.address).create_accounts(&[1, 2]);
    server.stop();
}

#[test]
fn files_may_not_grow_as_far_as_a_segment() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    // The signal that comes with it is ignored, as a shell's `trap` hands on.
    let (status, said) = launch(&data).limited("trap '' XFSZ; ulimit -f 2048").refused();
    assert_eq!(status, UNAVAILABLE, "{said}");
    assert!(said.contains("too large"), "{said}");
    launch(&data).start().stop();
}
