//! All connections of one thread: bytes in and out through one submission ring.
//!
//! Receiving is one operation for each connection, which takes a buffer only when bytes are there;
//! sending takes the bytes over until they are gone. Whatever was started in a turn reaches the
//! kernel by one system call, together with the completions of what was started before.
//!
//! Safe to use: the ring owns the memory and a handle of every socket with something in flight. What
//! is still in flight when the ring goes away is leaked and never used for anything else.
#![expect(unsafe_code, reason = "submission entries carry raw pointers and descriptors")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::net::Shutdown;

use super::Sleeper;
use super::receive_buffers::{BUFFER_BYTES, GROUP, ReceiveBuffers};

/// Operations that wait for the next system call.
const SUBMISSIONS: u32 = 2_048;

/// Completions that the kernel can report at once without a list of its own.
const COMPLETIONS: u32 = 16_384;

/// The operation that waits for the bell.
const BELL: u64 = u64::MAX;

/// Operations that only end others. What they say themselves is of no interest.
const CANCEL: u64 = u64::MAX - 1;

const POLL_IN: u32 = 1;
const MSG_WAITALL: i32 = 0x100;
const MSG_NOSIGNAL: i32 = 0x4000;
/// `IORING_RECVSEND_POLL_FIRST`: don't try before there is something.
const POLL_FIRST: u16 = 1;

/// A connected socket, closed with its last owner.
pub type SocketHandle = Rc<OwnedFd>;

/// What has happened to a socket.
#[derive(Debug)]
pub enum SocketEvent<B> {
    /// Bytes have come; none is the end.
    Received {
        /// As given when it was started.
        tag: u64,
        /// Where they are.
        result: io::Result<Chunk>,
    },
    /// A body is full, or as full as it will get.
    Filled {
        /// As given when it was started.
        tag: u64,
        /// The body.
        body: B,
        /// How many bytes have come.
        result: io::Result<usize>,
    },
    /// Bytes were sent.
    Sent {
        /// As given when it was started.
        tag: u64,
        /// The bytes.
        bytes: Vec<u8>,
        /// How many of them were sent.
        result: io::Result<usize>,
    },
}

/// A filling under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling(u32);

/// Bytes that were received, in a buffer that has to be given back.
#[derive(Debug)]
#[must_use = "the buffer has to be given back"]
pub struct Chunk {
    buffer: Option<u16>,
    length: usize,
    /// Whether the socket has more.
    has_more: bool,
}

impl Chunk {
    /// Whether more bytes are known to be there.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.has_more
    }
}

struct Active<B> {
    tag: u64,
    socket: SocketHandle,
    kind: Kind<B>,
}

enum Kind<B> {
    Receive,
    Fill(Box<B>),
    Send(Vec<u8>),
}

/// The sockets of one thread. To be used on the thread that made it.
pub struct Sockets<B> {
    ring: IoUring,
    buffers: ReceiveBuffers,
    active: Vec<Option<Active<B>>>,
    free: Vec<u32>,
    bell: Sleeper,
    bell_armed: bool,
}

impl<B: AsMut<[u8]>> Sockets<B> {
    /// A ring for sockets, woken by `bell`.
    ///
    /// # Errors
    /// If the kernel doesn't allow rings or is older than 6.1, or lacks memory.
    pub fn new(bell: Sleeper) -> io::Result<Self> {
        let mut builder = IoUring::<squeue::Entry>::builder();
        builder
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(COMPLETIONS)
            .setup_clamp();
        let ring = builder.build(SUBMISSIONS)?;
        let buffers = ReceiveBuffers::new(&ring)?;
        Ok(Self { ring, buffers, active: Vec::new(), free: Vec::new(), bell, bell_armed: false })
    }

