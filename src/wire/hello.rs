//! The hello: which version, which cluster, which limits.

use bytemuck::{Pod, Zeroable};

use super::frame::{FrameFields, append_frame};
use super::header::{Header, VERSION};
use super::kind::{BODY_BYTES_MAX, HELLO_BYTES, HELLO_REPLY_BYTES, Kind, REPLY_BODY_BYTES_MIN};
use super::{ErrorCode, ProtocolError, ReplyTo, RequestError};
use crate::limits::{EVENTS_PER_REQUEST_MAX, RECORDS_PER_REPLY_MAX};

const _: () = assert!(size_of::<Hello>() == HELLO_BYTES);
const _: () = assert!(size_of::<HelloReply>() == HELLO_REPLY_BYTES);

/// The longest credential of a hello: a signed token or a key fits, and a stranger can't make the
/// server hold more.
pub const CREDENTIAL_BYTES_MAX: usize = 512;

/// A short text in a fixed field: UTF-8, filled up with zeros.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct Name(pub [u8; 32]);

impl Name {
    /// The first 32 bytes of a text, cut between characters.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; 32];
        let mut end = text.len().min(bytes.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Self(bytes)
    }

    /// The text; what isn't UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim_end_matches('\0').to_owned()
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// The first frame of a client: 64 bytes, little-endian, the same in every version, and a credential.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct Hello {
    /// The oldest version that the client speaks.
    pub version_min: u16,
    /// The newest version that the client speaks.
    pub version_max: u16,
    /// The largest body that the client takes; 0 sets no bound, else at least
    /// [`REPLY_BODY_BYTES_MIN`].
    pub body_bytes_max: u32,
    /// Bytes of the credential that follows in the same body, at most [`CREDENTIAL_BYTES_MAX`].
    pub credential_bytes: u32,
    /// What the client can do beyond its version, by bit. The server ignores bits that it doesn't
    /// know; today it knows none.
    pub capabilities: u32,
    /// The cluster that the client means; 0 is any.
    pub cluster: u128,
    /// The client's name, for the server's messages.
    pub client: Name,
}

const _: () = assert!(size_of::<Hello>() == 64);
const _: () = assert!(std::mem::offset_of!(Hello, credential_bytes) == 8);
const _: () = assert!(std::mem::offset_of!(Hello, cluster) == 16);

/// The server's answer: 128 bytes, little-endian, the same in every version.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct HelloReply {
    /// The version of every later frame.
    pub version: u16,
    /// 0.
    pub reserved_16: u16,
    /// The largest body of a request.
    pub body_bytes_max: u32,
    /// The most events of a request.
    pub events_max: u32,
    /// Credit: the most requests that may be unanswered on this connection.
    pub in_flight_max: u32,
    /// The server's cluster.
    pub cluster: u128,
    /// The most records of a reply to a read.
    pub records_max: u32,
    /// The server closes a connection on which nothing arrives for so long; 0 is never.
    pub idle_seconds_max: u32,
    /// 0.
    pub reserved: [u64; 3],
    /// The server's name.
    pub server: Name,
    /// The server's version.
    pub server_version: Name,
}

const _: () = assert!(size_of::<HelloReply>() == 128);

/// What a server tells every client in its hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The server's cluster.
    pub cluster: u128,
    /// The most requests that may be unanswered on one connection.
    pub in_flight_max: u32,
    /// Idle connections are closed after so many seconds; 0 is never.
    pub idle_seconds_max: u32,
}

impl Hello {
    /// The hello of a client of this build.
    #[must_use]
    pub fn new(cluster: u128, client: &str) -> Self {
        Self {
            version_min: VERSION,
            version_max: VERSION,
            body_bytes_max: 0,
            credential_bytes: 0,
            capabilities: 0,
            cluster,
            client: Name::new(client),
        }
    }

    /// Appends the frame.
    pub fn encode(&self, correlation: u64, out: &mut Vec<u8>) {
        let fields = FrameFields::request(Kind::Hello, correlation);
        append_frame(out, fields, bytemuck::bytes_of(self));
    }

