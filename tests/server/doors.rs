//! Doors that stay shut: a directory that isn't there, one that is in use, one that was moved away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bystander::Bystander;
use crate::peer::{Peer, transfer};
use crate::process::{Launch, PARTITA, eventually};

const UNAVAILABLE: i32 = 5;
const DIRECTORY_MOVED: i32 = 75;
const CLUSTER: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_volume_that_is_not_mounted_is_refused_and_not_replaced_by_an_empty_ledger() {
    let home = tempfile::tempdir().unwrap();
    let (data, volume) = (home.path().join("data"), home.path().join("volume"));
    let launch = Launch::new(&data).flags(&["--cluster", CLUSTER]);
    launch.init();
    let server = launch.start();
    Peer::greeted(server.address).create_accounts(&[1, 2]);
    server.stop();
    fs::rename(&data, &volume).unwrap();
    let wanted = format!("partita init --cluster {CLUSTER}");
    for is_mount_point in [false, true] {
        if is_mount_point {
            fs::create_dir(&data).unwrap();
        }
        let (status, said) = launch.refused();
        assert_eq!(status, UNAVAILABLE, "{said}");
        assert!(said.contains("nothing of cluster 0123456789abcdef"), "{said}");
        assert!(said.contains("mounted") && said.contains(&wanted), "{said}");
    }
    // Nothing was made in it.
    fs::remove_dir(&data).unwrap();
    fs::rename(&volume, &data).unwrap();
    let server = launch.start();
    assert_eq!(Peer::greeted(server.address).lookup_accounts(&[1, 2]).len(), 2);
    server.stop();
}

#[test]
fn a_service_and_who_says_so_never_make_a_cluster_and_everybody_else_does() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let service = Launch::new(&data).limited("export NOTIFY_SOCKET=/nowhere");
    for launch in [service.clone(), Launch::new(&data).flags(&["--no-create"])] {
        let (status, said) = launch.refused();
        assert_eq!(status, UNAVAILABLE, "{said}");
        assert!(said.contains("partita init"), "{said}");
        assert!(!data.exists());
    }
    Launch::new(&data).start().stop();
    service.start().stop();
    Launch::new(&data).flags(&["--no-create"]).start().stop();
}

#[test]
fn without_its_file_lock_a_directory_under_load_is_still_served_by_one_server_alone() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let launch = Launch::new(&data);
    let server = launch.start();
    let bystander = Bystander::with_batches(server.address, 100);
    for _ in 0..3 {
        bystander.expect_progress();
        fs::remove_file(data.join("lock")).unwrap();
        let (status, said) = launch.refused();
        assert_eq!(status, UNAVAILABLE, "{said}");
        assert!(said.contains("another process"), "{said}");
        fs::write(data.join("lock"), "").unwrap();
        assert_eq!(launch.refused().0, UNAVAILABLE);
    }
    // Nor do the same files in another directory help.
    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::hard_link(data.join("meta"), other.join("meta")).unwrap();
    let (status, said) = Launch::new(&other).refused();
    assert_eq!(status, UNAVAILABLE, "{said}");
    bystander.finish();
    server.stop();
    let mut verify = std::process::Command::new(PARTITA);
    assert!(verify.arg("verify").arg("--data").arg(&data).output().unwrap().status.success());
}

