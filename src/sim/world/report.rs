//! What happened in a world, counted, so that a reader sees that the faults really occur.

use std::collections::BTreeMap;

use crate::sim::coverage::Coverage;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Count {
    Events,
    Calls,
    AnswersChecked,
    Definite,
    Refused,
    Unknown,
    Settled,
    Restarts,
    PowerCuts,
    Kills,
    CleanStops,
    WritesInFlightAtCrash,
    FramesLost,
    FramesKeptUnasked,
    TornTails,
    CrashesInRecovery,
    CrashesOfTheKeeper,
    DiskErrors,
    FullDisks,
    FullDiskRefusals,
    SlowDisks,
    ClockJumps,
    BitFlips,
    LostSectors,
    Garbage,
    ReadErrors,
    Refusals,
    ExactDespiteDamage,
    ConnectionsCut,
    ConnectionsSilent,
    LateRequests,
    Resent,
    StartsOnFullDisk,
    OldRecords,
    LateSegments,
    WaitsForRoom,
}

impl Count {
    /// What must occur in any large set of seeds.
    pub const ALL: [Self; 36] = [
        Self::Events,
        Self::Calls,
        Self::AnswersChecked,
        Self::Definite,
        Self::Refused,
        Self::Unknown,
        Self::Settled,
        Self::Restarts,
        Self::PowerCuts,
        Self::Kills,
        Self::CleanStops,
        Self::WritesInFlightAtCrash,
        Self::FramesLost,
        Self::FramesKeptUnasked,
        Self::TornTails,
        Self::CrashesInRecovery,
        Self::CrashesOfTheKeeper,
        Self::DiskErrors,
        Self::FullDisks,
        Self::FullDiskRefusals,
        Self::SlowDisks,
        Self::ClockJumps,
        Self::BitFlips,
        Self::LostSectors,
        Self::Garbage,
        Self::ReadErrors,
        Self::Refusals,
        Self::ExactDespiteDamage,
        Self::ConnectionsCut,
        Self::ConnectionsSilent,
        Self::LateRequests,
        Self::Resent,
        Self::StartsOnFullDisk,
        Self::OldRecords,
        Self::LateSegments,
        Self::WaitsForRoom,
    ];
}

/// The tally of one world, or of many.
#[derive(Debug, Clone, Default)]
pub struct Report {
    counts: BTreeMap<Count, u64>,
    /// Which statuses were met.
    pub coverage: Coverage,
}

impl Report {
    /// Counts `times` more.
    pub fn add(&mut self, count: Count, times: u64) {
        *self.counts.entry(count).or_default() += times;
    }

    /// Counts one.
    pub fn count(&mut self, count: Count) {
        self.add(count, 1);
    }

    /// How often it happened.
    #[must_use]
    pub fn times(&self, count: Count) -> u64 {
        self.counts.get(&count).copied().unwrap_or(0)
    }

    /// Adds another world to this one.
    pub fn merge(&mut self, other: &Self) {
        for (count, times) in &other.counts {
            self.add(*count, *times);
        }
        self.coverage.add(&other.coverage);
    }

    /// What never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<Count> {
        Count::ALL.into_iter().filter(|count| self.times(*count) == 0).collect()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, count) in Count::ALL.into_iter().enumerate() {
            let end = if at % 3 == 2 { "\n" } else { "  " };
            write!(f, "{:>10} {:<24}{end}", self.times(count), words(count))?;
        }
        let coverage = &self.coverage;
        writeln!(
            f,
            "{:>10} different statuses, {} % of {} events not created",
            coverage.distinct(),
            coverage.failed_percent(),
            coverage.events()
        )
    }
}

/// The name in small words.
fn words(count: Count) -> String {
    let mut words = String::new();
    for (at, letter) in format!("{count:?}").chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
