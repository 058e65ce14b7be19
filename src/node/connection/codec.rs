//! Bytes into frames.
//!
//! Small frames are cut out of what was received. A large body is received straight into the vector
//! that its request owns, so that it is copied nowhere.

use crate::wire::{BodyBuffer, HEADER_BYTES, Header, ProtocolError};

/// Bodies up to this size are put together from what is received anyway.
pub(super) const SMALL_BODY_BYTES_MAX: usize = 32 * 1024;

/// What stands at the beginning of some bytes.
#[derive(Debug)]
pub(super) enum Cut<'a> {
    /// Less than a frame.
    Incomplete,
    /// No frame, and so nothing behind it can be trusted.
    Broken(ProtocolError),
    /// A frame, so many bytes long.
    Whole {
        /// Its header.
        header: Header,
        /// Its body, whose checksum isn't compared yet.
        body: &'a [u8],
        /// Header and body.
        length: usize,
    },
    /// A frame whose body is large and not whole; what is there of it goes to the end of the bytes.
    Large {
        /// Its header.
        header: Header,
        /// The beginning of its body.
        start: &'a [u8],
    },
}

/// Looks at the beginning of some bytes.
pub(super) fn cut(bytes: &[u8]) -> Cut<'_> {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return Cut::Incomplete };
    let header = match Header::parse(head) {
        Ok(header) => header,
        Err(error) => return Cut::Broken(error),
    };
    let rest = &bytes[HEADER_BYTES..];
    match rest.get(..header.body_len()) {
        Some(body) => Cut::Whole { header, body, length: HEADER_BYTES + body.len() },
        None if header.body_len() > SMALL_BODY_BYTES_MAX => Cut::Large { header, start: rest },
        None => Cut::Incomplete,
    }
}

/// A large body on its way.
#[derive(Debug)]
pub(super) struct LargeBody {
    header: Header,
    /// What came with the header, until room was made for the whole.
    start: Vec<u8>,
    /// The room, unless the transport has it.
    body: Option<BodyBuffer>,
    /// Bytes of the body that are there, as far as the transport has told. Never the whole body.
    have: usize,
    /// When room was made for it; 0 before.
    since_ns: u64,
}

/// What became of a stretch of filling.
#[derive(Debug)]
pub(super) enum Filled {
    /// The body is whole.
    Whole(Header, BodyBuffer),
    /// It isn't.
    Part(LargeBody),
}

impl LargeBody {
    /// A body whose header has come, and as much of it as `start`.
    pub(super) fn new(header: Header, start: &[u8]) -> Self {
        assert!(start.len() < header.body_len(), "a body that is whole isn't received further");
        Self { header, start: start.to_vec(), body: None, have: start.len(), since_ns: 0 }
    }

    /// Its header.
    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether room was made for it.
    pub(super) const fn has_room(&self) -> bool {
        self.since_ns > 0
    }

    /// Gives the room away to be filled, and from which byte on.
    pub(super) fn lend(&mut self, now_ns: u64) -> (BodyBuffer, usize) {
        if self.since_ns == 0 {
            self.since_ns = now_ns.max(1);
        }
        let body = self.body.take().unwrap_or_else(|| {
            let mut body = BodyBuffer::for_header(&self.header);
            let start = std::mem::take(&mut self.start);
            body.as_mut()[..start.len()].copy_from_slice(&start);
            body
        });
        (body, self.have)
    }

    /// The room is back, with so many bytes more.
    ///
    /// # Panics
    /// When these are more than there was room for.
    pub(super) fn filled(mut self, body: BodyBuffer, added: usize) -> Filled {
        self.have += added;
        assert!(self.have <= self.header.body_len(), "a body is filled beyond its end");
        if self.have == self.header.body_len() {
            return Filled::Whole(self.header, body);
        }
        self.body = Some(body);
        Filled::Part(self)
    }

    /// Bytes of it that are there, and for how long they have been on their way.
    pub(super) const fn progress(&self, now_ns: u64) -> (usize, u64) {
        (self.have, now_ns.saturating_sub(self.since_ns))
    }
}
