//! Refusals: of one request, and of a whole connection.

use std::borrow::Cow;

use super::ErrorCode;
use super::kind::{ERROR_BYTES_MAX, ERROR_FIXED_BYTES, Kind};
use crate::ledger::FilterError;

/// A refusal as it stands in an error frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{}", self.name(), if self.detail.is_empty() { "" } else { ": " }, self.detail)]
pub struct RequestError {
    number: u32,
    closes: bool,
    definite: bool,
    /// How long to wait before trying again, in milliseconds; 0 says nothing.
    pub retry_after_ms: u32,
    /// The event, id or record that is at fault, when it is one.
    pub index: Option<u32>,
    /// For people: what exactly was wrong.
    pub detail: Cow<'static, str>,
}

const FLAG_CLOSES: u32 = 1 << 0;
const FLAG_DEFINITE: u32 = 1 << 1;
const NO_INDEX: u32 = u32::MAX;
const DETAIL_BYTES_MAX: usize = (ERROR_BYTES_MAX - ERROR_FIXED_BYTES) as usize;

impl RequestError {
    /// A refusal with that code and no detail.
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self {
            number: code.code(),
            closes: code.closes(),
            definite: code.is_definite(),
            retry_after_ms: 0,
            index: None,
            detail: Cow::Borrowed(""),
        }
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same, naming the element at fault.
    #[must_use]
    pub const fn at(mut self, index: u32) -> Self {
        self.index = Some(index);
        self
    }

    /// The same, naming a time to wait.
    #[must_use]
    pub const fn retry_after_ms(mut self, wait_ms: u32) -> Self {
        self.retry_after_ms = wait_ms;
        self
    }

    /// The code, unless the peer is newer and has codes that this build doesn't know.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_code(self.number)
    }

    /// The number of the code, known or not.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The name of the code.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self.code() {
            Some(code) => Cow::Borrowed(code.name()),
            None => Cow::Owned(format!("error {}", self.number)),
        }
    }

    /// Whether the server closes the connection after this error.
    #[must_use]
    pub const fn closes(&self) -> bool {
        self.closes
    }

    /// Whether it is certain that nothing happened.
    #[must_use]
    pub const fn is_definite(&self) -> bool {
        self.definite
    }

    /// Appends the body of the error frame.
    pub(super) fn append_body(&self, out: &mut Vec<u8>) {
        let flags = if self.closes { FLAG_CLOSES } else { 0 }
            | if self.definite { FLAG_DEFINITE } else { 0 };
        let index = self.index.unwrap_or(NO_INDEX);
        for word in [self.number, flags, self.retry_after_ms, index] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let mut end = self.detail.len().min(DETAIL_BYTES_MAX);
        while !self.detail.is_char_boundary(end) {
            end -= 1;
        }
        out.extend_from_slice(&self.detail.as_bytes()[..end]);
    }

    /// Reads the body of an error frame.
    pub(super) fn from_body(body: &[u8]) -> Option<Self> {
        let (fixed, detail) = body.split_at_checked(ERROR_FIXED_BYTES as usize)?;
        let words: [u32; 4] = bytemuck::pod_read_unaligned(fixed);
        let [number, flags, retry_after_ms, index] = words;
        Some(Self {
            number,
            closes: flags & FLAG_CLOSES != 0,
            definite: flags & FLAG_DEFINITE != 0,
            retry_after_ms,
            index: (index != NO_INDEX).then_some(index),
            detail: Cow::Owned(String::from_utf8_lossy(detail).into_owned()),
        })
    }
}

impl From<ErrorCode> for RequestError {
    /// With what to do about it as the text, since no frame goes out without one.
    fn from(code: ErrorCode) -> Self {
        Self::new(code).with_detail(code.remedy())
    }
}

impl From<FilterError> for RequestError {
    fn from(error: FilterError) -> Self {
        let code = match error {
            FilterError::NoSide => ErrorCode::FilterNoSide,
            FilterError::LimitIsZero => ErrorCode::FilterLimitIsZero,
            FilterError::TimestampsReversed => ErrorCode::FilterTimestampsReversed,
            FilterError::TimestampOutOfRange => ErrorCode::FilterTimestampOutOfRange,
            FilterError::UnknownFlags => ErrorCode::FilterUnknownFlags,
            FilterError::ReservedField => ErrorCode::FilterReservedField,
            FilterError::AccountIdInvalid => ErrorCode::FilterAccountIdInvalid,
            FilterError::AccountNotFound => ErrorCode::FilterAccountNotFound,
            FilterError::AccountWithoutHistory => ErrorCode::FilterAccountWithoutHistory,
            FilterError::PendingStatusUnknown => ErrorCode::FilterPendingStatusUnknown,
        };
        Self::new(code).with_detail(error.to_string())
    }
}

/// Why the bytes of a connection can't be trusted any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Not a frame of this protocol.
    #[error("the frame does not start with the protocol's magic")]
    BadMagic,
    /// The header was damaged.
    #[error("the header's checksum does not agree")]
    BadHeaderChecksum,
    /// Another version than the agreed one.
    #[error("the frame has version {version}")]
    UnsupportedVersion {
        /// The version in the frame.
        version: u16,
    },
    /// A reserved field of the header isn't zero.
    #[error("a reserved field of the header is not zero")]
    ReservedField,
    /// The announced body is larger than any frame may be.
    #[error("a body of {body_bytes} bytes is announced")]
    BodyTooLarge {
        /// The announced size.
        body_bytes: u32,
    },
    /// The body was damaged.
    #[error("the body's checksum does not agree")]
    BadBodyChecksum,
    /// A reply of a kind that doesn't exist.
    #[error("no reply has the kind {kind:#06x}")]
    UnknownReply {
        /// The kind in the frame.
        kind: u16,
    },
    /// A reply whose body can't be one of its kind.
    #[error("the body can not be one of a {kind}")]
    BadReply {
        /// The kind of the reply.
        kind: Kind,
    },
}

impl From<ProtocolError> for RequestError {
    fn from(error: ProtocolError) -> Self {
        let code = match error {
            ProtocolError::BadMagic => ErrorCode::BadMagic,
            ProtocolError::BadHeaderChecksum => ErrorCode::BadHeaderChecksum,
            ProtocolError::UnsupportedVersion { .. } => ErrorCode::UnsupportedVersion,
            ProtocolError::ReservedField => ErrorCode::ReservedHeaderField,
            ProtocolError::BodyTooLarge { .. } => ErrorCode::BodyTooLarge,
            ProtocolError::BadBodyChecksum => ErrorCode::BadBodyChecksum,
            ProtocolError::UnknownReply { .. } => ErrorCode::UnknownOperation,
            ProtocolError::BadReply { .. } => ErrorCode::RaggedBody,
        };
        Self::new(code).with_detail(error.to_string())
    }
}
