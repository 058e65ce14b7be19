//! Deciding the log again: how a state is rebuilt, and how a log is verified.
//!
//! Every frame is turned back into the batch that it was, decided by the same code, and compared
//! with what the log says came of it, byte for byte.

use super::batch::{AccountBatch, FenceBatch, Member, TransferBatch};
use super::core::{Engine, Records};
use super::owners::Owners;
use super::transfers::restore;
use super::turn::Permit;
use crate::ledger::{Account, AccountFlags, Timestamp, Transfer};
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
    /// An earlier record can't be read.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl<O: Owners, R: Records> Engine<O, R> {
    /// Decides a frame of the log again and takes over its effects. Needs owners that answer at
    /// once.
    ///
    /// # Errors
    /// When the frame is not what this ledger decides; the engine is of no more use then.
    pub fn replay(&mut self, frame: &FrameView<'_>) -> Result<(), ReplayError> {
        let header = *frame.header();
        let (op, position) = (header.op.0, header.position.0);
        if header.op != self.end.op.next() {
            return Err(ReplayError::OutOfOrder { op, position, after: self.end.op.0 });
        }
        self.end.epoch = header.epoch;
        let base = header.timestamp;
        match header.kind {
            FrameKind::Genesis | FrameKind::Epoch => {
                if header.state_digest != self.state_digest() {
                    return Err(ReplayError::State { op, position });
                }
                self.end.position = header.end();
                self.end.op = header.op;
                self.end.timestamp = self.end.timestamp.max(base);
                self.handle_committed(header.op);
                return Ok(());
            }
            FrameKind::CreateTransfers => self.begin_transfers(TransferBatch {
                members: members(frame),
                events: transfers(frame),
                base,
                second_round: false,
            }),
            FrameKind::CreateAccounts => self.begin_accounts(AccountBatch {
                members: members(frame),
                events: accounts(frame),
                base,
            }),
            FrameKind::Fence => self.begin_fence(FenceBatch {
                members: members(frame),
                ids: frame.ids().to_vec(),
                base,
            }),
            FrameKind::Expire => self.begin_expiry(base),
        }
        let decided = self.poll(Timestamp(0), Permit::Reads)?;
        let Some(decided) = decided else {
            return Err(ReplayError::Decision { op, position, what: "nothing rather" });
        };
        self.handle_committed(header.op);
        compare(&decided, frame)
    }
}

fn compare(decided: &Frame, recorded: &FrameView<'_>) -> Result<(), ReplayError> {
    let (ours, theirs) = (decided.header(), recorded.header());
    let (op, position) = (theirs.op.0, theirs.position.0);
    if ours.state_digest != theirs.state_digest {
        return Err(ReplayError::State { op, position });
    }
    let differs = [
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

fn members(frame: &FrameView<'_>) -> Vec<Member> {
    let requests = frame.requests().iter();
    requests.map(|&events| Member { source: None, events: events as usize }).collect()
}

fn transfers(frame: &FrameView<'_>) -> Vec<Transfer> {
    let mut refusals = frame.refusals().iter().peekable();
    let mut amendments = frame.amendments().iter().peekable();
    (0_u32..)
        .zip(frame.transfers())
        .map(|(index, entry)| {
            if refusals.next_if(|refusal| refusal.index == index).is_some() {
                return entry.transfer;
            }
            let amendment = amendments.next_if(|amendment| amendment.index == index);
            restore(&entry.transfer, amendment)
        })
        .collect()
}

fn accounts(frame: &FrameView<'_>) -> Vec<Account> {
    let mut refusals = frame.refusals().iter().peekable();
    (0_u32..)
        .zip(frame.accounts())
        .map(|(index, account)| {
            let refused = refusals.next_if(|refusal| refusal.index == index).is_some();
            let keep = refused || account.has(AccountFlags::IMPORTED);
            Account { timestamp: if keep { account.timestamp } else { 0 }, ..*account }
        })
        .collect()
}
