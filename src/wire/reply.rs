//! Replies: what the server answers, between values and bytes.

use super::frame::{FrameFields, append_frame, begin_frame, records, seal_frame};
use super::header::Header;
use super::kind::Kind;
use super::{ProtocolError, RequestError, StatusReport};
use crate::ledger::{
    Account, AccountBalance, CommandResult, CreateResult, Op, ResolveResult, Transfer,
};

/// Which request is answered, and what state the answer reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplyTo {
    /// The request's correlation.
    pub correlation: u64,
    /// The op up to which the answer reflects the ledger.
    pub op: Op,
    /// The epoch of that op.
    pub epoch: u64,
}

impl ReplyTo {
    pub(super) const fn fields(self, kind: Kind) -> FrameFields {
        let Self { correlation, op, epoch } = self;
        FrameFields { kind, flags: 0, correlation, op: op.0, epoch }
    }
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// One result for each event, at its own index.
    CreateResults(Vec<CreateResult>),
    /// One result for each id, at its own index.
    ResolveResults(Vec<ResolveResult>),
    /// The accounts found.
    Accounts(Vec<Account>),
    /// The transfers found.
    Transfers(Vec<Transfer>),
    /// The balances found.
    Balances(Vec<AccountBalance>),
    /// What came of a command.
    Command(CommandResult),
    /// How the server is.
    Status(Box<StatusReport>),
    /// The server is there.
    Pong,
    /// The request is refused.
    Error(RequestError),
}

impl Reply {
    /// The kind of its frame.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::CreateResults(_) => Kind::CreateResults,
            Self::ResolveResults(_) => Kind::ResolveResults,
            Self::Accounts(_) => Kind::Accounts,
            Self::Transfers(_) => Kind::Transfers,
            Self::Balances(_) => Kind::Balances,
            Self::Command(_) => Kind::CommandResult,
            Self::Status(_) => Kind::StatusReply,
            Self::Pong => Kind::Pong,
            Self::Error(_) => Kind::Error,
        }
    }

    /// Bytes of its body when it is a list of records, else 0.
    #[must_use]
    pub fn records_bytes(&self) -> usize {
        match self {
            Self::CreateResults(records) => size_of_val(records.as_slice()),
            Self::ResolveResults(records) => size_of_val(records.as_slice()),
            Self::Accounts(records) => size_of_val(records.as_slice()),
            Self::Transfers(records) => size_of_val(records.as_slice()),
            Self::Balances(records) => size_of_val(records.as_slice()),
            Self::Command(_) | Self::Status(_) | Self::Pong | Self::Error(_) => 0,
        }
    }

    /// Reads a reply whose body stands in `body`, at any address. An error frame is a reply.
    ///
    /// # Errors
    /// What the server sent is no reply: close the connection, the outcomes of all requests in
    /// flight on it are unknown.
    pub fn decode(header: &Header, body: &[u8]) -> Result<Self, ProtocolError> {
        let kind = header.check_reply()?;
        header.check_body(body)?;
        let bad = ProtocolError::BadReply { kind };
        Ok(match kind {
            Kind::CreateResults => Self::CreateResults(records(body)),
            Kind::ResolveResults => Self::ResolveResults(records(body)),
            Kind::Accounts => Self::Accounts(records(body)),
            Kind::Transfers => Self::Transfers(records(body)),
            Kind::Balances => Self::Balances(records(body)),
            Kind::CommandResult => Self::Command(bytemuck::pod_read_unaligned(body)),
            Kind::StatusReply => {
                Self::Status(Box::new(serde_json::from_slice(body).map_err(|_| bad)?))
            }
            Kind::Pong => Self::Pong,
            Kind::Error => Self::Error(RequestError::from_body(body).ok_or(bad)?),
            _ => return Err(bad),
        })
    }
}

/// Appends the frame of a reply.
///
/// # Panics
/// When it has more than [`crate::limits::RECORDS_PER_REPLY_MAX`] records.
pub fn encode_reply(to: ReplyTo, reply: &Reply, out: &mut Vec<u8>) {
    let fields = to.fields(reply.kind());
    match reply {
        Reply::CreateResults(records) => encode_create_results(to, records, out),
        Reply::ResolveResults(records) => append_frame(out, fields, bytemuck::cast_slice(records)),
        Reply::Accounts(records) => append_frame(out, fields, bytemuck::cast_slice(records)),
        Reply::Transfers(records) => append_frame(out, fields, bytemuck::cast_slice(records)),
        Reply::Balances(records) => append_frame(out, fields, bytemuck::cast_slice(records)),
        Reply::Command(result) => append_frame(out, fields, bytemuck::bytes_of(result)),
        Reply::Status(report) => {
            // A map with text keys and plain numbers always has a JSON form.
            let text = serde_json::to_vec(report).unwrap_or_else(|_| b"{}".to_vec());
            append_frame(out, fields, &text);
        }
        Reply::Pong => append_frame(out, fields, &[]),
        Reply::Error(error) => encode_error(to, error, out),
    }
}

/// Appends the results of a create request straight from where they stand.
///
/// # Panics
/// As [`encode_reply`].
pub fn encode_create_results(to: ReplyTo, results: &[CreateResult], out: &mut Vec<u8>) {
    append_frame(out, to.fields(Kind::CreateResults), bytemuck::cast_slice(results));
}

/// Appends an error frame. Correlation 0 when it answers no particular request.
pub fn encode_error(to: ReplyTo, error: &RequestError, out: &mut Vec<u8>) {
    let start = begin_frame(out);
    error.append_body(out);
    seal_frame(out, start, to.fields(Kind::Error));
}
