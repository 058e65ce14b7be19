//! Bytes that are to be sent, and how fast the peer takes them.

use super::pool::is_too_slow;
use crate::limits::SLOW_GRACE_NS;

/// Buffers up to this size are for small answers.
const SMALL_BYTES_MAX: usize = 16 << 10;

/// Larger buffers than this aren't kept.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// Buffers of each size that a core keeps for the next answers.
const KEPT: usize = 64;

/// Buffers that wait for answers. They belong to no connection: one that is silent has none.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Spare {
    /// A buffer for an answer of about so many bytes. Small answers never get a large buffer: a
    /// connection that doesn't read would hold it.
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let kept = if bytes > SMALL_BYTES_MAX { &mut self.large } else { &mut self.small };
        kept.pop().unwrap_or_default()
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let kept = if capacity > SMALL_BYTES_MAX { &mut self.large } else { &mut self.small };
        if kept.len() < KEPT && capacity <= KEPT_BYTES_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

/// What a connection has to send. At most one send is under way.
#[derive(Debug)]
pub(super) struct Outgoing {
    unsent: Vec<u8>,
    /// What a send has left over, and how much of it was sent.
    unfinished: Option<(Vec<u8>, usize)>,
    /// Bytes that are with the transport or unfinished.
    sending_bytes: usize,
    is_sending: bool,
    /// When the peer last took something, while something is with the transport.
    progress_ns: u64,
    /// A stretch over which it is counted what the peer takes, and what it has taken in it.
    window_start_ns: u64,
    window_bytes: usize,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self {
            unsent: Vec::new(),
            unfinished: None,
            sending_bytes: 0,
            is_sending: false,
            progress_ns: 0,
            window_start_ns: 0,
            window_bytes: 0,
        }
    }

    /// The end of what is to be sent, for about so many bytes more.
    pub(super) fn tail(&mut self, spare: &mut Spare, bytes: usize) -> &mut Vec<u8> {
        if self.unsent.capacity() == 0 {
            self.unsent = spare.take(bytes);
        }
        &mut self.unsent
    }

    /// Bytes that the peer hasn't taken.
    pub(super) const fn bytes(&self) -> usize {
        self.unsent.len() + self.sending_bytes
    }

    /// Whether a send is under way.
    pub(super) const fn is_sending(&self) -> bool {
        self.is_sending
    }

    /// Whether there is something to send and no send is under way.
    pub(super) const fn is_due(&self) -> bool {
        !self.is_sending && (self.unfinished.is_some() || !self.unsent.is_empty())
    }

    /// What to send, and from which byte of it on.
    pub(super) fn take(&mut self, now_ns: u64) -> (Vec<u8>, usize) {
        assert!(!self.is_sending, "bytes would overtake those that are being sent");
        if self.sending_bytes == 0 {
            (self.progress_ns, self.window_start_ns, self.window_bytes) = (now_ns, now_ns, 0);
        }
        let (bytes, from) =
            self.unfinished.take().unwrap_or_else(|| (std::mem::take(&mut self.unsent), 0));
        self.is_sending = true;
        self.sending_bytes = bytes.len() - from;
        (bytes, from)
    }

    /// So many more of `bytes` were sent.
    ///
    /// # Panics
    /// When these are more than were to be sent, or none were under way.
    pub(super) fn sent(&mut self, bytes: Vec<u8>, count: usize, now_ns: u64, spare: &mut Spare) {
        assert!(self.is_sending, "nothing was being sent");
        assert!(count <= self.sending_bytes, "more was sent than there was");
        self.is_sending = false;
        let from = bytes.len() - self.sending_bytes + count;
        self.sending_bytes -= count;
        self.progress_ns = now_ns;
        if now_ns.saturating_sub(self.window_start_ns) > SLOW_GRACE_NS {
            (self.window_start_ns, self.window_bytes) = (now_ns, 0);
        }
        self.window_bytes += count;
        if self.sending_bytes > 0 {
            self.unfinished = Some((bytes, from));
        } else {
            spare.give(bytes);
        }
    }

    /// Nothing can be sent any more.
    pub(super) fn break_off(&mut self) {
        *self = Self::new();
    }

    /// For how long the peer has taken nothing of what it could take.
    pub(super) const fn silence_ns(&self, now_ns: u64) -> u64 {
        if self.sending_bytes == 0 { 0 } else { now_ns.saturating_sub(self.progress_ns) }
    }

    /// Whether the peer takes so little that others shouldn't wait for it.
    pub(super) fn is_slow(&self, now_ns: u64) -> bool {
        let passed_ns = now_ns.saturating_sub(self.window_start_ns);
        self.sending_bytes > 0 && is_too_slow(self.window_bytes, passed_ns)
    }
}
