//! Whose turn it is: reads, expiries and writes, none of them twice while another waits.

use super::core::Engine;
use super::kinds::Activity;
use super::owners::Owners;
use crate::ledger::Timestamp;
use crate::wire::{Reply, RequestError};

/// What may be ordered now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Only reads: the log has enough to do.
    Reads,
    /// Reads and writes, but holds that have ended stay as they are.
    Writes,
    /// Everything.
    All,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Reads,
    Expiry,
    Writes,
}

impl Turn {
    /// Who may come now, first choice first: whoever was last comes last.
    const fn next_ones(self) -> [Self; 3] {
        match self {
            Self::Reads => [Self::Expiry, Self::Writes, Self::Reads],
            Self::Expiry => [Self::Writes, Self::Reads, Self::Expiry],
            Self::Writes => [Self::Reads, Self::Expiry, Self::Writes],
        }
    }
}

impl<O: Owners> Engine<O> {
    /// What is next: reads, then an expiry that is due, then writes, and none of them twice in a row
    /// while another waits.
    pub(super) fn next_activity(&mut self, now: Timestamp, permit: Permit) -> Option<Activity> {
        let base = self.parts.sequence.base(now);
        for turn in self.last_turn.next_ones() {
            let activity = match turn {
                Turn::Reads => {
                    self.order.has_reads().then(|| Activity::reads(self.order.take_reads()))
                }
                Turn::Expiry => {
                    let next = self.parts.sequence.next_expiry;
                    let due = permit == Permit::All && next.is_some_and(|at| at <= base);
                    due.then(|| Activity::expiry(base))
                }
                Turn::Writes if permit == Permit::Reads => None,
                Turn::Writes => self.next_batch(base),
            };
            if activity.is_some() {
                self.last_turn = turn;
                return activity;
            }
        }
        None
    }

    /// The next batch for which there is room.
    fn next_batch(&mut self, base: Timestamp) -> Option<Activity> {
        while let Some(mut gathered) = self.order.take_writes() {
            for (member, error) in self.parts.books.refuse_what_does_not_fit(&mut gathered) {
                self.parts.past.loads.release(member.arrival);
                self.parts.reply(member.submission.source, Reply::Error(error));
            }
            let activity = Activity::batch(gathered, base);
            if activity.is_some() {
                return activity;
            }
        }
        None
    }

    /// Refuses all writes that wait for their turn, because the log can't take them.
    pub fn refuse_writes(&mut self, error: &RequestError) {
        while let Some(gathered) = self.order.take_writes() {
            for member in gathered.members {
                self.parts.past.loads.release(member.arrival);
                self.parts.reply(member.submission.source, Reply::Error(error.clone()));
            }
        }
    }
}
