//! The kinds of ordered work, each with the same verbs, and the one table that names them all.
//!
//! A kind is a file here. It *begins* by routing its questions to the owners of the partitions; it
//! *advances* with their answers, and asks again, needs old records first, or has decided; it *writes*
//! its frame; the owners *apply* it; it *answers*; and it is *read back* from a frame of the log to be
//! decided again. The coordinator leads any of them and doesn't know which. A kind that lacks one of
//! these doesn't compile, nor does a kind of frame that nobody reads back.

mod accounts;
mod batch;
mod expiry;
mod fence;
mod reads;
mod transfers;

use self::accounts::Accounts;
use self::batch::Batch;
use self::expiry::Expiry;
use self::fence::Fences;
use self::reads::Reads;
use self::transfers::{TransferStage, Transfers};
use super::order::{Gathered, Waiting};
use super::owners::Owners;
use super::parts::Parts;
use super::past::Load;
use crate::ledger::Timestamp;
use crate::ledger::decide::AccountDecider;
use crate::log::{Frame, FrameKind, FrameView};
use crate::wire::Request;

/// An event that needs an old record before it can be decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cold {
    /// The event's index in its batch.
    pub(super) event: usize,
    /// What it needs.
    pub(super) load: Load,
}

/// How a piece of work goes on.
#[derive(Debug)]
pub(super) enum Next {
    /// Owners were asked; go on when they have answered.
    Asked,
    /// It can't be decided without these; nothing has changed. Go on when they are here, or give it
    /// up.
    Cold(Vec<Cold>),
    /// There is nothing to do any more.
    Nothing,
    /// It is decided.
    Decided,
}

/// Work that is led through the owners.
pub(super) trait Kind: Sized {
    /// Routes the questions to the owners.
    fn begin<O: Owners>(&mut self, parts: &mut Parts<O>);

    /// Goes on, all that was asked being answered. May be called again after [`Next::Cold`].
    fn advance<O: Owners>(&mut self, parts: &mut Parts<O>) -> Next;

    /// Answers those who asked, after all else.
    fn answer<O: Owners>(self, parts: &mut Parts<O>);
}

/// Work that stands in the log.
pub(super) trait Logged: Kind {
    /// Its frames.
    const FRAME: FrameKind;

    /// Writes the frame, and notes in the works what the owners have to take over.
    fn write<O: Owners>(&mut self, parts: &mut Parts<O>) -> Frame;

    /// Lets the owners take over what was decided.
    fn apply<O: Owners>(&mut self, parts: &mut Parts<O>) {
        parts.crew.send_applies();
    }

    /// The same work again, from its frame.
    fn read_back(frame: &FrameView<'_>) -> Self;

    /// Takes the requests out of which events are cold, each with what it needs, and the later ones of the
    /// same connections.
    fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)>;

    /// Whether it is about nothing.
    fn is_empty(&self) -> bool;
}

/// How far the coordinator led a piece of work.
#[derive(Debug)]
pub(super) enum Led {
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
        pub(super) enum Activity {
            $($logged($logged),)*
            $($unlogged($unlogged),)*
        }

        impl Activity {
            /// Routes its questions to the owners.
            pub(super) fn begin<O: Owners>(&mut self, parts: &mut Parts<O>) {
                match self {
                    $(Self::$logged(work) => work.begin(parts),)*
                    $(Self::$unlogged(work) => work.begin(parts),)*
                }
            }

            /// Goes on, all that was asked being answered.
            pub(super) fn lead<O: Owners>(self, parts: &mut Parts<O>) -> Led {
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
            pub(super) fn take_out(&mut self, cold: &[Cold]) -> Vec<(Waiting, Vec<Load>)> {
                match self {
                    $(Self::$logged(work) => work.take_out(cold),)*
                    $(Self::$unlogged(_) => Vec::new(),)*
                }
            }

            /// Whether it is about nothing any more.
            pub(super) fn is_empty(&self) -> bool {
                match self {
                    $(Self::$logged(work) => work.is_empty(),)*
                    $(Self::$unlogged(_) => false,)*
                }
            }
        }
    };
}

kinds! {
    logged { Transfers, Accounts, Fences, Expiry, }
    unlogged { Reads, }
}

impl Activity {
    /// The work that a frame records; none for frames that change no state of ours.
    pub(super) fn read_back(frame: &FrameView<'_>) -> Option<Self> {
        Some(match frame.header().kind {
            FrameKind::Genesis | FrameKind::Epoch => return None,
            FrameKind::CreateTransfers => Self::Transfers(Transfers::read_back(frame)),
            FrameKind::CreateAccounts => Self::Accounts(Accounts::read_back(frame)),
            FrameKind::Fence => Self::Fences(Fences::read_back(frame)),
            FrameKind::Expire => Self::Expiry(Expiry::read_back(frame)),
        })
    }

    /// The batch of requests of one kind, all of which are writes.
    pub(super) fn batch(gathered: Gathered, base: Timestamp) -> Option<Self> {
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
    pub(super) const fn expiry(base: Timestamp) -> Self {
        Self::Expiry(Expiry::new(base))
    }

    /// The answers to these reads.
    pub(super) const fn reads(members: Vec<Waiting>) -> Self {
        Self::Reads(Reads::new(members))
    }
}

/// Memory that kinds keep from batch to batch.
///
/// Invariant: what it holds belongs to the batch that is being led; nothing is read that the same batch
/// hasn't written.
#[derive(Debug)]
pub(super) struct Stage {
    transfers: TransferStage,
    accounts: AccountDecider,
}

impl Stage {
    pub(super) fn new(partitions: usize) -> Self {
        Self { transfers: TransferStage::new(partitions), accounts: AccountDecider::default() }
    }
}

/// The index of the last of `length` things, which are at most as many as a batch can have.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the events of a batch")]
const fn last_index(length: usize) -> u32 {
    (length - 1) as u32
}

/// That many things, which are at most as many as a batch can have.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the events of a batch")]
const fn count(length: usize) -> u32 {
    length as u32
}
