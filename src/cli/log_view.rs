//! The log of a data directory, looked at from outside: with or without a server at work in it.
//!
//! Nothing is locked, so that a look never keeps a server from starting. What a server may be writing
//! just now isn't judged: what was committed before the look began never changes again, and only what is
//! wrong with that is damage.

use std::path::Path;
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::missing_meta::missing_meta;
use super::start::open_exit;
use crate::io::Directory;
use crate::log::{
    DirectoryUse, FrameView, LogIdentity, LogReader, Meta, Position, Progress, RecoveryInput, Row,
    Verdict,
};
use crate::server::OpenError;

/// How often a directory is tried whose files a starting server changes at the same time.
const ATTEMPTS: u32 = 20;
/// Between two attempts: a server takes its files into use in less.
const PAUSE: Duration = Duration::from_millis(50);
/// After so many bytes it looks again whether a server has started.
const LOOK_AGAIN_BYTES: u64 = 64 << 20;

/// A log that is read from its start.
pub(crate) struct LogView {
    path: String,
    directory: Directory,
    reader: LogReader<Directory>,
    meta: Meta,
    /// How the directory was used before anything was read.
    before: DirectoryUse,
    /// Nothing from here on is read: a server is at work. Committed when it was set, so it never changes.
    until: Option<Position>,
    look_again_at: Position,
}

/// What the end of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nobody is at work, and recovery would judge it so.
    Judged(Row),
    /// A server is at work, or was meanwhile: what follows is its business.
    InUse,
}

impl Ending {
    /// In a word, for people and scripts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Judged(row) => row.name(),
            Self::InUse => "in use",
        }
    }
}