    /// Reads the first frame of a connection.
    ///
    /// # Errors
    /// It isn't a hello, or isn't intact.
    pub fn decode(header: &Header, body: &[u8]) -> Result<Self, RequestError> {
        if header.kind() != Some(Kind::Hello) {
            return Err(ErrorCode::HelloExpected.into());
        }
        let invalid = |detail| RequestError::new(ErrorCode::HelloInvalid).with_detail(detail);
        let credential_bytes = match header.body_len().checked_sub(HELLO_BYTES) {
            Some(bytes) if bytes <= CREDENTIAL_BYTES_MAX && header.flags == 0 => bytes,
            _ => {
                return Err(invalid("a hello has 64 bytes, a credential of 512 at most, no flags"));
            }
        };
        header.check_body(body)?;
        let hello: Self = bytemuck::pod_read_unaligned(&body[..HELLO_BYTES]);
        if usize::try_from(hello.credential_bytes) != Ok(credential_bytes) {
            return Err(invalid("credential_bytes: not what follows the first 64 bytes"));
        }
        Ok(hello)
    }

    /// Decides what the server answers.
    ///
    /// # Errors
    /// The refusal to send before closing.
    pub fn accept(&self, limits: &Limits) -> Result<HelloReply, RequestError> {
        let invalid = |detail| Err(RequestError::new(ErrorCode::HelloInvalid).with_detail(detail));
        if self.credential_bytes != 0 {
            return invalid("credential_bytes: this server knows no identities; send none");
        }
        if self.version_min > self.version_max {
            return invalid("version_min: above version_max");
        }
        if self.body_bytes_max != 0 && self.body_bytes_max < REPLY_BODY_BYTES_MIN {
            return invalid("body_bytes_max: must be 0 or at least 131072");
        }
        if !(self.version_min..=self.version_max).contains(&VERSION) {
            let detail = format!("this server speaks version {VERSION}");
            return Err(RequestError::new(ErrorCode::VersionMismatch).with_detail(detail));
        }
        if self.cluster != 0 && self.cluster != limits.cluster {
            let detail = format!("this server belongs to cluster {:032x}", limits.cluster);
            return Err(RequestError::new(ErrorCode::ClusterMismatch).with_detail(detail));
        }
        Ok(HelloReply {
            version: VERSION,
            reserved_16: 0,
            body_bytes_max: BODY_BYTES_MAX,
            events_max: u32::try_from(EVENTS_PER_REQUEST_MAX).unwrap_or(u32::MAX),
            in_flight_max: limits.in_flight_max,
            cluster: limits.cluster,
            records_max: self.records_max(),
            idle_seconds_max: limits.idle_seconds_max,
            reserved: [0; 3],
            server: Name::new("partita"),
            server_version: Name::new(env!("CARGO_PKG_VERSION")),
        })
    }

    /// The most 128-byte records of one reply to this client.
    #[must_use]
    pub fn records_max(&self) -> u32 {
        let most = u32::try_from(RECORDS_PER_REPLY_MAX).unwrap_or(u32::MAX);
        if self.body_bytes_max == 0 { most } else { most.min(self.body_bytes_max / 128) }
    }
}

impl HelloReply {
    /// Appends the frame.
    pub fn encode(&self, to: ReplyTo, out: &mut Vec<u8>) {
        append_frame(out, to.fields(Kind::HelloReply), bytemuck::bytes_of(self));
    }

    /// Reads the answer to a hello and checks that it is one this build can live with.
    ///
    /// # Errors
    /// The server's refusal, or ours when its answer makes no sense.
    pub fn decode(header: &Header, body: &[u8]) -> Result<Self, RequestError> {
        let kind = header.check_reply()?;
        header.check_body(body)?;
        match kind {
            Kind::HelloReply => {}
            Kind::Error => {
                let error = RequestError::from_body(body);
                return Err(error.unwrap_or(ProtocolError::BadReply { kind }.into()));
            }
            _ => return Err(ErrorCode::HelloExpected.into()),
        }
        let reply: Self = bytemuck::pod_read_unaligned(body);
        if reply.version != VERSION {
            return Err(ErrorCode::VersionMismatch.into());
        }
        if reply.in_flight_max == 0 || reply.events_max == 0 {
            return Err(RequestError::new(ErrorCode::HelloInvalid).with_detail("a limit is zero"));
        }
        Ok(reply)
    }
}
