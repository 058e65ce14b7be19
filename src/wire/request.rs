//! Requests: what a client asks, between values and bytes.

use super::frame::{FrameFields, append_frame, records};
use super::header::Header;
use super::kind::Kind;
use super::{ErrorCode, RequestError, command};
use crate::ledger::{
    Account, AccountFilter, Command, QueryAccountsFilter, QueryTransfersFilter, Transfer,
};

/// What a client asks. A request of no events or ids is legal and answered with none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Create accounts, each with its own result.
    CreateAccounts(Vec<Account>),
    /// Create transfers, each with its own result.
    CreateTransfers(Vec<Transfer>),
    /// Tell what became of transfers; with [`crate::ledger::ResolveFlags::FENCE`], settle it.
    ResolveTransfers {
        /// None of them 0 or MAX.
        ids: Vec<u128>,
        /// Bits of [`crate::ledger::ResolveFlags`].
        flags: u32,
    },
    /// Read accounts by id.
    LookupAccounts(Vec<u128>),
    /// Read transfers by id.
    LookupTransfers(Vec<u128>),
    /// Read the transfers of one account.
    GetAccountTransfers(AccountFilter),
    /// Read the balances of one account over time.
    GetAccountBalances(AccountFilter),
    /// Read accounts by their fields.
    QueryAccounts(QueryAccountsFilter),
    /// Read transfers by their fields.
    QueryTransfers(QueryTransfersFilter),
    /// Do what only operators do.
    Command {
        /// What.
        command: Command,
        /// Why: for whoever reads the log later. Neither empty nor longer than
        /// [`crate::limits::REASON_BYTES_MAX`].
        reason: String,
    },
    /// Ask how the server is.
    Status,
    /// Ask whether the server is there.
    Ping,
}

/// Refuses ids that no transfer can have.
fn check_ids(ids: &[u128]) -> Result<(), RequestError> {
    match ids.iter().position(|&id| id == 0 || id == u128::MAX) {
        None => Ok(()),
        Some(at) => {
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            let what =
                if ids[at] == 0 { "id: must not be zero" } else { "id: must not be 2^128 - 1" };
            Err(RequestError::new(ErrorCode::InvalidId).at(index).with_detail(what))
        }
    }
}

impl Request {
    /// The kind of its frame.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::CreateAccounts(_) => Kind::CreateAccounts,
            Self::CreateTransfers(_) => Kind::CreateTransfers,
            Self::ResolveTransfers { .. } => Kind::ResolveTransfers,
            Self::LookupAccounts(_) => Kind::LookupAccounts,
            Self::LookupTransfers(_) => Kind::LookupTransfers,
            Self::GetAccountTransfers(_) => Kind::GetAccountTransfers,
            Self::GetAccountBalances(_) => Kind::GetAccountBalances,
            Self::QueryAccounts(_) => Kind::QueryAccounts,
            Self::QueryTransfers(_) => Kind::QueryTransfers,
            Self::Command { .. } => Kind::Command,
            Self::Status => Kind::Status,
            Self::Ping => Kind::Ping,
        }
    }

    /// Events or ids that it carries; 0 for what carries none.
    #[must_use]
    pub const fn events(&self) -> usize {
        match self {
            Self::CreateAccounts(events) => events.len(),
            Self::CreateTransfers(events) => events.len(),
            Self::ResolveTransfers { ids, .. }
            | Self::LookupAccounts(ids)
            | Self::LookupTransfers(ids) => ids.len(),
            Self::Command { .. } => 1,
            _ => 0,
        }
    }

    /// Whether it can change the ledger.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        match self {
            Self::CreateAccounts(_) | Self::CreateTransfers(_) | Self::Command { .. } => true,
            Self::ResolveTransfers { flags, .. } => *flags != 0,
            _ => false,
        }
    }

    /// Reads a request whose body stands in `body`, at any address. Copies the body once; a large
    /// one is better received into a [`super::BodyBuffer`].
    ///
    /// # Errors
    /// The refusal to answer; the connection lives on unless [`RequestError::closes`].
    pub fn decode(header: &Header, body: &[u8]) -> Result<Self, RequestError> {
        let kind = header.check_request()?;
        header.check_body(body)?;
        Ok(match kind {
            Kind::CreateAccounts => Self::CreateAccounts(records(body)),
            Kind::CreateTransfers => Self::CreateTransfers(records(body)),
            Kind::ResolveTransfers => {
                let ids = records(body);
                check_ids(&ids)?;
                Self::ResolveTransfers { ids, flags: header.flags }
            }
            Kind::LookupAccounts => Self::LookupAccounts(records(body)),
            Kind::LookupTransfers => Self::LookupTransfers(records(body)),
            Kind::GetAccountTransfers | Kind::GetAccountBalances => {
                let filter: AccountFilter = bytemuck::pod_read_unaligned(body);
                filter.check()?;
                if kind == Kind::GetAccountTransfers {
                    Self::GetAccountTransfers(filter)
                } else {
                    Self::GetAccountBalances(filter)
                }
            }
            Kind::QueryAccounts => {
                let filter: QueryAccountsFilter = bytemuck::pod_read_unaligned(body);
                filter.check()?;
                Self::QueryAccounts(filter)
            }
            Kind::QueryTransfers => {
                let filter: QueryTransfersFilter = bytemuck::pod_read_unaligned(body);
                filter.check()?;
                Self::QueryTransfers(filter)
            }
            Kind::Command => {
                let (command, reason) = command::from_body(body)?;
                Self::Command { command, reason }
            }
            Kind::Status => Self::Status,
            Kind::Ping => Self::Ping,
            Kind::Hello => return Err(ErrorCode::HelloRepeated.into()),
            _ => return Err(ErrorCode::UnknownOperation.into()),
        })
    }
}

