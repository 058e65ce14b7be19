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
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind: Kind::Receive })
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
    ) -> io::Result<()> {
        let mut body = Box::new(body);
        let room = &mut (*body).as_mut()[from..];
        assert!(!room.is_empty(), "there is nothing to fill");
        let length = u32::try_from(room.len()).map_err(io::Error::other)?;
        let entry = opcode::Recv::new(Fd(socket.as_raw_fd()), room.as_mut_ptr(), length)
            .flags(MSG_WAITALL)
            .build();
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind: Kind::Fill(body) })
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
        self.push(entry, Active { tag, socket: Rc::clone(socket), kind: Kind::Send(bytes) })
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

    fn push(&mut self, entry: squeue::Entry, active: Active<B>) -> io::Result<()> {
        let index = if let Some(index) = self.free.pop() {
            self.active[index as usize] = Some(active);
            index
        } else {
            self.active.push(Some(active));
            u32::try_from(self.active.len() - 1).map_err(io::Error::other)?
        };
        self.push_entry(&entry.user_data(u64::from(index)))
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
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;
    use crate::io::{Waker, sleeper};

    const LONG: Duration = Duration::from_secs(30);

    fn sockets() -> (Sockets<Vec<u8>>, Arc<Waker>) {
        let (bell, waker) = sleeper().unwrap();
        (Sockets::new(bell).unwrap(), waker)
    }

    fn pair() -> (SocketHandle, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Rc::new(ours.into()), theirs)
    }

    fn next(sockets: &mut Sockets<Vec<u8>>) -> SocketEvent<Vec<u8>> {
        loop {
            if let Some(event) = sockets.next_event().unwrap() {
                return event;
            }
            sockets.sleep(1, LONG, || true).unwrap();
        }
    }

    fn received(sockets: &mut Sockets<Vec<u8>>) -> (u64, Vec<u8>) {
        let SocketEvent::Received { tag, result } = next(sockets) else { panic!("another event") };
        let chunk = result.unwrap();
        let bytes = sockets.bytes(&chunk).to_vec();
        sockets.give_back(chunk);
        (tag, bytes)
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_is_told() {
        let (mut sockets, _waker) = sockets();
        let (ours, mut theirs) = pair();
        sockets.start_receive(7, &ours, false).unwrap();
        sockets.submit().unwrap();
        assert!(sockets.next_event().unwrap().is_none(), "nothing has come");
        theirs.write_all(b"question").unwrap();
        assert_eq!(received(&mut sockets), (7, b"question".to_vec()));
        sockets.start_send(8, &ours, b"??answer".to_vec(), 2).unwrap();
        let SocketEvent::Sent { tag: 8, bytes, result } = next(&mut sockets) else {
            panic!("another event")
        };
        assert_eq!((bytes.as_slice(), result.unwrap()), (b"??answer".as_slice(), 6));
        let mut answer = [0; 6];
        theirs.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        drop(theirs);
        sockets.start_receive(9, &ours, true).unwrap();
        assert_eq!(received(&mut sockets), (9, Vec::new()));
        sockets.start_send(10, &ours, vec![1], 0).unwrap();
        let SocketEvent::Sent { result, .. } = next(&mut sockets) else { panic!("another event") };
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_body_is_filled_in_place_or_says_how_far_it_came() {
        let (mut sockets, _waker) = sockets();
        let (ours, mut theirs) = pair();
        sockets.start_fill(1, &ours, b"abcdef".to_vec(), 2).unwrap();
        sockets.submit().unwrap();
        theirs.write_all(b"12").unwrap();
        sockets.submit().unwrap();
        assert!(sockets.next_event().unwrap().is_none(), "it isn't full");
        theirs.write_all(b"345").unwrap();
        let SocketEvent::Filled { tag: 1, body, result } = next(&mut sockets) else {
            panic!("another event")
        };
        assert_eq!((body.as_slice(), result.unwrap()), (b"ab1234".as_slice(), 4));
        sockets.start_fill(2, &ours, vec![0; 9], 0).unwrap();
        sockets.submit().unwrap();
        shut_down(&ours);
        let SocketEvent::Filled { result, .. } = next(&mut sockets) else {
            panic!("another event")
        };
        assert_eq!(result.unwrap(), 1);
    }

    #[test]
    fn more_connections_than_buffers_are_all_heard() {
        let (mut sockets, _waker) = sockets();
        let pairs: Vec<_> = (0..700).map(|_| pair()).collect();
        for (tag, (ours, theirs)) in (0..).zip(&pairs) {
            sockets.start_receive(tag, ours, false).unwrap();
            (&mut &*theirs).write_all(&tag.to_le_bytes()).unwrap();
        }
        let mut heard: Vec<u64> = (0..700)
            .map(|_| {
                let (tag, bytes) = received(&mut sockets);
                assert_eq!(bytes, tag.to_le_bytes());
                tag
            })
            .collect();
        heard.sort_unstable();
        assert!(heard.into_iter().eq(0..700));
    }

    #[test]
    fn the_bell_ends_a_sleep_and_work_prevents_it() {
        let (mut sockets, waker) = sockets();
        sockets.sleep(1, LONG, || false).unwrap();
        for _ in 0..3 {
            let waker = Arc::clone(&waker);
            let (asleep, wait) = std::sync::mpsc::channel();
            let ringer = std::thread::spawn(move || {
                wait.recv().unwrap();
                waker.wake(1);
            });
            sockets
                .sleep(1, LONG, || {
                    asleep.send(()).unwrap();
                    true
                })
                .unwrap();
            ringer.join().unwrap();
            assert!(sockets.next_event().unwrap().is_none());
        }
        sockets.sleep(1, Duration::from_millis(1), || true).unwrap();
    }

    #[test]
    fn a_million_idle_polls_leave_nothing_behind() {
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
        };
        let (mut sockets, _waker) = sockets();
        let (ours, mut theirs) = pair();
        sockets.start_receive(1, &ours, false).unwrap();
        let mut poll = |count: usize| {
            for number in 0..count {
                if number % 8 == 0 {
                    sockets.sleep(1, Duration::ZERO, || true).unwrap();
                } else {
                    sockets.submit().unwrap();
                }
                assert!(sockets.next_event().unwrap().is_none());
            }
        };
        poll(10_000);
        let before = resident();
        poll(1_000_000);
        // In pages; other tests of a shared process may take some.
        assert!(resident() < before + 2_048, "{before} pages before, {} after", resident());
        assert_eq!((sockets.active.len(), sockets.free.len()), (1, 0));
        theirs.write_all(b"at last").unwrap();
        assert_eq!(received(&mut sockets), (1, b"at last".to_vec()));
    }

    #[test]
    fn what_is_in_flight_at_the_end_is_left_to_the_kernel() {
        let (mut sockets, _waker) = sockets();
        let (ours, mut theirs) = pair();
        sockets.start_fill(1, &ours, vec![0; 8], 0).unwrap();
        sockets.submit().unwrap();
        drop(sockets);
        theirs.write_all(b"12345678").unwrap();
    }
}
