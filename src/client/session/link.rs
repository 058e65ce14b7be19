//! The session's connection and its queues: connecting, credit, deadlines, loss, the end.

use std::collections::BTreeSet;

use super::{Action, Link, Session};
use crate::client::outcome::{ConnectError, LostReason, NotSentReason, Refusal, UnknownReason};
use crate::client::slot::{Completion, Slot, Stage};

impl Session {
    pub(super) const fn has_connection(&self) -> bool {
        matches!(self.link, Link::Connecting { .. } | Link::Greeting { .. } | Link::Ready)
    }

    pub(super) fn connect(&mut self, now_ns: u64) {
        self.incoming.clear();
        let until_ns = now_ns.saturating_add(self.config.connect_timeout_ns);
        self.link = Link::Connecting { until_ns };
        self.actions.push_back(Action::Connect { address: self.address });
    }

    /// Gives credit to waiting calls, in order, as far as it reaches.
    pub(super) fn pump(&mut self) {
        if self.link != Link::Ready {
            return;
        }
        let granted = self.peer.map_or(1, |peer| peer.in_flight_max);
        let credit = usize::try_from(granted.min(self.config.in_flight_max)).unwrap_or(usize::MAX);
        while self.in_flight < credit.max(1) {
            let Some(correlation) = self.waiting.pop_front() else { break };
            if let Some(slot) = self.slots.get_mut(&correlation) {
                slot.stage = Stage::Sending;
                self.sending.push_back(correlation);
                self.in_flight += 1;
            }
        }
    }

    pub(super) fn complete(&mut self, correlation: u64, completion: Completion) {
        if let Some(slot) = self.slots.remove(&correlation) {
            self.deadlines.remove(&(slot.call.deadline_ns(), correlation));
            if !slot.abandoned {
                self.completions.push_back((correlation, completion));
            }
        }
    }

    /// The deadline of a call passed.
    pub(super) fn give_up(&mut self, correlation: u64, now_ns: u64) {
        let started = self.written > 0 && self.sending.front() == Some(&correlation);
        let Some(slot) = self.slots.get_mut(&correlation) else { return };
        if slot.stage == Stage::Sent || started {
            // The reply may still come, and until then it occupies credit.
            slot.abandoned = true;
            let silent = slot.stage == Stage::Sent && self.received_ns <= slot.sent_ns;
            let completion = slot.unknown(UnknownReason::DeadlinePassed);
            self.completions.push_back((correlation, completion));
            if silent {
                self.lose(LostReason::Silent, now_ns);
            }
            return;
        }
        if slot.stage == Stage::Sending {
            self.sending.retain(|&other| other != correlation);
            self.in_flight -= 1;
        }
        let completion = if slot.in_doubt {
            slot.unknown(UnknownReason::DeadlinePassed)
        } else {
            slot.refused(Refusal::NotSent(NotSentReason::DeadlinePassed))
        };
        self.complete(correlation, completion);
    }

    /// Drops a connection on which calls wait for credit that only abandoned requests hold: their
    /// replies may never come, and then no call would be sent any more.
    pub(super) fn drop_if_stuck(&mut self, now_ns: u64) {
        let waits = |correlation| self.slots.contains_key(correlation);
        let starved = self.link == Link::Ready && self.waiting.iter().any(waits);
        let hopeful = |slot: &Slot| slot.stage != Stage::Waiting && !slot.abandoned;
        if starved && !self.slots.values().any(hopeful) {
            self.lose(LostReason::Silent, now_ns);
        }
    }

    /// Drops the connection; what was sent and not answered waits to be sent again.
    pub(super) fn lose(&mut self, why: LostReason, now_ns: u64) {
        let by_network = matches!(why, LostReason::Network(_));
        if !by_network {
            self.actions.push_back(Action::Close);
        }
        self.incoming.clear();
        self.sending.clear();
        self.written = 0;
        self.in_flight = 0;
        let attempts_max = self.config.attempts_max;
        let mut ended = Vec::new();
        for (&correlation, slot) in &mut self.slots {
            let sent = slot.stage == Stage::Sent;
            slot.in_doubt |= sent && slot.call.is_write();
            slot.stage = Stage::Waiting;
            if slot.abandoned || (sent && slot.attempts >= attempts_max) {
                ended.push(correlation);
            }
        }
        for correlation in ended {
            let Some(slot) = self.slots.get(&correlation) else { continue };
            let (attempts, last) = (slot.attempts, why.clone());
            let completion = slot.unknown(UnknownReason::ConnectionLost { attempts, last });
            self.complete(correlation, completion);
        }
        let delayed: BTreeSet<u64> = self.delayed.iter().map(|entry| entry.1).collect();
        self.waiting = self.slots.keys().copied().filter(|key| !delayed.contains(key)).collect();
        self.last_lost = Some(why);
        self.address = (self.address + 1) % self.config.addresses.max(1);
        self.link = if self.slots.is_empty() && self.peer.is_some() {
            Link::Idle
        } else {
            Link::Backoff { until_ns: now_ns.saturating_add(self.backoff.next_ns()) }
        };
    }

    /// No server will have this client.
    pub(super) fn fail(&mut self, error: ConnectError) {
        if self.has_connection() {
            self.actions.push_back(Action::Close);
        }
        self.end(error);
    }

    pub(super) fn end(&mut self, error: ConnectError) {
        let reason = NotSentReason::NoServer(error.clone());
        let correlations: Vec<u64> = self.slots.keys().copied().collect();
        for correlation in correlations {
            let Some(slot) = self.slots.get(&correlation) else { continue };
            let completion = if slot.stage == Stage::Sent {
                slot.unknown(UnknownReason::Closed)
            } else {
                slot.refused(Refusal::NotSent(reason.clone()))
            };
            self.complete(correlation, completion);
        }
        self.waiting.clear();
        self.delayed.clear();
        self.sending.clear();
        self.written = 0;
        self.in_flight = 0;
        self.link = Link::Failed(error);
    }
}
