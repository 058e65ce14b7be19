//! Nothing that a command starts outlives it, and a ledger in use isn't measured by accident. With
//! real processes, since the subject is how processes end.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "waits for a process are bounded by real time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PARTITA: &str = env!("CARGO_BIN_EXE_partita");
/// Far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Processes whose command line names that place.
fn processes_at(place: &Path) -> Vec<String> {
    let place = place.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| text(&line)).filter(|line| line.contains(place)).collect()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

/// A bench that runs for long with a server of its own below `temporary`.
fn long_bench(temporary: &Path) -> Command {
    let mut command = Command::new(PARTITA);
    command
        .args(["bench", "--seconds", "600", "--rate", "1000", "--batch", "10", "--accounts", "10"])
        .args(["--segment-bytes", "16MiB"])
        .env("TMPDIR", temporary)
        .current_dir(temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits until the load runs: progress is told once a second.
fn wait_for_progress(child: &mut Child) {
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("requests in flight") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "bench ended");
    }
    // Nobody listens any more from here on, as when a terminal is closed.
}

#[test]
fn a_bench_that_is_ended_leaves_no_server_and_no_directory() {
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP, Signal::INT] {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = long_bench(temporary.path()).spawn().unwrap();
        wait_for_progress(&mut child);
        assert_eq!(processes_at(temporary.path()).len(), 1, "its server");
        assert!(!is_empty(temporary.path()));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(!child.wait().unwrap().success());
        eventually("its server runs on", || processes_at(temporary.path()).is_empty());
        // A process that is just becoming `rm` has no command line to be found by.
        eventually("its data stays", || is_empty(temporary.path()));
    }
}

/// Runs a command in a terminal of its own, closes it once it has shown the first argument, and ends as
/// the command does.
const IN_A_TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said = b''
while sys.argv[1].encode() not in said:
    said += os.read(terminal, 4096)
os.close(terminal)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
";

#[test]
fn a_closed_terminal_ends_a_bench_and_its_server() {
    let temporary = tempfile::tempdir().unwrap();
    let done = Command::new("python3")
        .args([
            "-c",
            IN_A_TERMINAL,
            "requests in flight",
            PARTITA,
            "bench",
            "--seconds",
            "600",
            "--rate",
            "1000",
        ])
        .args(["--batch", "10", "--accounts", "10", "--segment-bytes", "16MiB"])
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .output()
        .expect("python3 opens a terminal");
    let ended_by_the_hangup = Some(128 + Signal::HUP.as_raw());
    assert_eq!(done.status.code(), ended_by_the_hangup, "{}", text(&done.stderr));
    eventually("its server runs on", || processes_at(temporary.path()).is_empty());
    eventually("its data stays", || is_empty(temporary.path()));
}

#[test]
fn a_bench_that_ends_by_itself_leaves_nothing_either() {
    let temporary = tempfile::tempdir().unwrap();
    let status = Command::new(PARTITA)
        .args(["bench", "--transfers", "1000", "--batch", "100", "--accounts", "10"])
        .args(["--segment-bytes", "16MiB"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(is_empty(temporary.path()) && processes_at(temporary.path()).is_empty());
}

/// A server as an operator has it, killed when the test ends.
struct Server {
    child: Child,
    address: String,
    home: TempDir,
}

impl Server {
    fn start(prepare: impl FnOnce(&mut Command)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(PARTITA);
        command
            .args(["start", "--listen", "127.0.0.1:0", "--segment-bytes", "16MiB", "--cores", "1"])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(home.path().join("said")).unwrap());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{line:?}"));
        Self { address: address.to_owned(), child, home }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.home.path().join("said")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(PARTITA)
            .args(args)
            .env("PARTITA_CONNECT", &self.address)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn transfers(&self) -> u64 {
        let output = self.run(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let transfers = &status["transfers"];
        transfers.as_u64().or_else(|| transfers.as_str()?.parse().ok()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SMALL: [&str; 9] = [
    "bench",
    "--transfers",
    "100",
    "--batch",
    "10",
    "--accounts",
    "10",
    "--segment-bytes",
    "16MiB",
];

#[test]
fn bench_writes_into_a_ledger_only_when_the_command_line_says_so() {
    let server = Server::start(|_| {});
    let output = server.run(&SMALL);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("is left alone"), "{}", text(&output.stderr));
    assert_eq!(server.transfers(), 0, "the environment names a server, and that isn't enough");

    let connect =
        |more: &[&str]| server.run(&[&SMALL[..], &["--connect", &server.address], more].concat());
    assert_eq!(connect(&[]).status.code(), Some(0));
    assert_eq!(server.transfers(), 100);
    let refused = connect(&[]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("isn't empty") && said.contains("--yes"), "{said}");
    assert_eq!(server.transfers(), 100);
    assert_eq!(connect(&["--yes"]).status.code(), Some(0));
    assert_eq!(server.transfers(), 200);
    assert_eq!(server.run(&["bench", "--yes"]).status.code(), Some(2), "yes to what?");
}

#[test]
fn hangup_reads_the_log_level_again_and_serves_on() {
    let mut server = Server::start(|command| {
        let home = command.get_current_dir().unwrap().to_owned();
        std::fs::write(home.join("partita.toml"), "log = \"warn\"\n").unwrap();
    });
    assert!(!server.said().contains("serving"), "{}", server.said());
    std::fs::write(server.home.path().join("partita.toml"), "log = \"info\"\n").unwrap();
    server.signal(Signal::HUP);
    eventually("no word about it", || server.said().contains("settings read again"));
    std::fs::write(server.home.path().join("partita.toml"), "log = \"partita=shout\"\n").unwrap();
    server.signal(Signal::HUP);
    eventually("no word about a wrong file", || server.said().contains("nothing changes"));
    assert_eq!(server.transfers(), 0, "it serves");
    server.signal(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(server.said().contains("stopping"), "what info says is said now: {}", server.said());
}

#[test]
fn a_closed_terminal_drains_a_server() {
    let home = tempfile::tempdir().unwrap();
    let done = Command::new("python3")
        .args(["-c", IN_A_TERMINAL, "ready ", PARTITA, "start", "--listen", "127.0.0.1:0"])
        .args(["--segment-bytes", "16MiB", "--cores", "1"])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .expect("python3 opens a terminal");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
}

#[test]
fn a_server_that_a_program_started_drains_when_its_stdin_ends() {
    let mut server = Server::start(|command| {
        command.arg("--end-with-stdin").stdin(Stdio::piped());
    });
    let mut stdin = server.child.stdin.take().unwrap();
    stdin.write_all(b"anything").unwrap();
    assert_eq!(server.transfers(), 0, "it serves");
    drop(stdin);
    let mut status = None;
    eventually("it runs on", || {
        status = server.child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(0));
}

#[test]
fn a_refused_connection_is_told_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut child = Command::new(PARTITA)
        .args(["status", "--connect", &address])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    // The client's usual patience is ten seconds.
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("nobody listens") && said.contains("partita start"), "{said}");
}
