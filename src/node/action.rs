//! What connections want done on their sockets.

use crate::wire::BodyBuffer;

/// What is to be done on a socket.
#[derive(Debug)]
pub enum Action {
    /// Wait for bytes; then `handle_received`.
    Receive {
        /// The connection.
        slot: u32,
        /// Whether there are probably some already.
        may_be_there: bool,
    },
    /// Fill a body from that byte on, until it is full or nothing more comes; then `handle_filled`.
    Fill {
        /// The connection.
        slot: u32,
        /// The room.
        body: BodyBuffer,
        /// Where the rest goes.
        from: usize,
    },
    /// End a filling early; then `handle_filled` with what has come until then.
    Cancel {
        /// The connection.
        slot: u32,
    },
    /// Send; then `handle_sent`.
    Send {
        /// The connection.
        slot: u32,
        /// The bytes.
        bytes: Vec<u8>,
        /// The first of them that wasn't sent yet.
        from: usize,
    },
    /// Tell the peer that nothing more comes.
    EndWriting {
        /// The connection.
        slot: u32,
    },
    /// End the connection in both directions: whatever is under way on it ends.
    ShutDown {
        /// The connection.
        slot: u32,
    },
    /// Close the socket. The slot is free.
    Forget {
        /// The connection that was there.
        slot: u32,
    },
}
