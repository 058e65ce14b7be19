//! The decision table of recovery: what the end of a log is, from what was found there.
//!
//! The first row that applies decides. There is no default: every combination is named, and a test
//! goes through them all. In doubt a row refuses; only an operator who names the very position can
//! accept a loss.

/// What stands at the first position without a next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// No frame was begun: its first bytes are 0, as the segment was prepared.
    Unwritten,
    /// A frame was begun and not all of it arrived: some of its sectors are still 0.
    Torn,
    /// Bytes that no interrupted write leaves behind: they were written and then changed.
    Altered,
    /// A whole frame, but not the next one of this log.
    Discontinuous,
    /// A whole frame of a newer version of the format.
    Unknown,
}

/// What stands behind that position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Zeros, up to the end of the last segment.
    Nothing,
    /// Something, within what can be in flight at once.
    InFlight,
    /// Something further away than what can be in flight at once.
    TooFar,
    /// The disk doesn't say.
    Unreadable,
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// What stands at the first position without a next frame.
    pub shape: Shape,
    /// Something knows that bytes from there on were acknowledged: a later frame, the meta file,
    /// another node.
    pub acknowledged: bool,
    /// What stands behind.
    pub beyond: Beyond,
    /// An operator named this position and accepts the loss of what follows.
    pub loss_accepted: bool,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// Something that a newer program wrote.
    NewerFormat,
    /// The disk refuses to give what follows.
    UnreadableBeyond,
    /// An operator accepts the loss.
    LossAccepted,
    /// Bytes that were acknowledged are damaged or gone.
    AcknowledgedLost,
    /// Something stands too far away to be the remains of a crash: the middle of the log is gone.
    HoleInLog,
    /// Bytes that were once written have changed.
    BytesAltered,
    /// A whole frame that doesn't belong there.
    FrameMisplaced,
    /// The log ends here.
    CleanEnd,
    /// A crash interrupted writes that nobody was told of.
    TornTail,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Append from here.
    Continue,
    /// Keep a copy of what follows, zero it, begin a new epoch.
    Cut,
    /// Don't start.
    Refuse,
}

impl Row {
    /// Every row, in the order in which they are tried.
    pub const ALL: [Self; 9] = [
        Self::NewerFormat,
        Self::UnreadableBeyond,
        Self::LossAccepted,
        Self::AcknowledgedLost,
        Self::HoleInLog,
        Self::BytesAltered,
        Self::FrameMisplaced,
        Self::CleanEnd,
        Self::TornTail,
    ];

    /// The row for these findings.
    #[must_use]
    pub fn of(findings: Findings) -> Self {
        let clean = findings.shape == Shape::Unwritten && findings.beyond == Beyond::Nothing;
        let applies = |row: &Self| match row {
            Self::NewerFormat => findings.shape == Shape::Unknown,
            Self::UnreadableBeyond => findings.beyond == Beyond::Unreadable,
            Self::LossAccepted => findings.loss_accepted,
            Self::AcknowledgedLost => findings.acknowledged,
            Self::HoleInLog => findings.beyond == Beyond::TooFar,
            Self::BytesAltered => findings.shape == Shape::Altered,
            Self::FrameMisplaced => findings.shape == Shape::Discontinuous,
            Self::CleanEnd => clean,
            Self::TornTail => matches!(findings.shape, Shape::Unwritten | Shape::Torn),
        };
        // The last four rows cover every shape, so one always applies; if that ever changed, the
        // safe answer is to refuse.
        Self::ALL.into_iter().find(applies).unwrap_or(Self::BytesAltered)
    }

