//! The frame header: 64 bytes before every body.

use bytemuck::{Pod, Zeroable};

use super::kind::{FRAME_BODY_BYTES_MAX, Kind};
use super::{ProtocolError, RequestError};
use crate::checksum;
use crate::wire::ErrorCode;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 64;

/// The first four bytes of every frame, `PRTA` in ASCII, as a little-endian number.
pub const MAGIC: u32 = u32::from_le_bytes(*b"PRTA");

/// The one version of the protocol that this build speaks.
pub const VERSION: u16 = 1;

/// The version in frames whose layout never changes: hello, its reply, and errors.
pub const VERSION_FIXED: u16 = 0;

/// The header of a frame, little-endian, as it stands on the wire.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u32,
    /// The version agreed in the hello, or [`VERSION_FIXED`].
    pub version: u16,
    /// The code of a [`Kind`]; not known to be one until [`Header::kind`] says so.
    pub kind: u16,
    /// Flags of the operation (`resolve_transfers`: `fence`), else 0.
    pub flags: u32,
    /// Bytes of the body that follows.
    pub body_bytes: u32,
    /// Chosen by the client for its request, repeated in the reply. 0 in an error that answers no
    /// particular request.
    pub correlation: u64,
    /// In a reply: the op up to which the ledger is reflected. 0 in a request.
    pub op: u64,
    /// In a reply: the epoch of that op. 0 in a request.
    pub epoch: u64,
    /// 0.
    pub reserved: [u64; 2],
    /// [`checksum::message`] of the body.
    pub body_checksum: u32,
    /// CRC-32 of the 60 bytes before.
    pub header_checksum: u32,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);
const _: () = assert!(std::mem::offset_of!(Header, body_bytes) == 12);
const _: () = assert!(std::mem::offset_of!(Header, correlation) == 16);
const _: () = assert!(std::mem::offset_of!(Header, body_checksum) == CHECKED_BYTES - 4);
const _: () = assert!(std::mem::offset_of!(Header, header_checksum) == CHECKED_BYTES);

/// Bytes under the header's own checksum.
const CHECKED_BYTES: usize = 60;

impl Header {
    /// Reads a header and checks all that framing rests on: magic, checksum, version, the reserved
    /// fields and the bound of the body. Whether the kind is known is not a matter of framing.
    ///
    /// # Errors
    /// The first of these that fails; the connection can't go on.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, ProtocolError> {
        let header: Self = bytemuck::pod_read_unaligned(bytes);
        if header.magic != MAGIC {
            return Err(ProtocolError::BadMagic);
        }
        if header.header_checksum != checksum::block(0, &bytes[..CHECKED_BYTES]) {
            return Err(ProtocolError::BadHeaderChecksum);
        }
        let fixed = Kind::from_code(header.kind).is_some_and(Kind::is_fixed);
        if header.version != if fixed { VERSION_FIXED } else { VERSION } {
            return Err(ProtocolError::UnsupportedVersion { version: header.version });
        }
        if header.reserved != [0; 2] {
            return Err(ProtocolError::ReservedField);
        }
        if header.body_bytes > FRAME_BODY_BYTES_MAX {
            return Err(ProtocolError::BodyTooLarge { body_bytes: header.body_bytes });
        }
        Ok(header)
    }

    /// The kind, when it is a known one.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind)
    }

    /// Bytes of the body, as a length.
    #[must_use]
    pub fn body_len(&self) -> usize {
        // 32 bits fit every target that the rest of the crate compiles for.
        usize::try_from(self.body_bytes).unwrap_or(usize::MAX)
    }

    /// The kind of a request, after its number of elements was held against the bounds of that
    /// kind. Needs no body, so a server can refuse before it makes room for one.
    ///
    /// # Errors
    /// An unknown operation, a body that is no whole number of elements, too many elements, flags
    /// without a meaning. The frame itself is intact: skip its body and go on.
    pub fn check_request(&self) -> Result<Kind, RequestError> {
        let wrong = |code, why: String| Err(RequestError::new(code).with_detail(why));
        let kind = match self.kind() {
            Some(kind) if !kind.is_reply() => kind,
            _ => {
                let why = format!("kind: {:#06x} is no request that this server knows", self.kind);
                return wrong(ErrorCode::UnknownOperation, why);
            }
        };
        let shape = kind.shape();
        let (bytes, each, most) = (self.body_bytes, shape.element_bytes, shape.elements_max);
        let elements = bytes / each;
        if !bytes.is_multiple_of(each) {
            let why = format!("body_bytes: {bytes} is no multiple of {each}, which {kind} takes");
            return wrong(ErrorCode::RaggedBody, why);
        }
        if elements > most && most > 1 {
            let why =
                format!("body_bytes: {elements} events, of which a {kind} has at most {most}");
            return wrong(ErrorCode::TooManyEvents, why);
        }
        if elements > most || elements < shape.elements_min {
            let due = u64::from(each) * u64::from(most);
            let why = format!("body_bytes: a {kind} has a body of {due} bytes, not of {bytes}");
            return wrong(ErrorCode::RaggedBody, why);
        }
        let known =
            if kind == Kind::ResolveTransfers { crate::ledger::ResolveFlags::ALL } else { 0 };
        if self.flags & !known != 0 {
            let unknown = self.flags & !known;
            let why = format!("flags: the bits {unknown:#x} have no meaning for {kind}");
            return wrong(ErrorCode::UnknownFlags, why);
        }
        Ok(kind)
    }

    /// The kind of a reply, after the size of its body was held against the bounds of that kind.
    ///
    /// # Errors
    /// Not a reply, or of an impossible size: the server is not to be trusted further.
    pub fn check_reply(&self) -> Result<Kind, ProtocolError> {
        let kind = match self.kind() {
            Some(kind) if kind.is_reply() => kind,
            _ => return Err(ProtocolError::UnknownReply { kind: self.kind }),
        };
        let shape = kind.shape();
        let elements = self.body_bytes / shape.element_bytes;
        let whole = self.body_bytes.is_multiple_of(shape.element_bytes);
        if !whole || elements < shape.elements_min || elements > shape.elements_max {
            return Err(ProtocolError::BadReply { kind });
        }
        Ok(kind)
    }

    /// Checks the body against the checksum in the header.
    ///
    /// # Errors
    /// [`ProtocolError::BadBodyChecksum`], also when the length isn't the announced one.
    pub fn check_body(&self, body: &[u8]) -> Result<(), ProtocolError> {
        if body.len() == self.body_len() && checksum::message(body) == self.body_checksum {
            Ok(())
        } else {
            Err(ProtocolError::BadBodyChecksum)
        }
    }

    /// The header of a frame with that body, sealed with both checksums.
    pub(super) fn sealed(mut self, body: &[u8]) -> Self {
        self.body_checksum = checksum::message(body);
        self.header_checksum = checksum::block(0, &bytemuck::bytes_of(&self)[..CHECKED_BYTES]);
        self
    }
}
