//! A server that another program started ends with that program, however that one ends.
//!
//! The starter holds the other end of our stdin. When it is gone, by SIGKILL too, stdin ends, and so
//! do we. A throwaway directory goes as well: the process becomes `rm`, which ends all of the
//! server's threads first, so that none of them writes into a directory that is being removed.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use rustix::process::{Signal, getpid, kill_process};

use super::exit::{Exit, Failure};
use super::say::say;

/// How the name of a directory begins that may be thrown away.
const THROWAWAY: &str = "partita-bench-";

/// Flags of a server that ends with its starter.
#[derive(Debug, Args)]
pub(crate) struct TiedFlags {
    /// Stop, as on SIGTERM, when stdin ends: for programs that start a server of their own.
    #[arg(long)]
    pub end_with_stdin: bool,
    /// When stdin ends, end at once and remove this directory.
    #[arg(long, value_name = "DIR", hide = true, requires = "end_with_stdin")]
    pub throw_away: Option<PathBuf>,
}

impl TiedFlags {
    /// Watches stdin on a thread of its own, from now on.
    ///
    /// # Errors
    /// The directory isn't one that may be thrown away, or there can't be a thread.
    pub(crate) fn watch(&self) -> Result<(), Failure> {
        if !self.end_with_stdin {
            return Ok(());
        }
        let throw_away = self.throw_away.clone();
        if let Some(directory) = &throw_away {
            let name = directory.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(THROWAWAY) {
                let text = format!(
                    "--throw-away {}: only a directory whose name begins with {THROWAWAY} is removed",
                    directory.display()
                );
                return Err(Failure::usage(text));
            }
        }
        let watch = move || {
            wait_for_the_end_of_stdin();
            match &throw_away {
                Some(directory) => remove_and_end(directory),
                // Ends the process at once or drains it, whichever is right by now.
                None => {
                    let _ = kill_process(getpid(), Signal::TERM);
                }
            }
        };
        let started = std::thread::Builder::new().name("stdin".to_owned()).spawn(watch);
        started.map(drop).map_err(|error| {
            Failure::new(Exit::Unavailable, format!("a thread can't be started: {error}"))
        })
    }
}

fn wait_for_the_end_of_stdin() {
    let mut stdin = std::io::stdin().lock();
    let mut bytes = [0; 512];
    loop {
        match stdin.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

fn remove_and_end(directory: &Path) {
    // Comes back only if there is no `rm`.
    let error = Command::new("rm").arg("-rf").arg("--").arg(directory).exec();
    say(&format!("{} stays: rm can't be run: {error}", directory.display()));
    let _ = kill_process(getpid(), Signal::KILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_throwaway_directory_is_removed() {
        for directory in ["/var/lib/partita", "/", "partita-data", ".."] {
            let flags =
                TiedFlags { end_with_stdin: true, throw_away: Some(PathBuf::from(directory)) };
            assert_eq!(flags.watch().unwrap_err().exit, Exit::Usage, "{directory}");
        }
        let untied = TiedFlags { end_with_stdin: false, throw_away: None };
        assert_eq!(untied.watch(), Ok(()));
    }
}
