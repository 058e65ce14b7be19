//! A server of one's own: a child process, ready when it is returned, gone when it is dropped.
//!
//! It is gone too when this process ends without dropping anything: it watches its stdin, whose other
//! end only we hold.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::LoadError;

/// An empty log is replayed in no time; this bounds a machine that is very busy.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How long a drain may take.
const STOP_WAIT: Duration = Duration::from_secs(60);
/// Waits between looks at a server that stops.
const STOP_LOOK: Duration = Duration::from_millis(10);
/// The line that a server prints on stdout when its port is open.
const READY: &str = "ready ";

/// A running server that ends with this value.
#[derive(Debug)]
pub struct OwnServer {
    child: Child,
    address: SocketAddr,
    /// Removed at the end, when it is the server's own.
    directory: Option<TempDir>,
}

/// How to start it.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Flags of `start`, besides the directory and the address.
    pub flags: Vec<String>,
}

impl OwnServer {
    /// Starts `program` as a server on a free port, with a temporary directory for its data, and
    /// waits until it is ready.
    ///
    /// # Errors
    /// It can't be started, or ends or says nothing instead of being ready.
    pub fn start(program: &Path, options: &ServerOptions) -> Result<Self, LoadError> {
        let directory = tempfile::Builder::new().prefix("partita-bench-").tempdir();
        let directory = directory.map_err(LoadError::io("making a temporary directory"))?;
        let mut options = options.clone();
        // Its last act when we are killed; when we aren't, the directory goes with this value.
        options.flags.extend(["--throw-away".to_owned(), directory.path().display().to_string()]);
        let mut server = Self::start_in(program, &directory.path().join("data"), &options)?;
        server.directory = Some(directory);
        Ok(server)
    }

    /// The same with a data directory that stays.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in(
        program: &Path,
        data: &Path,
        options: &ServerOptions,
    ) -> Result<Self, LoadError> {
        let mut child = Command::new(program)
            .arg("start")
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0", "--log", "warn", "--end-with-stdin"])
            .args(&options.flags)
            // A server of our own makes its own cluster, whatever is set for others.
            .env_remove("PARTITA_CLUSTER")
            .env_remove("NOTIFY_SOCKET")
            // Its stdin ends when this process does, whatever ends it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What the terminal sends to us must not reach it: it would drain for a dead client.
            .process_group(0)
            .spawn()
            .map_err(LoadError::io("starting a server"))?;
        match wait_until_ready(&mut child) {
            Ok(address) => Ok(Self { child, address, directory: None }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The temporary directory, when it has one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_ref().map(TempDir::path)
    }

    /// Ends it at once, as a crash of the process would (SIGKILL), and waits until it is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// Asks it to drain and end, and waits.
    ///
    /// # Errors
    /// It doesn't end in time, or with another status than 0.
    pub fn stop(mut self) -> Result<(), LoadError> {
        let failed = |what: String| Err(LoadError::Server(what));
        if let Err(error) = kill_process(Pid::from_child(&self.child), Signal::TERM) {
            return failed(format!("can't be told to stop: {error}"));
        }
        let mut waited = Duration::ZERO;
        while waited < STOP_WAIT {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return failed(format!("ended with {status}")),
                Ok(None) => std::thread::sleep(STOP_LOOK),
                Err(error) => return failed(format!("can't be waited for: {error}")),
            }
            waited += STOP_LOOK;
        }
        failed(format!("didn't end within {} s of SIGTERM", STOP_WAIT.as_secs()))
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // After a clean stop both have nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the server's stdout on a thread of its own, to the end: so the server never waits for us.
fn wait_until_ready(child: &mut Child) -> Result<SocketAddr, LoadError> {
    let stdout = child.stdout.take().ok_or(LoadError::Server("has no stdout".to_owned()))?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix(READY) {
                let _ = sender.send(address.to_owned());
            }
        }
    });
    let ended = match receiver.recv_timeout(READY_WAIT) {
        Ok(address) => {
            let parsed = address.trim().parse();
            return parsed.map_err(|_| LoadError::Server(format!("says it is at {address}")));
        }
        Err(mpsc::RecvTimeoutError::Timeout) => "didn't become ready".to_owned(),
        Err(mpsc::RecvTimeoutError::Disconnected) => match child.wait() {
            Ok(status) => format!("ended with {status}"),
            Err(error) => format!("can't be waited for: {error}"),
        },
    };
    Err(LoadError::Server(ended))
}
