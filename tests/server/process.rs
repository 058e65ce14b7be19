//! Starting the program as a server, and looking at the process.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Bounds every wait for the process; far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) const PARTITA: &str = env!("CARGO_BIN_EXE_partita");

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    data: PathBuf,
    listen: String,
    segment: String,
    flags: Vec<String>,
    wrapper: Vec<String>,
}

impl Launch {
    /// With that data directory, on a free port.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            // Small segments are made quickly.
            segment: "16MiB".to_owned(),
            flags: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    pub(crate) fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    pub(crate) fn segment(mut self, size: &str) -> Self {
        size.clone_into(&mut self.segment);
        self
    }

    pub(crate) fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    /// Runs the program under another one, which must become it by `exec`.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Runs the program with limits of the shell's `ulimit`.
    pub(crate) fn limited(self, ulimit: &str) -> Self {
        self.under(&["sh", "-c", &format!("{ulimit}; exec \"$0\" \"$@\"")])
    }

    fn spawn(&self, said: &Path) -> Child {
        let mut line = self.wrapper.clone();
        line.extend([PARTITA.to_owned(), "start".to_owned()]);
        line.extend(["--segment-bytes".to_owned(), self.segment.clone()]);
        line.extend(["--listen".to_owned(), self.listen.clone(), "--data".to_owned()]);
        line.push(self.data.to_str().unwrap().to_owned());
        line.extend(self.flags.clone());
        Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(said).unwrap())
            .spawn()
            .unwrap()
    }

    /// Makes the cluster first, as who names one must.
    pub(crate) fn init(&self) {
        let mut command = Command::new(PARTITA);
        command.args(["init", "--segment-bytes", &self.segment, "--data"]).arg(&self.data);
        if let Some(at) = self.flags.iter().position(|flag| flag == "--cluster") {
            command.args(&self.flags[at..at + 2]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(&self) -> Server {
        let home = tempfile::tempdir().unwrap();
        let said = home.path().join("stderr");
        let mut child = self.spawn(&said);
        let stdout = child.stdout.take().unwrap();
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = line.recv_timeout(PATIENCE).unwrap_or_default();
        let address = line.trim().strip_prefix("ready ").and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("not ready: {line:?}; {}", std::fs::read_to_string(said).unwrap());
        };
        Server { child, address, said, _home: home }
    }

    /// Starts it, expects it to end by itself, and gives its exit status and what it said.
    pub(crate) fn refused(&self) -> (i32, String) {
        let home = tempfile::tempdir().unwrap();
        let said = home.path().join("stderr");
        let mut child = self.spawn(&said);
        let status = wait(&mut child).unwrap_or_else(|| {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it serves; {}", std::fs::read_to_string(&said).unwrap())
        });
        (status.code().unwrap_or(-1), std::fs::read_to_string(said).unwrap())
    }
}

/// A running server that is killed at the latest when this ends.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    said: PathBuf,
    _home: TempDir,
}

impl Server {
    /// What it has said on stderr until now.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop, without waiting.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for it to end, and gives its exit status.
    pub(crate) fn wait(&mut self) -> i32 {
        let status = wait(&mut self.child).unwrap_or_else(|| panic!("it runs on: {}", self.said()));
        status.code().unwrap_or(-1)
    }

    /// Asks it to stop and expects that it does so well.
    pub(crate) fn stop(mut self) {
        self.terminate();
        assert_eq!(self.wait(), 0, "{}", self.said());
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A number of `/proc/PID/status`, such as `VmRSS` (in KiB).
    pub(crate) fn proc_status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Descriptors that it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let mut status = None;
    let ended = eventually(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    ended.then_some(status).flatten()
}

/// Whether something becomes true within [`PATIENCE`].
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A server in a directory of its own.
pub(crate) fn served(flags: &[&str]) -> (TempDir, Server) {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::new(&home.path().join("data")).flags(flags);
    if flags.contains(&"--cluster") {
        launch.init();
    }
    let server = launch.start();
    (home, server)
}
