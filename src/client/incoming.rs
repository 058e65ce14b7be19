//! Frames out of a stream of bytes that arrives in pieces.

use crate::wire::{HEADER_BYTES, Header, ProtocolError};

/// Room that is kept for bytes to arrive, beyond what the current frame needs.
const ROOM_BYTES: usize = 64 * 1024;

/// Received bytes, of which whole frames are taken from the front.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The header at `start`, once it was checked.
    header: Option<Header>,
}

impl Incoming {
    /// Forgets everything: the next byte belongs to a new connection.
    pub(super) const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.header = None;
    }

    /// Room for the next bytes; say with [`Incoming::advance`] how many came.
    pub(super) fn space(&mut self) -> &mut [u8] {
        let frame = HEADER_BYTES + self.header.as_ref().map_or(0, Header::body_len);
        let held = self.end - self.start;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.buffer.len() - self.end < ROOM_BYTES.min(frame.saturating_sub(held)) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = held;
        }
        let needed = (self.start + frame).max(self.end + ROOM_BYTES);
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were put into [`Incoming::space`].
    pub(super) fn advance(&mut self, bytes: usize) {
        assert!(self.end + bytes <= self.buffer.len(), "more bytes than there was room");
        self.end += bytes;
    }

    /// The next whole frame, when it is there.
    pub(super) fn next(&mut self) -> Result<Option<(Header, &[u8])>, ProtocolError> {
        let header = match self.header {
            Some(header) => header,
            None => match self.buffer[self.start..self.end].first_chunk() {
                Some(head) => *self.header.insert(Header::parse(head)?),
                None => return Ok(None),
            },
        };
        let body = self.start + HEADER_BYTES;
        let end = body + header.body_len();
        if end > self.end {
            return Ok(None);
        }
        self.start = end;
        self.header = None;
        Ok(Some((header, &self.buffer[body..end])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Request, encode_request};

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let requests = [
            Request::Ping,
            Request::LookupAccounts((1..=8_000).collect()),
            Request::Status,
            Request::LookupTransfers(vec![5]),
        ];
        let mut stream = Vec::new();
        for round in 0..20_usize {
            encode_request(round as u64, &requests[round % 4], &mut stream);
        }
        for piece in [1, 63, 64, 65, 1_000, 70_000, stream.len()] {
            let mut incoming = Incoming::default();
            let mut got = 0_usize;
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let space = incoming.space();
                let (now, later) = rest.split_at(piece.min(space.len()).min(rest.len()));
                space[..now.len()].copy_from_slice(now);
                incoming.advance(now.len());
                rest = later;
                while let Some((header, body)) = incoming.next().unwrap() {
                    assert_eq!(header.correlation, got as u64);
                    let request = Request::decode(&header, body);
                    assert_eq!(request.as_ref(), Ok(&requests[got % 4]));
                    got += 1;
                }
            }
            assert_eq!(got, 20, "in pieces of {piece}");
        }
    }

    #[test]
    fn garbage_is_an_error_before_room_is_made() {
        let mut incoming = Incoming::default();
        incoming.space()[..64].fill(0xFF);
        incoming.advance(64);
        assert_eq!(incoming.next(), Err(ProtocolError::BadMagic));
    }
}
