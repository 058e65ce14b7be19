//! What the machine's clock may say when a ledger is opened.
//!
//! While it serves, time goes on steadily whatever happens to the clock ([`crate::io::SteadyClock`]); only a
//! start takes its word. A wrong one would be written down for ever: timestamps never fall.

use std::fmt;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::shared::Shared;
use crate::io::{Now, SteadyClock};
use crate::ledger::Timestamp;
use crate::limits::{CLOCK_AHEAD_NS_MAX, VERSION_AGE_NS_MAX, WRITTEN_UNIX_NS};

/// Timestamps stay below this.
const TIMESTAMP_BOUND: u64 = 1 << 63;

/// Why the clock can't be right, or must be accepted by a person first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It is before the program was written.
    #[error(
        "the machine's clock says {}, before this version was written ({}): set it, or wait for the time \
         service, and start again",
        Moment(*.0),
        Moment(WRITTEN_UNIX_NS)
    )]
    Past(u64),
    /// No timestamp can be so late.
    #[error(
        "the machine's clock says {}, and timestamps end in the year 2262: set it, or wait for the time \
         service, and start again",
        Moment(*.0)
    )]
    Impossible(u64),
    /// A new ledger would begin decades after this version was written.
    #[error(
        "the machine's clock says {}, {} after this version was written: set it and start again. If it is \
         right, start once with --accept-clock",
        Moment(*.0),
        Span(.0 - WRITTEN_UNIX_NS)
    )]
    Future(u64),
    /// So long after the newest record that it is more likely wrong.
    #[error(
        "the machine's clock says {}, {} after the newest record of the log ({}): every hold that expires \
         in between would expire at once. Check the clock. If it is right (the ledger was away for so \
         long, or this is an old backup), start once with --accept-clock",
        Moment(*.clock),
        Span(.clock - .newest),
        Moment(*.newest)
    )]
    Ahead {
        /// What the clock says.
        clock: u64,
        /// The newest timestamp of the log.
        newest: u64,
    },
}

/// Judges the machine's clock against the newest timestamp of the log, none for a new one. Says how far it
/// lies behind that, in nanoseconds.
///
/// # Errors
/// If it can't be right; or if it is likely wrong and nobody `accepted` it.
pub fn judge_clock(clock: u64, newest: Option<u64>, accepted: bool) -> Result<u64, ClockError> {
    if clock < WRITTEN_UNIX_NS {
        return Err(ClockError::Past(clock));
    }
    if clock >= TIMESTAMP_BOUND - CLOCK_AHEAD_NS_MAX {
        return Err(ClockError::Impossible(clock));
    }
    match newest {
        _ if accepted => {}
        None if clock - WRITTEN_UNIX_NS > VERSION_AGE_NS_MAX => {
            return Err(ClockError::Future(clock));
        }
        Some(newest) if clock.saturating_sub(newest) > CLOCK_AHEAD_NS_MAX => {
            return Err(ClockError::Ahead { clock, newest });
        }
        None | Some(_) => {}
    }
    Ok(newest.unwrap_or(0).saturating_sub(clock))
}

/// Warns of a clock that lies behind the newest record.
pub(super) fn warn_if_behind(clock: u64, behind: u64) {
    if behind > 1_000_000_000 {
        tracing::warn!(
            clock = %Moment(clock),
            newest = %Moment(clock.saturating_add(behind)),
            "the machine's clock lies {} behind the newest record of the log. Time goes on from that \
             record: new holds last as long as they should, older ones until the ledger's time has passed \
             their end. See \"The clock\" in docs/operating.md",
            Span(behind)
        );
    }
}

/// The ledger's time as the sequencer reads it: what happens to the machine's clock is told and counted.
pub(super) struct LedgerTime {
    clock: SteadyClock,
    shared: Arc<Shared>,
    told_ahead_ns: i64,
}

/// What `status` shows of the difference may be so old.
const TOLD_NS: u64 = 1_000_000;

impl LedgerTime {
    pub(super) fn new(clock: SteadyClock, shared: Arc<Shared>) -> Self {
        let told_ahead_ns = clock.ahead_ns();
        shared.clock_ahead_ns.store(told_ahead_ns, Ordering::Relaxed);
        Self { clock, shared, told_ahead_ns }
    }

