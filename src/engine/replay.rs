//! Deciding the log again: how a state is rebuilt, and how a log is verified.
//!
//! Every frame is turned back into the batch that it was, decided by the same code, and compared
//! with what the log says came of it, byte for byte.

use super::core::Engine;
use super::kinds::{Act, Activity, Led};
use super::owners::Owners;
use super::past::Records;
use crate::log::{Frame, FrameKind, FrameView, RecordError};

/// Why a frame can't be what this ledger decided.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The frame doesn't follow the one before.
    #[error("op {op} at position {position}: follows op {after}")]
    OutOfOrder {
        /// The frame's op.
        op: u64,
        /// Where it stands.
        position: u64,
        /// The op before.
        after: u64,
    },
    /// The digest of the state before the frame differs.
    #[error("op {op} at position {position}: the state before it differs from the one recorded")]
    State {
        /// The frame's op.
        op: u64,
        /// Where it stands.
        position: u64,
    },
    /// The batch was decided otherwise.
    #[error("op {op} at position {position}: deciding it again gives {what} than recorded")]
    Decision {
        /// The frame's op.
        op: u64,
        /// Where it stands.
        position: u64,
        /// What differs.
        what: &'static str,
    },
    /// The frame holds a command that this program can't obey.
    #[error("op {op} at position {position}: a command of a newer program; use that")]
    UnknownCommand {
        /// The frame's op.
        op: u64,
        /// Where it stands.
        position: u64,
    },
    /// An earlier record can't be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl<O: Owners> Engine<O> {
    /// Decides a frame of the log again and takes over its effects. Needs owners that answer at
    /// once. Old records are read from `records`, which ends at this frame at the earliest.
    ///
    /// # Errors
    /// When the frame is not what this ledger decides; the engine is of no more use then.
    pub fn replay(
        &mut self,
        frame: &FrameView<'_>,
        records: &mut impl Records,
    ) -> Result<(), ReplayError> {
        let header = *frame.header();
        let (op, position) = (header.op.0, header.position.0);
        let after = self.end().op;
        if header.op != after.next() {
            return Err(ReplayError::OutOfOrder { op, position, after: after.0 });
        }
        if header.kind == FrameKind::Command && !Act::is_known(frame) {
            return Err(ReplayError::UnknownCommand { op, position });
        }
        self.parts.sequence.begin_replay(&header);
        let Some(activity) = Activity::read_back(frame) else {
            if header.state_digest != self.state_digest() {
                return Err(ReplayError::State { op, position });
            }
            assert!(header.end() > self.end().position, "each frame stands behind the one before");
            self.parts.sequence.end_replay();
            self.parts.sequence.step_over(header.end(), header.op, header.timestamp);
            self.handle_committed(header.op);
            return Ok(());
        };
        let Some(decided) = self.decide_again(activity, records)? else {
            return Err(ReplayError::Decision { op, position, what: "nothing rather" });
        };
        self.parts.sequence.end_replay();
        assert_eq!(decided.header().op, header.op, "a frame is decided again as the op that it is");
        let decided = self.written(decided);
        self.handle_committed(decided.header().op);
        compare(&decided, frame)
    }

    /// Leads the work of a frame, and only that, to its end.
    fn decide_again(
        &mut self,
        mut activity: Activity,
        records: &mut impl Records,
    ) -> Result<Option<Frame>, ReplayError> {
        activity.begin(&mut self.parts);
        loop {
            self.parts.crew.receive();
            assert!(!self.parts.crew.is_waiting(), "the owners answer at once");
            match activity.lead(&mut self.parts) {
                Led::Asked(asked) => activity = asked,
                Led::Cold(cold, needs) => {
                    for need in needs {
                        let loaded = records.load(need.load)?;
                        self.parts.past.loads.keep_for_replay(loaded);
                    }
                    activity = cold;
                }
                Led::Done => return Ok(None),
                Led::Written(frame) => {
                    self.parts.past.loads.forget_replayed();
                    assert!(self.parts.crew.is_at_rest(), "the owners answer at once");
                    return Ok(Some(frame));
                }
            }
        }
    }
}

fn compare(decided: &Frame, recorded: &FrameView<'_>) -> Result<(), ReplayError> {
    let (ours, theirs) = (decided.header(), recorded.header());
    let (op, position) = (theirs.op.0, theirs.position.0);
    if ours.state_digest != theirs.state_digest {
        return Err(ReplayError::State { op, position });
    }
    let differs = [
        (ours.version != theirs.version, "another version"),
        (ours.position != theirs.position, "another position"),
        (ours.outcome_digest != theirs.outcome_digest, "other outcomes"),
        (ours.counts != theirs.counts, "other counts"),
        (!decided.same_content(recorded), "other content"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        Some(&(_, what)) => Err(ReplayError::Decision { op, position, what }),
        None => Ok(()),
    }
}
