//! What arrives: the answer to the hello, replies, and errors.

use super::{HELLO_CORRELATION, Link, Session};
use crate::client::outcome::{Answer, ConnectError, LostReason, Refusal, UnknownReason};
use crate::client::slot::Stage;
use crate::ledger::Op;
use crate::wire::{Header, HelloReply, Kind, Reply, RequestError};

impl Session {
    pub(super) fn take_hello(
        &mut self,
        header: &Header,
        answer: Result<HelloReply, RequestError>,
        now_ns: u64,
    ) {
        match answer {
            Ok(_) if header.correlation != HELLO_CORRELATION => {
                self.lose(LostReason::StrayReply, now_ns);
            }
            Ok(peer) => {
                self.peer = Some(peer);
                self.refusals = 0;
                self.link = Link::Ready;
            }
            Err(error) => {
                let for_good = header.kind() == Some(Kind::Error)
                    && error.code().is_some_and(|code| !code.is_transient());
                self.refusals += usize::from(for_good);
                self.lose(LostReason::ClosedByServer(error.clone()), now_ns);
                if self.refusals >= self.config.addresses {
                    self.fail(ConnectError::Refused(error));
                }
            }
        }
    }

    pub(super) fn take_reply(&mut self, header: &Header, reply: Reply, now_ns: u64) {
        if let (Reply::Error(error), 0) = (&reply, header.correlation) {
            return self.lose(LostReason::ClosedByServer(error.clone()), now_ns);
        }
        let expected = self.slots.get(&header.correlation).is_some_and(|slot| {
            slot.stage == Stage::Sent
                && (matches!(reply, Reply::Error(_)) || slot.call.is_answered_by(&reply))
        });
        if !expected {
            return self.lose(LostReason::StrayReply, now_ns);
        }
        self.in_flight -= 1;
        self.backoff.reset();
        if let Reply::Error(error) = reply {
            return self.take_error(header.correlation, error, now_ns);
        }
        let answer = Answer { op: Op(header.op), epoch: header.epoch, value: reply };
        self.complete(header.correlation, Ok(answer));
    }

    pub(super) fn take_error(&mut self, correlation: u64, error: RequestError, now_ns: u64) {
        let attempts_max = self.config.attempts_max;
        let Some(slot) = self.slots.get_mut(&correlation) else { return };
        slot.in_doubt |= !error.is_definite() && slot.call.is_write();
        let again = error.code().is_some_and(|code| code.is_transient());
        if again && slot.attempts < attempts_max && !slot.abandoned {
            slot.stage = Stage::Waiting;
            let asked_ns = u64::from(error.retry_after_ms) * 1_000_000;
            let wait_ns = self.backoff.after_attempts_ns(slot.attempts).max(asked_ns);
            self.delayed.insert((now_ns.saturating_add(wait_ns), correlation));
        } else {
            let completion = if error.is_definite() {
                slot.refused(Refusal::Server(error.clone()))
            } else {
                slot.unknown(UnknownReason::Interrupted(error.clone()))
            };
            self.complete(correlation, completion);
        }
        if error.closes() {
            self.lose(LostReason::ClosedByServer(error), now_ns);
        }
    }
}