/// Rounds of a server that starts, works and is killed, 3 unless `PARTITA_VERIFY_ROUNDS` says otherwise.
#[test]
fn beside_a_server_that_starts_works_and_dies_nothing_looks_damaged() {
    let rounds = std::env::var("PARTITA_VERIFY_ROUNDS").map_or(3, |text| text.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let launch = Launch::new(&data).segment("4MiB");
    launch.init();
    let is_over = Arc::new(AtomicBool::new(false));
    let looks: Vec<_> = [&["verify"][..], &["inspect", "segments"], &["inspect", "frame", "1"]]
        .into_iter()
        .map(|command| {
            let (is_over, data) = (Arc::clone(&is_over), data.clone());
            std::thread::spawn(move || {
                let mut looks = 0;
                while !is_over.load(Ordering::Relaxed) || looks == 0 {
                    let mut looked = std::process::Command::new(PARTITA);
                    let looked = looked.args(command).arg("--data").arg(&data).output().unwrap();
                    assert!(looked.status.success(), "{command:?} {looked:?}");
                    looks += 1;
                }
            })
        })
        .collect();
    for round in 0..rounds {
        let server = launch.start();
        let mut peer = Peer::greeted(server.address);
        if round == 0 {
            peer.create_accounts(&[1, 2]);
        }
        for batch in 0..20 {
            let first = 10 + (round * 20 + batch) * 1_000;
            peer.create_transfers((0..1_000).map(|at| transfer(first + at, 1, 2)).collect());
        }
        server.kill();
    }
    is_over.store(true, Ordering::Relaxed);
    for look in looks {
        look.join().unwrap();
    }
}

#[test]
fn a_copy_of_a_running_directory_is_told_from_damage() {
    let home = tempfile::tempdir().unwrap();
    let (data, copy) = (home.path().join("data"), home.path().join("copy"));
    let server = Launch::new(&data).segment("4MiB").start();
    let mut peer = Peer::greeted(server.address);
    peer.create_accounts(&[1, 2]);
    fs::create_dir_all(copy.join("log")).unwrap();
    let take = |name: &str| fs::copy(data.join(name), copy.join(name)).unwrap();
    take("log/000000000000.segment");
    for batch in 0..10 {
        peer.create_transfers((0..100).map(|at| transfer(10 + batch * 100 + at, 1, 2)).collect());
    }
    // The hint of what is committed, by which the rest of the log is missed, comes a little later.
    let verify = || {
        take("lock");
        take("meta");
        let mut verify = std::process::Command::new(PARTITA);
        verify.arg("verify").arg("--data").arg(&copy).output().unwrap()
    };
    assert!(eventually(|| verify().status.code() == Some(UNAVAILABLE)), "{:?}", verify());
    let said = String::from_utf8(verify().stderr).unwrap();
    assert!(said.contains("a copy of a running directory, not damage"), "{said}");
    let (status, said) = Launch::new(&copy).segment("4MiB").refused();
    assert_eq!(status, UNAVAILABLE, "{said}");
    assert!(said.contains("a copy of a running directory, not damage"), "{said}");
    server.stop();
}

#[test]
fn a_server_whose_directory_is_moved_away_or_replaced_stops_and_says_so() {
    for replaced in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let (data, away) = (home.path().join("data"), home.path().join("away"));
        let launch = Launch::new(&data);
        let mut server = launch.start();
        let mut peer = Peer::greeted(server.address);
        peer.create_accounts(&[1, 2]);
        // In the midst of work.
        for batch in 0..50 {
            let events = (0..100).map(|at| transfer(10 + batch * 100 + at, 1, 2)).collect();
            peer.create_transfers(events);
        }
        fs::rename(&data, &away).unwrap();
        if replaced {
            fs::create_dir(&data).unwrap();
        }
        assert_eq!(server.wait(), DIRECTORY_MOVED, "{}", server.said());
        assert!(server.said().contains("DirectoryMoved"), "{}", server.said());
        // All that was acknowledged is where the files went.
        let server = Launch::new(&away).start();
        let mut peer = Peer::greeted(server.address);
        assert_eq!(peer.lookup_accounts(&[1])[0].debits_posted, 5_000);
        server.stop();
    }
}

#[test]
fn only_the_owner_may_look_at_the_files_of_a_log() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Launch::new(&data).limited("umask 0").start();
    let log = || fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
    // The one in use, and two ahead of it.
    let is_ready = || log().filter(|path| path.extension().is_none_or(|end| end != "preparing"));
    assert!(eventually(|| is_ready().count() == 3));
    for name in ["", "log", "quarantine"] {
        let found = data.join(name).metadata().unwrap().permissions().mode();
        assert_eq!(found & 0o777, 0o700, "{name}");
    }
    let files = log();
    for path in files.chain([data.join("meta"), data.join("lock")]) {
        let found = path.metadata().map(|found| found.permissions().mode() & 0o777);
        assert!(found.as_ref().is_ok_and(|&mode| mode == 0o600), "{path:?} {found:?}");
    }
    server.stop();
}

#[test]
fn a_directory_in_memory_is_warned_about() {
    let memory = std::path::Path::new("/dev/shm");
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(
        mounts.lines().any(|line| line.contains(" /dev/shm tmpfs ")),
        "this test needs /dev/shm in memory, as every Linux has it"
    );
    let home = tempfile::tempdir_in(memory).unwrap();
    let server =
        Launch::new(&home.path().join("data")).segment("4MiB").flags(&["--log-writer", "mapped"]);
    let server = server.start();
    assert!(
        server.said().contains("WARN") && server.said().contains("in memory"),
        "{}",
        server.said()
    );
    server.stop();
    let home = tempfile::tempdir().unwrap();
    let server = Launch::new(&home.path().join("data")).start();
    let on_disk = !server.said().contains("in memory");
    assert!(on_disk || mounts.lines().any(|line| line.contains(" /tmp tmpfs ")));
    server.stop();
}
