//! Starts that must fail: with the right exit status, with a message that says what to do, and
//! without touching anything.

use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita::checksum;
use tempfile::TempDir;

use crate::peer::{CREATED, Peer, transfer};
use crate::process::{Launch, PARTITA};

const USAGE: i32 = 2;
const UNAVAILABLE: i32 = 5;
/// Of `verify`.
const DAMAGED: i32 = 6;
/// Of the server, which must not be started again before somebody has looked.
const LOG_DAMAGED: i32 = 71;
const DATA_UNREADABLE: i32 = 73;

/// Bytes of the meta file's record under its checksum, and of one of its two slots.
const META_CHECKED_BYTES: usize = 108;
const META_SLOT_BYTES: usize = 4_096;

/// A directory in which a server has worked and stopped.
fn used() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Launch::new(&data).start();
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    for batch in 0..20 {
        let events = (0..100).map(|at| transfer(10 + batch * 100 + at, 1, 2)).collect();
        assert!(peer.create_transfers(events).iter().all(|result| result.status == CREATED));
    }
    server.stop();
    (home, data)
}

#[track_caller]
fn expect(launch: &Launch, status: i32, words: &[&str]) {
    let (found, said) = launch.refused();
    assert_eq!(found, status, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {said}");
    }
}

fn verify(data: &Path) -> (Option<i32>, String) {
    let output = Command::new(PARTITA).arg("verify").arg("--data").arg(data).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_second_server_on_the_same_directory() {
    let (_home, data) = used();
    let server = Launch::new(&data).start();
    expect(&Launch::new(&data), UNAVAILABLE, &["another process", "data"]);
    assert_eq!(Peer::greeted(server.address).lookup_accounts(&[1, 2]).len(), 2);
    server.stop();
}

#[test]
fn a_directory_of_another_cluster() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let (ours, theirs) = ("0".repeat(31) + "1", "0".repeat(31) + "2");
    Launch::new(&data).flags(&["--cluster", &ours]).init();
    Launch::new(&data).flags(&["--cluster", &ours]).start().stop();
    let launch = Launch::new(&data).flags(&["--cluster", &theirs]);
    expect(&launch, USAGE, &[&ours, &theirs, "--cluster"]);
    Launch::new(&data).flags(&["--cluster", &ours]).start().stop();
    Launch::new(&data).start().stop();
}

#[test]
fn a_directory_of_a_newer_format() {
    let (_home, data) = used();
    let path = data.join("meta");
    let mut bytes = std::fs::read(&path).unwrap();
    for slot in bytes.chunks_mut(META_SLOT_BYTES) {
        slot[8..10].copy_from_slice(&999_u16.to_le_bytes());
        let sum = checksum::block(0, &slot[..META_CHECKED_BYTES]);
        slot[META_CHECKED_BYTES..][..4].copy_from_slice(&sum.to_le_bytes());
    }
    std::fs::write(&path, &bytes).unwrap();
    expect(&Launch::new(&data), USAGE, &["format version 999"]);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing is changed");
}

#[test]
fn meta_files_that_are_damaged_missing_or_unreadable() {
    let (_home, data) = used();
    let path = data.join("meta");
    let good = std::fs::read(&path).unwrap();
    for damaged in [vec![], vec![0; 8_192], good[..50].to_vec()] {
        std::fs::write(&path, damaged).unwrap();
        expect(&Launch::new(&data), LOG_DAMAGED, &["meta file is damaged"]);
    }
    std::fs::remove_file(&path).unwrap();
    expect(&Launch::new(&data), LOG_DAMAGED, &["no meta file", "restore"]);
    std::fs::create_dir(&path).unwrap();
    expect(&Launch::new(&data), DATA_UNREADABLE, &["meta file failed"]);
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, &good).unwrap();
    let server = Launch::new(&data).start();
    assert_eq!(Peer::greeted(server.address).lookup_transfers(&[10, 11, 12]).len(), 3);
    server.stop();
}

