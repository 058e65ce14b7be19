//! A TCP connection served by a core's executor.
#![expect(unsafe_code, reason = "glommio takes a connection over as a bare descriptor only")]

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};

/// A connection on the executor of the thread that made it.
#[derive(Debug)]
pub struct Socket {
    stream: glommio::net::TcpStream,
}

impl Socket {
    /// Takes over an accepted connection. Must be called on the executor's thread.
    #[must_use]
    pub fn adopt(stream: TcpStream) -> Self {
        let descriptor = stream.into_raw_fd();
        // SAFETY: the descriptor is an open stream socket, and `into_raw_fd` has just given up its
        // only owner, so the new stream owns it alone.
        let stream = unsafe { glommio::net::TcpStream::from_raw_fd(descriptor) };
        Self { stream }
    }

    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// The connection's error.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// The connection's error.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    /// Tells the peer that nothing more comes. It may go on sending.
    pub fn end_writing(&self) {
        self.shut(rustix::net::Shutdown::Write);
    }

    /// Ends the connection in both directions at once: whoever waits for it is woken. The
    /// descriptor stays open until the socket is dropped.
    pub fn shut_down(&self) {
        self.shut(rustix::net::Shutdown::Both);
    }

    fn shut(&self, how: rustix::net::Shutdown) {
        // SAFETY: the stream owns the descriptor and outlives this borrow of it.
        let descriptor = unsafe { BorrowedFd::borrow_raw(self.stream.as_raw_fd()) };
        // Already closed by the peer is as good.
        let _ = rustix::net::shutdown(descriptor, how);
    }
}
