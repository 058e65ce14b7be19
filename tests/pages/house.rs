//! A server with its data in a temporary directory, and a place beside it where commands run.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const PARTITA: &str = env!("CARGO_BIN_EXE_partita");

/// A ledger and its server, which ends with this value.
pub(crate) struct House {
    place: TempDir,
    server: Option<Child>,
    address: String,
}

impl House {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["docs", "scripts", "tests"] {
            symlink(root.join(name), place.path().join(name)).unwrap();
        }
        std::fs::create_dir(place.path().join("bin")).unwrap();
        symlink(PARTITA, place.path().join("bin/partita")).unwrap();
        let init =
            Self::command(place.path(), "partita init --segment-bytes 16MiB").output().unwrap();
        assert!(init.status.success(), "{init:?}");
        let mut house = Self { place, server: None, address: String::new() };
        house.start();
        house
    }

    fn start(&mut self) {
        let line = "exec partita start --listen 127.0.0.1:0 --cores 1 --log warn";
        let mut command = Self::command(self.place.path(), line);
        let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.trim().strip_prefix("ready ");
        self.address = address.unwrap_or_else(|| panic!("{ready:?}")).to_owned();
        self.server = Some(server);
    }

    fn command(place: &Path, line: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-c", line])
            .current_dir(place)
            .env("PATH", format!("{}:{path}", place.join("bin").display()))
            .env("PARTITA_DATA", place.join("data"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a line of shell beside the server. `partita` is the program, and the server is where it looks.
    pub(crate) fn run(&self, line: &str) -> Output {
        let mut command = Self::command(self.place.path(), line);
        command.env("PARTITA_CONNECT", &self.address).output().unwrap()
    }

    /// Does something between the sudden end of the server and its next start.
    pub(crate) fn without_server<T>(&mut self, act: impl FnOnce(&Self) -> T) -> T {
        self.end();
        let result = act(self);
        self.start();
        result
    }

    fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.end();
    }
}
