//! Acts of operators: one for each frame, with the reason for it in the frame's notes.

use super::verbs::{Cold, Kind, Logged, Next};
use crate::engine::order::{Gathered, Waiting};
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::engine::source::Source;
use crate::ledger::decide::raise_capacity;
use crate::ledger::{Command, CommandResult, CommandStatus, Timestamp, digest};
use crate::log::{CommandEntry, Frame, FrameKind, FrameView, Principal, Refusal, RequestEntry};
use crate::wire::{Reply, Request, is_reason};

/// A command under way.
///
/// Invariant: `result` is what stands in the frame and what the operator is told; the capacity changes where the
/// frame is written and nowhere else.
#[derive(Debug)]
pub(in crate::engine) struct Act {
    /// Who waits for the answer; nobody when the log is replayed.
    source: Option<Source>,
    principal: Principal,
    command: Command,
    reason: String,
    base: Timestamp,
    /// Once decided.
    result: CommandResult,
}

impl Act {
    /// The act of the one request that was gathered.
    pub(super) fn new(mut gathered: Gathered, base: Timestamp) -> Self {
        assert_eq!(gathered.members.len(), 1, "a frame holds one command");
        let Some(Waiting { submission, .. }) = gathered.members.pop() else {
            unreachable!("counted in the line before")
        };
        let Request::Command { command, reason } = submission.request else {
            unreachable!("a batch is of one kind")
        };
        assert!(is_reason(&reason), "a command without a reason doesn't come this far");
        Self {
            source: Some(submission.source),
            principal: submission.principal,
            command,
            reason,
            base,
            result: CommandResult::default(),
        }
    }

    /// The one slot that it uses up.
    const fn slot(&self) -> Timestamp {
        Timestamp(self.base.0 + 1)
    }

    /// Whether this program can obey what the frame holds.
    pub(in crate::engine) fn is_known(frame: &FrameView<'_>) -> bool {
        let command = |entry: &CommandEntry| {
            Command::from_words(entry.kind, entry.version, entry.arguments).is_some()
                && entry.reserved == 0
        };
        frame.commands().len() == 1
            && frame.commands().iter().all(command)
            && str::from_utf8(frame.notes()).is_ok()
    }
}

impl Kind for Act {
    /// Asks nothing but how the state is before it.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
        parts.crew.send_loads();
    }

    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next {
        parts.sequence.next_expiry = parts.crew.next_expiry();
        let Command::RaiseCapacity(asked) = self.command;
        let before = parts.books.capacity();
        let (after, status) = match raise_capacity(before, asked) {
            Ok(raised) => (raised, CommandStatus::Done),
            Err(refusal) => (before, refusal),
        };
        self.result = CommandResult::of_capacity(self.slot().0, status.code(), after);
        Next::Decided
    }

    fn answer<O: Owners>(self, parts: &mut Parts<O>) {
        if let Some(source) = self.source {
            parts.reply(source, Reply::Command(self.result));
        }
    }
}

impl Logged for Act {
    const FRAME: FrameKind = FrameKind::Command;

    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame {
        let state_digest = parts.digest_before();
        let Parts { sequence, books, .. } = parts;
        let builder = sequence.start(Self::FRAME, self.base);
        let (kind, version, arguments) = self.command.to_words();
        let principal = self.principal;
        builder.push_command(&CommandEntry { kind, version, principal, reserved: 0, arguments });
        builder.push_request(RequestEntry::new(1, principal));
        builder.push_notes(self.reason.as_bytes());
        if self.result.status == CommandStatus::Done.code() {
            books.raise(self.result.capacity());
        } else {
            builder.push_refusal(Refusal { index: 0, status: self.result.status });
            books.counts.refused += 1;
        }
        books.counts.batches += 1;
        assert_eq!(self.result.capacity(), books.capacity(), "the answer tells how things are");
        sequence.finish(self.slot(), digest::command(&self.result), state_digest)
    }

    fn read_back(frame: &FrameView<'_>) -> Self {
        assert!(Self::is_known(frame), "what this program doesn't know is refused before");
        let [entry] = frame.commands() else { unreachable!("asked in the line before") };
        let command = Command::from_words(entry.kind, entry.version, entry.arguments);
        let (Some(command), Ok(reason)) = (command, str::from_utf8(frame.notes())) else {
            unreachable!("asked before")
        };
        Self {
            source: None,
            principal: entry.principal,
            command,
            reason: reason.to_owned(),
            base: frame.header().timestamp,
            result: CommandResult::default(),
        }
    }

    fn take_out(&mut self, _: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
        unreachable!("a command needs no old record")
    }

    fn is_empty(&self) -> bool {
        false
    }
}