/// Appends the frame of a request.
///
/// # Panics
/// When it has more than [`crate::limits::EVENTS_PER_REQUEST_MAX`] events.
pub fn encode_request(correlation: u64, request: &Request, out: &mut Vec<u8>) {
    let kind = request.kind();
    let mut fields = FrameFields::request(kind, correlation);
    match request {
        Request::CreateAccounts(events) => encode_create_accounts(correlation, events, out),
        Request::CreateTransfers(events) => encode_create_transfers(correlation, events, out),
        Request::ResolveTransfers { ids, flags } => {
            fields.flags = *flags;
            append_frame(out, fields, bytemuck::cast_slice(ids));
        }
        Request::LookupAccounts(ids) | Request::LookupTransfers(ids) => {
            encode_ids(correlation, kind, ids, out);
        }
        Request::GetAccountTransfers(filter) | Request::GetAccountBalances(filter) => {
            append_frame(out, fields, bytemuck::bytes_of(filter));
        }
        Request::QueryAccounts(filter) => append_frame(out, fields, bytemuck::bytes_of(filter)),
        Request::QueryTransfers(filter) => append_frame(out, fields, bytemuck::bytes_of(filter)),
        Request::Command { command, reason } => {
            append_frame(out, fields, &command::to_body(*command, reason));
        }
        Request::Status | Request::Ping => append_frame(out, fields, &[]),
    }
}

/// Appends a `create_accounts` frame straight from the caller's records.
///
/// # Panics
/// As [`encode_request`].
pub fn encode_create_accounts(correlation: u64, events: &[Account], out: &mut Vec<u8>) {
    let fields = FrameFields::request(Kind::CreateAccounts, correlation);
    append_frame(out, fields, bytemuck::cast_slice(events));
}

/// Appends a `create_transfers` frame straight from the caller's records.
///
/// # Panics
/// As [`encode_request`].
pub fn encode_create_transfers(correlation: u64, events: &[Transfer], out: &mut Vec<u8>) {
    let fields = FrameFields::request(Kind::CreateTransfers, correlation);
    append_frame(out, fields, bytemuck::cast_slice(events));
}

/// Appends a look-up frame straight from the caller's ids.
///
/// # Panics
/// When `kind` takes no ids, or there are too many.
pub fn encode_ids(correlation: u64, kind: Kind, ids: &[u128], out: &mut Vec<u8>) {
    assert_eq!(kind.shape().element_bytes, 16, "{kind} takes no ids");
    assert!(ids.len() <= crate::limits::EVENTS_PER_REQUEST_MAX, "{} ids", ids.len());
    append_frame(out, FrameFields::request(kind, correlation), bytemuck::cast_slice(ids));
}
