//! Opening the connections of the load: socket and hello, then the bare stream.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::LoadError;
use crate::wire::{HEADER_BYTES, Header, Hello, HelloReply};

/// The longest wait for the answer to a hello.
const REPLY_WAIT: Duration = Duration::from_secs(60);

/// A connection whose hello is under way. Apart from [`Self::finish`], so that thousands of hellos
/// can be under way at once.
#[derive(Debug)]
pub(crate) struct Greeting {
    stream: TcpStream,
}

impl Greeting {
    /// Connects and sends the hello.
    pub(crate) fn send(address: SocketAddr) -> Result<Self, LoadError> {
        let mut stream =
            TcpStream::connect(address).map_err(|source| LoadError::Connect { address, source })?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(REPLY_WAIT)));
        set.map_err(LoadError::io("setting up a connection"))?;
        let mut frame = Vec::new();
        Hello::new(0, "partita bench").encode(1, &mut frame);
        stream.write_all(&frame).map_err(LoadError::io("sending"))?;
        Ok(Self { stream })
    }

    /// Waits for the server's answer; the stream doesn't block from then on.
    pub(crate) fn finish(mut self) -> Result<(TcpStream, HelloReply), LoadError> {
        let mut head = [0; HEADER_BYTES];
        self.stream.read_exact(&mut head).map_err(LoadError::io("receiving"))?;
        let header = Header::parse(&head)?;
        let mut body = vec![0; header.body_len()];
        self.stream.read_exact(&mut body).map_err(LoadError::io("receiving"))?;
        let reply = HelloReply::decode(&header, &body)?;
        self.stream.set_nonblocking(true).map_err(LoadError::io("setting up a connection"))?;
        Ok((self.stream, reply))
    }
}