impl LogView {
    /// Opens the log of a data directory.
    ///
    /// # Errors
    /// There is none, or it can't be read at all.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let directory = Directory::new(path);
        let mut attempt = 1;
        loop {
            let before = DirectoryUse::look(&directory)
                .map_err(|error| failed(path, &OpenError::Directory(error)))?;
            let failure = match Self::open_once(path, &directory, before.clone()) {
                Ok(view) => return Ok(view),
                Err(failure) => failure,
            };
            let after = DirectoryUse::look(&directory);
            if !after.is_ok_and(|after| after.is_used_since(&before)) {
                return Err(failure);
            }
            if attempt == ATTEMPTS {
                return Err(Failure::new(
                    Exit::Unavailable,
                    format!(
                        "{}: a server that starts or stops again and again keeps this from being \
                         read; try again when it stays up, or stop it",
                        path.display()
                    ),
                ));
            }
            attempt += 1;
            std::thread::sleep(PAUSE);
        }
    }

    fn open_once(
        path: &Path,
        directory: &Directory,
        before: DirectoryUse,
    ) -> Result<Self, Failure> {
        let meta = Meta::load(directory).map_err(|error| failed(path, &error.into()))?;
        let meta = meta
            .ok_or_else(|| missing_meta(path).unwrap_or_else(|| failed(path, &OpenError::Empty)))?;
        let identity = LogIdentity { cluster: meta.config.cluster, layout: meta.config.layout() };
        let reader = LogReader::open(directory.clone(), identity)
            .map_err(|error| failed(path, &error.into()))?;
        let until = before.is_held.then_some(meta.hint.committed);
        let look_again_at = Position(reader.progress().end.0 + LOOK_AGAIN_BYTES);
        let path = path.display().to_string();
        Ok(Self { path, directory: directory.clone(), reader, meta, before, until, look_again_at })
    }

    /// The next frame, none at the end.
    ///
    /// # Errors
    /// The disk doesn't give it.
    pub(crate) fn next(&mut self) -> Result<Option<FrameView<'_>>, Failure> {
        let end = self.reader.progress().end;
        if self.until.is_none() && end >= self.look_again_at {
            self.look_again_at = Position(end.0 + LOOK_AGAIN_BYTES);
            self.look_again()?;
        }
        if self.until.is_some_and(|until| end >= until) {
            return Ok(None);
        }
        let Self { path, directory, reader, meta, before, .. } = self;
        match reader.next_frame() {
            Ok(frame) => Ok(frame),
            Err(_) if end >= meta.hint.committed && is_used(directory, before) => {
                self.until = Some(end);
                Ok(None)
            }
            Err(error) => Err(damaged(path, directory, &error)),
        }
    }

    /// A server that started meanwhile may be writing where this would read.
    fn look_again(&mut self) -> Result<(), Failure> {
        if !is_used(&self.directory, &self.before) {
            return Ok(());
        }
        let meta = Meta::load(&self.directory)
            .map_err(|error| failed(Path::new(&self.path), &error.into()))?;
        if let Some(meta) = meta {
            self.meta.hint = meta.hint;
        }
        self.until = Some(self.meta.hint.committed.max(self.reader.progress().end));
        Ok(())
    }

    /// What the end of the log is, by recovery's own judgement. Reads to the end if it wasn't reached.
    ///
    /// # Errors
    /// What follows the last frame is damage, or the disk doesn't give it.
    pub(crate) fn end(&mut self) -> Result<Ending, Failure> {
        while self.next()?.is_some() {}
        let end = self.reader.progress().end;
        if self.until.is_some_and(|until| end >= until) {
            return Ok(Ending::InUse);
        }
        let examined = self.reader.examine(Some(&self.meta), &RecoveryInput::default());
        let is_fine = self.until.is_none()
            && examined.as_ref().is_ok_and(|found| found.row.verdict() != Verdict::Refuse);
        // Looked at after the judgement: a server that started before it may have been seen at work.
        if !is_fine && end >= self.meta.hint.committed && is_used(&self.directory, &self.before) {
            self.until = Some(end);
            return Ok(Ending::InUse);
        }
        let examined = examined.map_err(|error| damaged(&self.path, &self.directory, &error))?;
        if is_fine {
            return Ok(Ending::Judged(examined.row));
        }
        Err(damaged(
            &self.path,
            &self.directory,
            &format_args!(
                "the log can be read up to op {}, position {end}; no crash explains what follows: {}. \
                 There: {}. What to do: {}",
                self.reader.progress().op,
                examined.row.name(),
                examined.stop,
                examined.row.advice()
            ),
        ))
    }

    /// Whether the end was reached, so that there is something to judge.
    pub(crate) const fn is_at_end(&self) -> bool {
        self.reader.stop().is_some() || self.until.is_some()
    }

    /// How many segment files there are.
    pub(crate) const fn segments(&self) -> u64 {
        self.reader.segments()
    }

    /// How far it has read.
    pub(crate) const fn progress(&self) -> Progress {
        self.reader.progress()
    }

    /// Which log it is, and how it is cut into segments.
    pub(crate) const fn identity(&self) -> LogIdentity {
        self.reader.identity()
    }

    /// The meta file as it was when this began.
    pub(crate) const fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Where it is.
    pub(crate) const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// A failure of the class of damage, with the place of the directory, or what else explains it.
    pub(crate) fn damaged(&self, what: &dyn std::fmt::Display) -> Failure {
        damaged(&self.path, &self.directory, what)
    }
}

/// Whether a server may have written since `before`. If it can't be seen, nothing is excused by it.
fn is_used(directory: &Directory, before: &DirectoryUse) -> bool {
    DirectoryUse::look(directory).is_ok_and(|now| now.is_used_since(before))
}

fn failed(path: &Path, error: &OpenError) -> Failure {
    Failure::new(open_exit(error), format!("{}: {error}", path.display()))
}

fn damaged(path: &str, directory: &Directory, what: &dyn std::fmt::Display) -> Failure {
    if DirectoryUse::look(directory).is_ok_and(|found| found.is_copy_of_running) {
        return Failure::new(
            Exit::Unavailable,
            format!(
                "{path}: a copy of a running directory, not damage: {what}. The server went on while \
                 its files were copied one after the other. Stop the server and copy again"
            ),
        );
    }
    Failure::new(Exit::Damaged, format!("{path}: {what}"))
}
