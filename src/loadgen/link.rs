//! A plain blocking connection, for what comes before and after the measurement.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::LoadError;
use crate::wire::{HEADER_BYTES, Header, Hello, HelloReply, Reply, Request, encode_request};

/// The longest wait for a reply outside the measurement.
const REPLY_WAIT: Duration = Duration::from_secs(60);

/// One request at a time, one reply for each.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    correlation: u64,
}

impl Link {
    /// Opens a connection and sends the hello; [`Self::greeted`] takes the answer. Apart, so that
    /// thousands of hellos can be under way at once.
    pub(crate) fn open(address: SocketAddr) -> Result<Self, LoadError> {
        let stream =
            TcpStream::connect(address).map_err(|source| LoadError::Connect { address, source })?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(REPLY_WAIT)));
        set.map_err(LoadError::io("setting up a connection"))?;
        let mut link = Self { stream, buffer: Vec::new(), correlation: 1 };
        Hello::new(0, "partita bench").encode(link.correlation, &mut link.buffer);
        link.send()?;
        Ok(link)
    }

    /// The server's answer to the hello.
    pub(crate) fn greeted(&mut self) -> Result<HelloReply, LoadError> {
        let header = self.receive()?;
        Ok(HelloReply::decode(&header, &self.buffer)?)
    }

    /// The connection itself; nothing is in flight on it.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends a request and waits for its reply. A refusal is an error.
    pub(crate) fn call(&mut self, request: &Request) -> Result<Reply, LoadError> {
        self.correlation += 1;
        self.buffer.clear();
        encode_request(self.correlation, request, &mut self.buffer);
        self.send()?;
        let header = self.receive()?;
        if header.correlation != self.correlation {
            return Err(LoadError::Answer("a reply to no request that waits for one"));
        }
        match Reply::decode(&header, &self.buffer)? {
            Reply::Error(error) => Err(error.into()),
            reply => Ok(reply),
        }
    }

    fn send(&mut self) -> Result<(), LoadError> {
        self.stream.write_all(&self.buffer).map_err(LoadError::io("sending"))
    }

    /// Leaves the body in the buffer.
    fn receive(&mut self) -> Result<Header, LoadError> {
        let mut head = [0; HEADER_BYTES];
        self.stream.read_exact(&mut head).map_err(LoadError::io("receiving"))?;
        let header = Header::parse(&head)?;
        self.buffer.resize(header.body_len(), 0);
        self.stream.read_exact(&mut self.buffer).map_err(LoadError::io("receiving"))?;
        Ok(header)
    }
}