    /// What to do.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::CleanEnd => Verdict::Continue,
            Self::TornTail | Self::LossAccepted => Verdict::Cut,
            Self::NewerFormat
            | Self::UnreadableBeyond
            | Self::AcknowledgedLost
            | Self::HoleInLog
            | Self::BytesAltered
            | Self::FrameMisplaced => Verdict::Refuse,
        }
    }

    /// The name, as messages and `docs/log-format.md` spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewerFormat => "newer format",
            Self::UnreadableBeyond => "unreadable beyond",
            Self::LossAccepted => "loss accepted",
            Self::AcknowledgedLost => "acknowledged lost",
            Self::HoleInLog => "hole in log",
            Self::BytesAltered => "bytes altered",
            Self::FrameMisplaced => "frame misplaced",
            Self::CleanEnd => "clean end",
            Self::TornTail => "torn tail",
        }
    }

    /// What the operator should do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NewerFormat => "start the version of the program that wrote it, or a newer one",
            Self::UnreadableBeyond => {
                "the disk is failing: copy the directory to another one while it can be read, and \
                 start from the copy"
            }
            Self::AcknowledgedLost
            | Self::HoleInLog
            | Self::BytesAltered
            | Self::FrameMisplaced => {
                "acknowledged transfers may be affected, so nothing was changed: copy the directory \
                 before anything else; if there is an older copy, hold it against this one with \
                 `partita verify`; as the last resort, `partita start --accept-loss-at` with this \
                 position gives up what follows"
            }
            Self::LossAccepted | Self::CleanEnd | Self::TornTail => "nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 5] =
        [Shape::Unwritten, Shape::Torn, Shape::Altered, Shape::Discontinuous, Shape::Unknown];
    const BEYONDS: [Beyond; 4] =
        [Beyond::Nothing, Beyond::InFlight, Beyond::TooFar, Beyond::Unreadable];

    fn all() -> impl Iterator<Item = Findings> {
        SHAPES.into_iter().flat_map(|shape| {
            BEYONDS.into_iter().flat_map(move |beyond| {
                [false, true].into_iter().flat_map(move |acknowledged| {
                    [false, true].into_iter().map(move |loss_accepted| Findings {
                        shape,
                        acknowledged,
                        beyond,
                        loss_accepted,
                    })
                })
            })
        })
    }

    #[test]
    fn every_row_is_used_and_every_combination_has_one() {
        let mut used: Vec<Row> = all().map(Row::of).collect();
        assert_eq!(used.len(), 80);
        used.sort_unstable();
        used.dedup();
        assert_eq!(used, Row::ALL);
    }

    #[test]
    fn without_an_operator_nothing_acknowledged_far_or_altered_is_ever_cut() {
        for findings in all().filter(|findings| !findings.loss_accepted) {
            let verdict = Row::of(findings).verdict();
            let harmless = !findings.acknowledged
                && matches!(findings.beyond, Beyond::Nothing | Beyond::InFlight)
                && matches!(findings.shape, Shape::Unwritten | Shape::Torn);
            assert_eq!(verdict != Verdict::Refuse, harmless, "{findings:?}");
        }
    }

    #[test]
    fn only_an_untouched_end_continues_without_a_cut() {
        for findings in all() {
            let clean = findings
                == Findings {
                    shape: Shape::Unwritten,
                    acknowledged: false,
                    beyond: Beyond::Nothing,
                    loss_accepted: false,
                };
            assert_eq!(Row::of(findings).verdict() == Verdict::Continue, clean, "{findings:?}");
        }
    }

    #[test]
    fn an_operator_can_accept_any_loss_but_not_of_what_nobody_can_read() {
        for findings in all().filter(|findings| findings.loss_accepted) {
            let readable =
                findings.shape != Shape::Unknown && findings.beyond != Beyond::Unreadable;
            let expected = if readable { Verdict::Cut } else { Verdict::Refuse };
            assert_eq!(Row::of(findings).verdict(), expected, "{findings:?}");
        }
    }

    /// The whole table without operator, so that a change of it is seen.
    #[test]
    fn the_table_is_as_documented() {
        use Beyond::{InFlight, Nothing, TooFar, Unreadable};
        let row = |shape, beyond, acknowledged| {
            Row::of(Findings { shape, acknowledged, beyond, loss_accepted: false })
        };
        for shape in SHAPES {
            for beyond in [Nothing, InFlight, TooFar] {
                let expected = match shape {
                    Shape::Unknown => Row::NewerFormat,
                    _ => Row::AcknowledgedLost,
                };
                assert_eq!(row(shape, beyond, true), expected);
            }
            let expected =
                if shape == Shape::Unknown { Row::NewerFormat } else { Row::UnreadableBeyond };
            assert_eq!(row(shape, Unreadable, false), expected);
            assert_eq!(row(shape, Unreadable, true), expected);
        }
        assert_eq!(row(Shape::Unwritten, Nothing, false), Row::CleanEnd);
        assert_eq!(row(Shape::Unwritten, InFlight, false), Row::TornTail);
        assert_eq!(row(Shape::Unwritten, TooFar, false), Row::HoleInLog);
        assert_eq!(row(Shape::Torn, Nothing, false), Row::TornTail);
        assert_eq!(row(Shape::Torn, InFlight, false), Row::TornTail);
        assert_eq!(row(Shape::Torn, TooFar, false), Row::HoleInLog);
        assert_eq!(row(Shape::Altered, Nothing, false), Row::BytesAltered);
        assert_eq!(row(Shape::Altered, TooFar, false), Row::HoleInLog);
        assert_eq!(row(Shape::Discontinuous, InFlight, false), Row::FrameMisplaced);
    }
}