    /// The time at a reading of the machine's clocks.
    pub(super) fn at(&mut self, now: Now) -> Timestamp {
        let (time, step) = self.clock.advance(now);
        let ahead_ns = self.clock.ahead_ns();
        if ahead_ns.abs_diff(self.told_ahead_ns) > TOLD_NS {
            self.told_ahead_ns = ahead_ns;
            self.shared.clock_ahead_ns.store(ahead_ns, Ordering::Relaxed);
        }
        if let Some(step) = step {
            self.shared.clock_steps.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                clock = %Moment(now.unix_ns),
                time = %Moment(time),
                "the machine's clock jumped {} by {}. The ledger's time goes on steadily and expires \
                 nothing for that; it leans towards the clock by half a millisecond a second. See \"The \
                 clock\" in docs/operating.md",
                if step.by_ns < 0 { "back" } else { "ahead" },
                Span(step.by_ns.unsigned_abs())
            );
        }
        Timestamp(time)
    }
}

/// A moment, to the second, for people.
struct Moment(u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(self.0);
        write!(f, "{}", humantime::format_rfc3339_seconds(time))
    }
}

/// A length of time, in the unit that says most.
pub(super) struct Span(pub(super) u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (count, unit) = match seconds {
            0..120 => (seconds, "seconds"),
            120..7_200 => (seconds / 60, "minutes"),
            7_200..172_800 => (seconds / 3_600, "hours"),
            172_800..63_072_000 => (seconds / 86_400, "days"),
            _ => (seconds / 31_536_000, "years"),
        };
        write!(f, "{count} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: u64 = 365 * 86_400 * 1_000_000_000;
    /// A day after the version was written.
    const NOW: u64 = WRITTEN_UNIX_NS + YEAR / 365;

    #[test]
    fn a_first_start_believes_what_can_be() {
        assert_eq!(judge_clock(NOW, None, false), Ok(0));
        assert_eq!(judge_clock(NOW + YEAR, None, false), Ok(0));
        for accepted in [false, true] {
            for wrong in [NOW - 56 * YEAR, NOW - YEAR, 0] {
                assert_eq!(judge_clock(wrong, None, accepted), Err(ClockError::Past(wrong)));
            }
            let wrong = NOW + 300 * YEAR;
            assert_eq!(judge_clock(wrong, None, accepted), Err(ClockError::Impossible(wrong)));
        }
        let late = NOW + 30 * YEAR;
        assert_eq!(judge_clock(late, None, false), Err(ClockError::Future(late)));
        assert_eq!(judge_clock(late, None, true), Ok(0));
    }

    #[test]
    fn a_restart_measures_by_the_newest_record() {
        for newest in [NOW, NOW - YEAR] {
            let newest = Some(newest);
            assert_eq!(
                judge_clock(NOW - 2 * YEAR, newest, true),
                Err(ClockError::Past(NOW - 2 * YEAR))
            );
            let wrong = NOW + 300 * YEAR;
            assert_eq!(judge_clock(wrong, newest, true), Err(ClockError::Impossible(wrong)));
        }
        let ahead = |clock| Err(ClockError::Ahead { clock, newest: NOW });
        assert_eq!(judge_clock(NOW + CLOCK_AHEAD_NS_MAX, Some(NOW), false), Ok(0));
        assert_eq!(judge_clock(NOW + YEAR, Some(NOW), false), ahead(NOW + YEAR));
        assert_eq!(judge_clock(NOW + YEAR, Some(NOW), true), Ok(0));
        // The clock was ten years ahead once. Its records can't be unwritten.
        assert_eq!(judge_clock(NOW, Some(NOW + 10 * YEAR), false), Ok(10 * YEAR));
    }

    #[test]
    fn the_messages_name_both_times_and_what_to_do() {
        let said = ClockError::Ahead { clock: NOW + YEAR, newest: NOW }.to_string();
        for part in ["2027-11-02T00:00:00Z", "365 days", "2026-11-02T00:00:00Z", "--accept-clock"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(ClockError::Past(0).to_string().contains("1970-01-01T00:00:00Z"));
        assert!(ClockError::Future(NOW + 30 * YEAR).to_string().contains("30 years"));
    }
}
