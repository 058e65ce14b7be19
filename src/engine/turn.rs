//! Whose turn it is: reads, expiries and writes, none of them twice while another waits.

use super::core::{Engine, Records};
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

impl<O: Owners, R: Records> Engine<O, R> {
    /// Starts what is next: reads, then an expiry that is due, then writes, and none of them twice
    /// in a row while another waits.
    pub(super) fn begin(&mut self, now: Timestamp, permit: Permit) -> bool {
        let base = Timestamp(self.end.timestamp.0.max(now.0));
        for turn in self.last_turn.next_ones() {
            let begun = match turn {
                Turn::Reads => self.order.has_reads(),
                Turn::Expiry => {
                    permit == Permit::All && self.next_expiry.is_some_and(|at| at <= base)
                }
                Turn::Writes => permit != Permit::Reads && self.order.has_writes(),
            };
            if begun {
                self.last_turn = turn;
                match turn {
                    Turn::Reads => self.begin_reads(),
                    Turn::Expiry => self.begin_expiry(base),
                    Turn::Writes => {
                        if let Some(group) = self.order.take_writes() {
                            self.begin_writes(group, base);
                        }
                    }
                }
                return true;
            }
        }
        false
    }

    /// Refuses all writes that wait for their turn, because the log can't take them.
    pub fn refuse_writes(&mut self, error: &RequestError) {
        while let Some(group) = self.order.take_writes() {
            for member in group.members {
                self.reply(member.source, Reply::Error(error.clone()));
            }
        }
    }
}