#[test]
fn a_flipped_bit_in_the_middle_of_the_log() {
    let (_home, data) = used();
    let segment = first_segment(&data);
    let file = std::fs::File::options().read(true).write(true).open(&segment).unwrap();
    let at = 200_000;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
    expect(&Launch::new(&data), LOG_DAMAGED, &["position"]);
    let (status, said) = verify(&data);
    assert_eq!(status, Some(DAMAGED), "{said}");
    assert!(said.contains("position"), "{said}");
    file.write_all_at(&byte, at).unwrap();
    assert_eq!(verify(&data).0, Some(0));
    let server = Launch::new(&data).start();
    assert_eq!(Peer::greeted(server.address).lookup_transfers(&[10, 2_009]).len(), 2);
    server.stop();
}

#[test]
fn a_segment_that_was_cut_off() {
    let (_home, data) = used();
    let file = std::fs::File::options().write(true).open(first_segment(&data)).unwrap();
    file.set_len(100_000).unwrap();
    let (status, said) = Launch::new(&data).refused();
    assert_eq!(status, LOG_DAMAGED, "{said}");
    assert_eq!(verify(&data).0, Some(DAMAGED));
}

fn first_segment(data: &Path) -> PathBuf {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.swap_remove(0)
}

#[test]
fn a_port_that_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    expect(&Launch::new(&data).listen(&address), UNAVAILABLE, &[&address, "--listen"]);
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn settings_that_make_no_sense() {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::new(&home.path().join("data"));
    for flags in [
        ["--cores", "0"],
        ["--cores", "65"],
        ["--cores", "many"],
        ["--connections-max", "0"],
        ["--client-timeout-ms", "0"],
        ["--cluster", "0"],
        ["--log-writer", "fast"],
    ] {
        expect(&launch.clone().flags(&flags), USAGE, &[flags[0].trim_start_matches('-')]);
    }
    for address in ["localhost", "127.0.0.1", "127.0.0.1:99999", ""] {
        expect(&launch.clone().listen(address), USAGE, &["listen"]);
    }
    assert!(!home.path().join("data").exists());
}

#[test]
fn an_address_of_another_machine() {
    let home = tempfile::tempdir().unwrap();
    // Reserved for documents: no machine has it.
    let launch = Launch::new(&home.path().join("data")).listen("192.0.2.1:7400");
    expect(&launch, UNAVAILABLE, &["192.0.2.1:7400", "--listen"]);
}

#[test]
fn a_data_directory_that_is_a_file() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    std::fs::write(&data, "no directory").unwrap();
    expect(&Launch::new(&data), UNAVAILABLE, &["data"]);
    expect(&Launch::new(&data.join("below")), UNAVAILABLE, &["data"]);
    assert_eq!(std::fs::read(&data).unwrap(), b"no directory");
}

#[test]
fn too_little_memory_may_be_locked() {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::new(&home.path().join("data")).limited("ulimit -l 64");
    expect(&launch, UNAVAILABLE, &["65536 bytes", "LimitMEMLOCK", "ulimit -l"]);
}

#[test]
fn too_few_files_may_be_open() {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::new(&home.path().join("data")).limited("ulimit -n 100");
    expect(&launch, UNAVAILABLE, &["100 files", "LimitNOFILE"]);
}

#[test]
fn io_uring_is_forbidden() {
    let home = tempfile::tempdir().unwrap();
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/deny_io_uring.py");
    let launch =
        Launch::new(&home.path().join("data")).under(&["python3", wrapper.to_str().unwrap()]);
    expect(&launch, UNAVAILABLE, &["io_uring", "kernel.io_uring_disabled", "seccomp"]);
}

#[test]
fn memory_that_runs_out_is_told_with_a_status_and_without_a_trace() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    Launch::new(&data).start().stop();
    // Enough to run at all, and too little to serve. What is refused first is up to the machine.
    for kilobytes in [24_000, 28_000, 32_000, 35_000] {
        let (status, said) =
            Launch::new(&data).limited(&format!("ulimit -v {kilobytes}")).refused();
        assert!([5, 77].contains(&status), "{kilobytes}: {status}: {said}");
        assert!(!said.contains("RUST_BACKTRACE") && !said.contains("panicked"), "{said}");
        assert!(said.contains("partita: "), "{said}");
    }
}
