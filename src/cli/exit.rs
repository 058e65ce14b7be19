//! The exit statuses of the program, by class, and the error that carries one.
//!
//! This is the only place that gives a number a meaning; `docs/operating.md` repeats the table.
//! The statuses from 70 on belong to [`crate::fatal::Reason`]: the server stopped itself.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything that was asked for happened.
    Ok = 0,
    /// Something outside the other classes failed: a file that can't be written, a bug.
    Failed = 1,
    /// The command line, the configuration, a mapping file or a statement is wrong.
    Usage = 2,
    /// The ledger's rules refused at least one event, or at least one input line is unreadable.
    Refused = 3,
    /// It isn't known whether something happened. Send the same ids again, or resolve them.
    Unknown = 4,
    /// The server can't be reached, or a resource that the command needs is taken. Nothing happened.
    Unavailable = 5,
    /// Data on the disk is damaged.
    Damaged = 6,
}

impl Exit {
    /// The name of the class: the code of an error that has none of its own.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
            Self::Damaged => "damaged",
        }
    }

    /// The status that the operating system sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unknown => 4,
            Self::Unavailable => 5,
            Self::Damaged => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command stopped: its class, and one message for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The class, and so the exit status.
    pub exit: Exit,
    /// What to tell the user; nothing is said when the reader of our output went away.
    pub message: Option<String>,
    /// The error by name, as JSON tells it; none is that of the class.
    pub code: Option<Cow<'static, str>>,
}

impl Failure {
    /// A failure of the given class.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()), code: None }
    }

    /// The same, with a name of its own.
    pub(crate) fn coded(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// A file that is needed can't be read. Who may not look, or finds nothing there, used the command
    /// rightly; anything else (a directory, no UTF-8) is the wrong file.
    pub(crate) fn unreadable(what: &dyn std::fmt::Display, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => Exit::Unavailable,
            _ => Exit::Usage,
        };
        Self::new(exit, format!("can't read {what}: {error}"))
    }

    /// The user's input is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<std::io::Error> for Failure {
    /// For writes to stdout: a reader that stopped reading (`| head`) has what it wanted.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self { exit: Exit::Ok, message: None, code: None };
        }
        Self::new(Exit::Failed, format!("can't write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_equal_discriminants_and_stay_below_the_fatal_ones() {
        for exit in [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::Refused,
            Exit::Unknown,
            Exit::Unavailable,
            Exit::Damaged,
        ] {
            assert_eq!(u32::from(exit.code()), exit as u32);
            assert!(exit.code() < crate::fatal::Reason::LogWriteFailed.exit_status());
        }
    }

    #[test]
    fn a_file_that_is_missing_or_forbidden_is_no_wrong_usage() {
        for (kind, exit) in [
            (ErrorKind::NotFound, Exit::Unavailable),
            (ErrorKind::PermissionDenied, Exit::Unavailable),
            (ErrorKind::IsADirectory, Exit::Usage),
            (ErrorKind::InvalidData, Exit::Usage),
        ] {
            let failure = Failure::unreadable(&"f", &std::io::Error::from(kind));
            assert_eq!(failure.exit, exit, "{kind:?}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(std::io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(failure, Failure { exit: Exit::Ok, message: None, code: None });
        let failure = Failure::from(std::io::Error::other("disk full"));
        assert_eq!(failure.exit, Exit::Failed);
    }
}