    /// Starts waiting for bytes. With `may_be_there` it looks at once.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn start_receive(
        &mut self,
        tag: u64,
        socket: &SocketHandle,
        may_be_there: bool,
    ) -> io::Result<()> {
        let entry = receive_entry(socket, may_be_there);
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind: Kind::Receive })?;
        Ok(())
    }

    /// Starts filling `body` from byte `from` on. It ends when the body is full, or with the
    /// connection.
    ///
    /// # Errors
    /// What the kernel reported.
    ///
    /// # Panics
    /// If nothing is left to be filled.
    pub fn start_fill(
        &mut self,
        tag: u64,
        socket: &SocketHandle,
        body: B,
        from: usize,
    ) -> io::Result<Filling> {
        let mut body = Box::new(body);
        let room = &mut (*body).as_mut()[from..];
        assert!(!room.is_empty(), "there is nothing to fill");
        let length = u32::try_from(room.len()).map_err(io::Error::other)?;
        let entry = opcode::Recv::new(Fd(socket.as_raw_fd()), room.as_mut_ptr(), length)
            .flags(MSG_WAITALL)
            .build();
        let kind = Kind::Fill(body);
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind }).map(Filling)
    }

    /// Ends a filling early: it is reported as any other, with as many bytes as have come, or with
    /// an error when none have. To be called only while it hasn't been reported.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn cancel(&mut self, filling: Filling) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(u64::from(filling.0)).build().user_data(CANCEL);
        self.push_entry(&entry)
    }

    /// Starts sending `bytes` from byte `from` on, or as many of them as there is room for.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn start_send(
        &mut self,
        tag: u64,
        socket: &SocketHandle,
        bytes: Vec<u8>,
        from: usize,
    ) -> io::Result<()> {
        let rest = &bytes[from..];
        let length = u32::try_from(rest.len()).map_err(io::Error::other)?;
        let entry = opcode::Send::new(Fd(socket.as_raw_fd()), rest.as_ptr(), length)
            .flags(MSG_NOSIGNAL)
            .build();
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind: Kind::Send(bytes) })?;
        Ok(())
    }

    /// Hands what was started to the kernel and takes what has happened, without waiting.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn submit(&mut self) -> io::Result<()> {
        let queue = self.ring.submission();
        if queue.is_empty() && !queue.taskrun() && !queue.cq_overflow() {
            return Ok(());
        }
        drop(queue);
        accept_later(self.ring.submit())
    }

    /// The same, but sleeps until so many things have happened, or `timeout` is over, unless there
    /// turns out to be something to do. The bell is one of the things.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn sleep(
        &mut self,
        events: usize,
        timeout: Duration,
        is_idle: impl FnOnce() -> bool,
    ) -> io::Result<()> {
        if !self.bell_armed {
            let bell = Fd(self.bell.descriptor().as_fd().as_raw_fd());
            let entry = opcode::PollAdd::new(bell, POLL_IN).build().user_data(BELL);
            self.push_entry(&entry)?;
            self.bell_armed = true;
        }
        self.bell.announce(1);
        let slept = if is_idle() {
            let span = Timespec::from(timeout);
            let arguments = SubmitArgs::new().timespec(&span);
            accept_later(self.ring.submitter().submit_with_args(events, &arguments))
        } else {
            accept_later(self.ring.submit())
        };
        self.bell.awake();
        slept
    }

    /// What has happened next, if anything has.
    ///
    /// # Errors
    /// What the kernel reported, not for one connection but for all.
    pub fn next_event(&mut self) -> io::Result<Option<SocketEvent<B>>> {
        loop {
            let Some(entry) = self.ring.completion().next() else { return Ok(None) };
            if entry.user_data() == BELL {
                self.bell_armed = false;
                self.bell.drain()?;
                continue;
            }
            if entry.user_data() == CANCEL {
                continue;
            }
            let index = usize::try_from(entry.user_data()).map_err(io::Error::other)?;
            let Some(active) = self.active.get_mut(index).and_then(Option::take) else {
                return Err(io::Error::other("the kernel completed what nobody started"));
            };
            self.free.push(u32::try_from(index).map_err(io::Error::other)?);
            let Active { tag, socket, kind } = active;
            let result = usize::try_from(entry.result())
                .map_err(|_| io::Error::from_raw_os_error(entry.result().saturating_neg()));
            return Ok(Some(match kind {
                Kind::Fill(body) => SocketEvent::Filled { tag, body: *body, result },
                Kind::Send(bytes) => SocketEvent::Sent { tag, bytes, result },
                Kind::Receive => {
                    if is_out_of_buffers(&result) {
                        self.start_receive(tag, &socket, true)?;
                        continue;
                    }
                    let has_more = cqueue::sock_nonempty(entry.flags());
                    let buffer = cqueue::buffer_select(entry.flags());
                    if result.is_err()
                        && let Some(buffer) = buffer
                    {
                        self.buffers.give(buffer);
                    }
                    let result = result.map(|length| Chunk { buffer, length, has_more });
                    SocketEvent::Received { tag, result }
                }
            }));
        }
    }

    /// The bytes of a chunk.
    #[must_use]
    pub fn bytes(&self, chunk: &Chunk) -> &[u8] {
        chunk.buffer.map_or(&[], |buffer| self.buffers.bytes(buffer, chunk.length))
    }

    /// Gives the buffer of a chunk back to the kernel.
    pub fn give_back(&mut self, chunk: Chunk) {
        let Chunk { buffer, .. } = chunk;
        if let Some(buffer) = buffer {
            self.buffers.give(buffer);
        }
    }

    fn push(&mut self, entry: squeue::Entry, active: Active<B>) -> io::Result<u32> {
        let index = if let Some(index) = self.free.pop() {
            self.active[index as usize] = Some(active);
            index
        } else {
            self.active.push(Some(active));
            u32::try_from(self.active.len() - 1).map_err(io::Error::other)?
        };
        self.push_entry(&entry.user_data(u64::from(index)))?;
        Ok(index)
    }

    fn push_entry(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: the descriptor stays open and the memory stays where it is, used by nobody
            // else, until the entry completes: `active` keeps both, and `Drop` leaks them.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            accept_later(self.ring.submit())?;
        }
    }
}

impl<B> Drop for Sockets<B> {
    fn drop(&mut self) {
        self.active.drain(..).flatten().for_each(std::mem::forget);
    }
}

/// Ends a connection in both directions at once: whatever waits for it completes.
pub fn shut_down(socket: &SocketHandle) {
    // Already closed by the peer is as good.
    let _ = rustix::net::shutdown(&**socket, Shutdown::Both);
}

/// Tells the peer that nothing more comes. It may go on sending.
pub fn end_writing(socket: &SocketHandle) {
    let _ = rustix::net::shutdown(&**socket, Shutdown::Write);
}

fn receive_entry(socket: &SocketHandle, may_be_there: bool) -> squeue::Entry {
    opcode::Recv::new(Fd(socket.as_raw_fd()), std::ptr::null_mut(), BUFFER_BYTES)
        .buf_group(GROUP)
        .ioprio(if may_be_there { 0 } else { POLL_FIRST })
        .build()
        .flags(squeue::Flags::BUFFER_SELECT)
}

fn is_out_of_buffers(result: &io::Result<usize>) -> bool {
    let error = result.as_ref().err().and_then(Errno::from_io_error);
    error == Some(Errno::NOBUFS)
}

/// What isn't taken now is taken with the next call.
fn accept_later(submitted: io::Result<usize>) -> io::Result<()> {
    match submitted {
        Ok(_) => Ok(()),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::TIME | Errno::INTR | Errno::AGAIN | Errno::BUSY) => Ok(()),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests;
