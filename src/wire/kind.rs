//! What a frame is: its kind, and how large a body of that kind may be.

use crate::ledger::{
    Account, AccountBalance, AccountFilter, CommandResult, CreateResult, QueryAccountsFilter,
    QueryTransfersFilter, ResolveResult, Transfer,
};
use crate::limits::{EVENTS_PER_REQUEST_MAX, REASON_BYTES_MAX, RECORDS_PER_REPLY_MAX};

/// Largest body of a frame that can be served: a full request of 128-byte records.
pub const BODY_BYTES_MAX: u32 = 8_190 * 128;

/// Largest body that a header may announce. A request between [`BODY_BYTES_MAX`] and this is
/// received and refused by itself; beyond it the connection ends, since reading on would let a
/// peer make us swallow any amount.
pub const FRAME_BODY_BYTES_MAX: u32 = 1 << 20;

/// Smallest bound a client may set for the bodies of replies: the results of a full create request
/// must always fit, or an outcome could be decided and not be told.
pub const REPLY_BODY_BYTES_MIN: u32 = 128 * 1024;

const _: () = assert!(BODY_BYTES_MAX as usize == EVENTS_PER_REQUEST_MAX * size_of::<Transfer>());
const _: () = assert!(BODY_BYTES_MAX as usize == RECORDS_PER_REPLY_MAX * size_of::<Account>());
const _: () = assert!(BODY_BYTES_MAX <= FRAME_BODY_BYTES_MAX);
const _: () =
    assert!(EVENTS_PER_REQUEST_MAX * size_of::<CreateResult>() <= REPLY_BODY_BYTES_MIN as usize);

