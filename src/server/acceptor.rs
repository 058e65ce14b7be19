//! The thread that accepts connections and deals them out to the cores in turn.
//!
//! Cores don't accept: a listener of their own would share the port with every other process of
//! the same user, and a pending accept can't be ended.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::mailbox::Mail;
use super::shared::Shared;
use crate::ledger::Op;
use crate::wire::{ErrorCode, ReplyTo, encode_error};

/// Room for one large request, so that it arrives in few pieces.
const RECEIVE_BUFFER_BYTES: usize = 2 << 20;

/// Starts the thread. It ends when the listener is shut down.
pub(super) fn spawn(listener: TcpListener, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("accept".into()).spawn(move || {
        let mut next_core = 0;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    next_core = (next_core + 1) % shared.mailboxes.len();
                    admit(stream, &shared, next_core);
                }
                Err(_) if shared.is_draining() => return,
                Err(error) => {
                    // Out of descriptors or memory: what helps is that others close.
                    tracing::warn!(%error, "can't accept a connection");
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    })
}

fn admit(stream: TcpStream, shared: &Shared, core: usize) {
    if shared.is_draining() {
        return;
    }
    let open = shared.connections.fetch_add(1, Ordering::Relaxed);
    if open >= shared.connections_max {
        shared.connections.fetch_sub(1, Ordering::Relaxed);
        shared.counters.connections_over_limit.fetch_add(1, Ordering::Relaxed);
        refuse(stream, shared);
        return;
    }
    shared.counters.connections_accepted.fetch_add(1, Ordering::Relaxed);
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "a connection ended before it was served");
    }
    shared.mailboxes[core].send(Mail::Connection(stream));
}

/// Tells a client that there are too many, without ever waiting for it.
fn refuse(stream: TcpStream, shared: &Shared) {
    let op = Op(shared.committed.load(Ordering::Acquire));
    let mut answer = Vec::new();
    let to = ReplyTo { correlation: 0, op, epoch: shared.epoch };
    encode_error(to, &ErrorCode::TooManyConnections.into(), &mut answer);
    if stream.set_nonblocking(true).is_ok() {
        // It fits into an empty socket buffer, or the client is gone.
        drop(io::Write::write(&mut &stream, &answer));
    }
}

/// No delays for small answers; a peer that vanished is noticed within minutes.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let socket = SockRef::from(stream);
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10));
    socket.set_tcp_keepalive(&keepalive)
}
