//! A clock that is wrong: at the first start, at a later one, and while the server runs.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use partita::ledger::{Transfer, TransferFlags};

use crate::peer::{CREATED, Peer, transfer};
use crate::process::{Launch, PARTITA, eventually};

const UNAVAILABLE: i32 = 5;
const SECOND: i64 = 1_000_000_000;
const YEAR: i64 = 365 * 86_400 * SECOND;
/// 292 years ahead of today, which is later than 2^63 nanoseconds after 1970.
const AFTER_2262: i64 = i64::MAX;

/// A directory with a wall clock that can be set.
struct Wrong {
    home: tempfile::TempDir,
}

impl Wrong {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/clock.c");
        let mut compiler = Command::new("gcc");
        compiler
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(home.path().join("clock.so"))
            .arg(source);
        let compiled = compiler.output().expect("this test needs gcc, as the build does");
        assert!(compiled.status.success(), "{compiled:?}");
        fs::write(home.path().join("offset"), [0; 8]).unwrap();
        Self { home }
    }

    fn set(&self, offset: i64) {
        let file =
            fs::OpenOptions::new().write(true).open(self.home.path().join("offset")).unwrap();
        file.write_all_at(&offset.to_ne_bytes(), 0).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn launch(&self) -> Launch {
        let home = self.home.path().display();
        Launch::new(&self.data())
            .limited(&format!("export TEST_CLOCK={home}/offset LD_PRELOAD={home}/clock.so"))
    }
}

fn hold(id: u128, timeout: u32) -> Transfer {
    Transfer { flags: TransferFlags::PENDING, timeout, ..transfer(id, 1, 2) }
}

fn pending(peer: &mut Peer) -> u128 {
    peer.lookup_accounts(&[1])[0].debits_pending
}

fn status(address: std::net::SocketAddr) -> serde_json::Value {
    let mut command = Command::new(PARTITA);
    let shown =
        command.args(["status", "--json", "--connect", &address.to_string()]).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    serde_json::from_slice(&shown.stdout).unwrap()
}

/// As a number, whether it is written as one or as text.
fn number(value: &serde_json::Value) -> i64 {
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[test]
fn a_first_start_refuses_a_clock_that_can_not_be_right_and_leaves_nothing() {
    let wrong = Wrong::new();
    // What is later than 2^63 nanoseconds after 1970 has no timestamp.
    for (offset, named) in
        [(-56 * YEAR, "before this version"), (-YEAR, "before this version"), (AFTER_2262, "2262")]
    {
        wrong.set(offset);
        let (status, said) = wrong.launch().refused();
        assert_eq!(status, UNAVAILABLE, "{said}");
        assert!(said.contains("clock says") && said.contains(named), "{offset}: {said}");
        assert!(!wrong.data().exists());
    }
    wrong.set(YEAR);
    wrong.launch().start().stop();
}

#[test]
fn a_restart_measures_the_clock_by_the_newest_record() {
    let wrong = Wrong::new();
    let server = wrong.launch().start();
    Peer::greeted(server.address).create_accounts(&[1, 2]);
    server.stop();
    for offset in [-56 * YEAR, -YEAR, YEAR, AFTER_2262] {
        wrong.set(offset);
        let (status, said) = wrong.launch().refused();
        assert_eq!(status, UNAVAILABLE, "{said}");
        assert_eq!(said.contains("--accept-clock"), offset == YEAR, "{said}");
    }
    wrong.set(YEAR);
    let server = wrong.launch().flags(&["--accept-clock"]).start();
    Peer::greeted(server.address).create_transfers(vec![transfer(10, 1, 2)]);
    server.stop();
    // Now the newest record lies a year ahead of the right time.
    wrong.set(0);
    let server = wrong.launch().start();
    let said = server.said();
    assert!(said.contains("WARN") && said.contains("behind the newest record"), "{said}");
    let mut peer = Peer::greeted(server.address);
    assert_eq!(peer.create_transfers(vec![hold(11, 1)])[0].status, CREATED);
    assert!(
        eventually(|| pending(&mut peer) == 0),
        "a hold of a second lasts a second all the same"
    );
    let ahead = number(&status(server.address)["clock_ahead_ns"]);
    assert!((YEAR - 3_600 * SECOND..=YEAR).contains(&ahead), "{ahead}");
    server.stop();
}

#[test]
fn jumps_while_it_runs_expire_nothing_and_are_counted() {
    let wrong = Wrong::new();
    let server = wrong.launch().start();
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    assert_eq!(peer.create_transfers(vec![hold(10, 3_600)])[0].status, CREATED);
    let (mut last, mut steps, mut id) = (0, 0, 100);
    let hour = 3_600 * SECOND;
    let offsets = [
        SECOND,
        0,
        -SECOND,
        hour,
        -hour,
        YEAR,
        -YEAR,
        10 * YEAR,
        -10 * YEAR,
        -56 * YEAR,
        230 * YEAR,
        0,
    ];
    for offset in offsets {
        wrong.set(offset);
        steps += 1;
        assert!(eventually(|| {
            id += 1;
            let result = peer.create_transfers(vec![transfer(id, 1, 2)]);
            assert_eq!(result[0].status, CREATED);
            assert!(result[0].timestamp > last, "time never falls");
            last = result[0].timestamp;
            number(&status(server.address)["clock_steps"]) == steps
        }));
        let ahead = number(&status(server.address)["clock_ahead_ns"]);
        assert!((ahead + offset).abs() < SECOND, "at {offset}: {ahead}");
        assert_eq!(pending(&mut peer), 1, "the hold is open at {offset}");
    }
    assert!(server.said().contains("the machine's clock jumped"), "{}", server.said());
    // And a hold that is due expires, whatever the wall clock says.
    wrong.set(-10 * YEAR);
    assert_eq!(peer.create_transfers(vec![hold(20, 1)])[0].status, CREATED);
    assert_eq!(pending(&mut peer), 2);
    sleep(Duration::from_secs(1));
    assert!(eventually(|| pending(&mut peer) == 1));
    server.stop();
}