/// A hello, and the reply to it: the same in every version.
pub(super) const HELLO_BYTES: usize = 64;
pub(super) const HELLO_REPLY_BYTES: usize = 128;
/// Largest text of a status report.
pub(super) const STATUS_BYTES_MAX: u32 = 64 * 1024;
/// Bytes before the text of an error body.
pub(super) const ERROR_FIXED_BYTES: u32 = 16;
/// Bytes of a command before its reason.
pub(super) const COMMAND_BYTES: u32 = 64;
/// Largest body of a command: so large that a reason that is too long is refused as such.
const COMMAND_BYTES_MAX: u32 = 64 * 1024;
const _: () = assert!(REASON_BYTES_MAX < COMMAND_BYTES_MAX as usize / 2);
/// Largest body of an error.
pub(super) const ERROR_BYTES_MAX: u32 = 512;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)*) => {
        /// What a frame is. Kinds from 0x8000 are replies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Kind {
            $($(#[$doc])* $variant = $code,)*
        }

        impl Kind {
            /// Every kind, by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The kind of that number.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name, as in the protocol's document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// The first frame of a connection.
    Hello = 0x0001, "hello";
    /// Asks for a `pong`.
    Ping = 0x0002, "ping";
    /// Asks for the server's report about itself.
    Status = 0x0003, "status";
    /// Creates accounts.
    CreateAccounts = 0x0010, "create_accounts";
    /// Creates transfers.
    CreateTransfers = 0x0011, "create_transfers";
    /// Tells, and with `fence` settles, what became of transfers.
    ResolveTransfers = 0x0012, "resolve_transfers";
    /// Reads accounts by id.
    LookupAccounts = 0x0020, "lookup_accounts";
    /// Reads transfers by id.
    LookupTransfers = 0x0021, "lookup_transfers";
    /// Reads the transfers of one account.
    GetAccountTransfers = 0x0022, "get_account_transfers";
    /// Reads the balances of one account over time.
    GetAccountBalances = 0x0023, "get_account_balances";
    /// Reads accounts by their fields.
    QueryAccounts = 0x0024, "query_accounts";
    /// Reads transfers by their fields.
    QueryTransfers = 0x0025, "query_transfers";
    /// An act of an operator, which is ordered like any batch.
    Command = 0x0030, "command";
    /// The server's answer to `hello`.
    HelloReply = 0x8001, "hello_reply";
    /// The answer to `ping`.
    Pong = 0x8002, "pong";
    /// The answer to `status`: JSON.
    StatusReply = 0x8003, "status_reply";
    /// The answer to both create operations.
    CreateResults = 0x8010, "create_results";
    /// The answer to `resolve_transfers`.
    ResolveResults = 0x8012, "resolve_results";
    /// Account records.
    Accounts = 0x8020, "accounts";
    /// Transfer records.
    Transfers = 0x8021, "transfers";
    /// Balance records.
    Balances = 0x8022, "balances";
    /// The answer to `command`.
    CommandResult = 0x8030, "command_result";
    /// A refusal.
    Error = 0x80FF, "error";
}

/// The shape of a body: how many bytes one element has and how many elements there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) element_bytes: u32,
    pub(super) elements_min: u32,
    pub(super) elements_max: u32,
}

impl Shape {
    const fn list(element_bytes: usize) -> Self {
        let element_bytes = small(element_bytes);
        Self { element_bytes, elements_min: 0, elements_max: small(EVENTS_PER_REQUEST_MAX) }
    }

    const fn one(element_bytes: usize) -> Self {
        Self { element_bytes: small(element_bytes), elements_min: 1, elements_max: 1 }
    }

    const fn bytes(min: u32, max: u32) -> Self {
        Self { element_bytes: 1, elements_min: min, elements_max: max }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked in the line before")]
const fn small(value: usize) -> u32 {
    assert!(value <= u32::MAX as usize);
    value as u32
}

impl Kind {
    /// Whether frames of this kind go from the server to the client.
    #[must_use]
    pub const fn is_reply(self) -> bool {
        self.code() & 0x8000 != 0
    }

    /// Whether the layout of this kind is the same in every version, so that two peers that have
    /// no version in common can still say so. Such frames carry the version 0.
    #[must_use]
    pub const fn is_fixed(self) -> bool {
        matches!(self, Self::Hello | Self::HelloReply | Self::Error)
    }

    pub(super) const fn shape(self) -> Shape {
        match self {
            Self::Hello => Shape::one(HELLO_BYTES),
            Self::HelloReply => Shape::one(HELLO_REPLY_BYTES),
            Self::Ping | Self::Status | Self::Pong => Shape::bytes(0, 0),
            Self::CreateAccounts | Self::Accounts => Shape::list(size_of::<Account>()),
            Self::CreateTransfers | Self::Transfers => Shape::list(size_of::<Transfer>()),
            Self::ResolveTransfers | Self::LookupAccounts | Self::LookupTransfers => {
                Shape::list(size_of::<u128>())
            }
            Self::GetAccountTransfers | Self::GetAccountBalances => {
                Shape::one(size_of::<AccountFilter>())
            }
            Self::QueryAccounts => Shape::one(size_of::<QueryAccountsFilter>()),
            Self::QueryTransfers => Shape::one(size_of::<QueryTransfersFilter>()),
            Self::CreateResults => Shape::list(size_of::<CreateResult>()),
            Self::ResolveResults => Shape::list(size_of::<ResolveResult>()),
            Self::Balances => Shape::list(size_of::<AccountBalance>()),
            Self::Command => Shape::bytes(COMMAND_BYTES, COMMAND_BYTES_MAX),
            Self::CommandResult => Shape::one(size_of::<CommandResult>()),
            Self::StatusReply => Shape::bytes(0, STATUS_BYTES_MAX),
            Self::Error => Shape::bytes(ERROR_FIXED_BYTES, ERROR_BYTES_MAX),
        }
    }

    /// The kind of the reply that answers this request; nothing for a reply.
    #[must_use]
    pub const fn answered_by(self) -> Option<Self> {
        Some(match self {
            Self::Hello => Self::HelloReply,
            Self::Ping => Self::Pong,
            Self::Status => Self::StatusReply,
            Self::CreateAccounts | Self::CreateTransfers => Self::CreateResults,
            Self::ResolveTransfers => Self::ResolveResults,
            Self::LookupAccounts | Self::QueryAccounts => Self::Accounts,
            Self::LookupTransfers | Self::GetAccountTransfers | Self::QueryTransfers => {
                Self::Transfers
            }
            Self::GetAccountBalances => Self::Balances,
            Self::Command => Self::CommandResult,
            _ => return None,
        })
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_kinds_are_one_to_one_and_every_request_has_an_answer() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert_eq!(kind.answered_by().is_none(), kind.is_reply(), "{kind}");
            if let Some(reply) = kind.answered_by() {
                assert!(reply.is_reply(), "{kind}");
            }
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(0x8000), None);
    }

    #[test]
    fn every_body_fits_a_frame() {
        for &kind in Kind::ALL {
            let shape = kind.shape();
            assert!(shape.element_bytes * shape.elements_max <= BODY_BYTES_MAX, "{kind}");
        }
    }
}
