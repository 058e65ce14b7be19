//! The table of kinds.

use super::accounts::Accounts;
use super::batch::Batch;
use super::command::Act;
use super::expiry::Expiry;
use super::fence::Fences;
use super::reads::Reads;
use super::scan::Slice;
use super::transfers::Transfers;
use super::verbs::{Cold, Kind, Logged, Next};
use crate::engine::order::{Gathered, Waiting};
use crate::engine::owners::Owners;
use crate::engine::parts::Parts;
use crate::engine::past::Load;
use crate::engine::scans::Scan;
use crate::engine::source::Source;
use crate::ledger::Timestamp;
use crate::log::{Frame, FrameKind, FrameView};
use crate::wire::Request;

/// How far the coordinator led a piece of work.
#[derive(Debug)]
pub(in crate::engine) enum Led {
    /// Owners were asked.
    Asked(Activity),
    /// These are needed first.
    Cold(Activity, Vec<Cold>),
    /// It is over, without a frame.
    Done,
    /// It is over, and this is its frame.
    Written(Frame),
}

macro_rules! kinds {
    (logged { $($logged:ident,)* } unlogged { $($unlogged:ident,)* }) => {
        /// What is being led through the owners.
        #[derive(Debug)]
        pub(in crate::engine) enum Activity {
            $($logged($logged),)*
            $($unlogged($unlogged),)*
        }

        impl Activity {
            /// Routes its questions to the owners.
            pub(in crate::engine) fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
                match self {
                    $(Self::$logged(work) => work.begin(parts),)*
                    $(Self::$unlogged(work) => work.begin(parts),)*
                }
            }

            /// Goes on, all that was asked being answered.
            pub(in crate::engine) fn lead<O: Owners>(self, parts: &mut Parts<O>) -> Led {
                match self {
                    $(Self::$logged(mut work) => match work.advance(parts) {
                        Next::Asked => Led::Asked(Self::$logged(work)),
                        Next::Cold(cold) => Led::Cold(Self::$logged(work), cold),
                        Next::Nothing => Led::Done,
                        Next::Decided => {
                            let frame = work.write(parts);
                            assert_eq!(frame.header().kind, $logged::FRAME, "each kind has its frames");
                            work.apply(parts);
                            work.answer(parts);
                            Led::Written(frame)
                        }
                    },)*
                    $(Self::$unlogged(mut work) => match work.advance(parts) {
                        Next::Asked => Led::Asked(Self::$unlogged(work)),
                        Next::Cold(_) => unreachable!("what is not logged is not held up"),
                        Next::Nothing => Led::Done,
                        Next::Decided => {
                            work.answer(parts);
                            Led::Done
                        }
                    },)*
                }
            }

            /// Takes the requests out that can't be decided yet.
            pub(in crate::engine) fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
                match self {
                    $(Self::$logged(work) => work.take_out(cold),)*
                    $(Self::$unlogged(_) => Vec::new(),)*
                }
            }

            /// Whether it is about nothing any more.
            pub(in crate::engine) fn is_empty(&self) -> bool {
                match self {
                    $(Self::$logged(work) => work.is_empty(),)*
                    $(Self::$unlogged(_) => false,)*
                }
            }
        }
    };
}

kinds! {
    logged { Transfers, Accounts, Fences, Expiry, Act, }
    unlogged { Reads, Slice, }
}

impl Activity {
    /// The work that a frame records; none for frames that change no state of ours.
    pub(in crate::engine) fn read_back(frame: &FrameView<'_>) -> Option<Self> {
        Some(match frame.header().kind {
            FrameKind::Genesis | FrameKind::Epoch => return None,
            FrameKind::CreateTransfers => Self::Transfers(Transfers::read_back(frame)),
            FrameKind::CreateAccounts => Self::Accounts(Accounts::read_back(frame)),
            FrameKind::Fence => Self::Fences(Fences::read_back(frame)),
            FrameKind::Expire => Self::Expiry(Expiry::read_back(frame)),
            FrameKind::Command => Self::Act(Act::read_back(frame)),
        })
    }

    /// The batch of requests of one kind, all of which are writes.
    pub(in crate::engine) fn batch(gathered: Gathered, base: Timestamp) -> Option<Self> {
        let head = gathered.members.first()?;
        Some(match &head.submission.request {
            Request::CreateTransfers(_) => Self::Transfers(Transfers::new(Batch::gather(
                gathered,
                base,
                |request| match request {
                    Request::CreateTransfers(events) => events,
                    _ => unreachable!("a batch is of one kind"),
                },
            ))),
            Request::CreateAccounts(_) => Self::Accounts(Accounts::new(Batch::gather(
                gathered,
                base,
                |request| match request {
                    Request::CreateAccounts(events) => events,
                    _ => unreachable!("a batch is of one kind"),
                },
            ))),
            Request::ResolveTransfers { .. } => {
                Self::Fences(Fences::new(Batch::gather(gathered, base, |request| match request {
                    Request::ResolveTransfers { ids, .. } => ids,
                    _ => unreachable!("a batch is of one kind"),
                })))
            }
            Request::Command { .. } => Self::Act(Act::new(gathered, base)),
            Request::LookupAccounts(_)
            | Request::LookupTransfers(_)
            | Request::GetAccountTransfers(_)
            | Request::GetAccountBalances(_)
            | Request::QueryAccounts(_)
            | Request::QueryTransfers(_)
            | Request::Status
            | Request::Ping => unreachable!("no read is gathered for a batch"),
        })
    }

    /// The release of the holds that have ended by `base`.
    pub(in crate::engine) const fn expiry(base: Timestamp) -> Self {
        Self::Expiry(Expiry::new(base))
    }

    /// The next slice of a scan.
    pub(in crate::engine) const fn slice(to: Source, scan: Scan) -> Self {
        Self::Slice(Slice::new(to, scan))
    }

    /// The answers to these reads.
    pub(in crate::engine) const fn reads(members: Vec<Waiting>) -> Self {
        Self::Reads(Reads::new(members))
    }
}
