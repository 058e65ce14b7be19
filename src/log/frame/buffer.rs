//! Memory for frames: page-aligned, growable, and used again.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use crossbeam::queue::ArrayQueue;

use crate::io::to_usize;

use super::format::{FRAME_ALIGNMENT, FRAME_BYTES_MAX};

/// Bytes of one page of a buffer.
const PAGE: usize = 4096;
const _: () = assert!(PAGE as u64 == FRAME_ALIGNMENT);

#[repr(C, align(4096))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Page([u8; PAGE]);

/// Page-aligned memory that keeps what it grew to. What it holds is undefined to its user until
/// written, but always initialized.
#[derive(Default)]
pub struct FrameBuffer {
    pages: Vec<Page>,
}

impl FrameBuffer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    /// How many bytes it holds now.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// Grows to at least `bytes`.
    pub fn reserve(&mut self, bytes: usize) {
        if bytes > self.capacity_bytes() {
            self.grow(bytes);
        }
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        // Doubling, up to the largest frame, so that a stream of pushes stays cheap.
        let doubled = (self.capacity_bytes() * 2).min(to_usize(FRAME_BYTES_MAX));
        self.pages.resize(bytes.max(doubled).max(4 * PAGE).div_ceil(PAGE), Page::zeroed());
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.pages)
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.pages)
    }
}

impl std::fmt::Debug for FrameBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameBuffer").field("capacity_bytes", &self.capacity_bytes()).finish()
    }
}

/// Bytes read from the disk, aligned so that records can be looked at in place.
#[derive(Debug, Default)]
pub struct FrameBuf {
    buffer: FrameBuffer,
    length: usize,
}

impl FrameBuf {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: FrameBuffer::new(), length: 0 }
    }

    /// Sets the length; what the bytes are is undefined to the caller until written.
    pub fn resize(&mut self, bytes: usize) {
        self.buffer.reserve(bytes);
        self.length = bytes;
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer.bytes()[..self.length]
    }

    /// The bytes.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer.bytes_mut()[..self.length]
    }
}

/// Smaller buffers are quickly made anew.
const KEPT_BYTES_MIN: usize = 256 << 10;

/// Buffers that frames give back when they are dropped. Cheap to clone; all clones are one pool.
#[derive(Debug, Clone)]
pub struct FramePool {
    free: Arc<ArrayQueue<FrameBuffer>>,
}

impl FramePool {
    /// A pool that keeps at most `buffers` for later; more are simply freed.
    #[must_use]
    pub fn new(buffers: usize) -> Self {
        Self { free: Arc::new(ArrayQueue::new(buffers.max(1))) }
    }

    /// A used buffer, or a new one.
    #[must_use]
    pub fn take(&self) -> FrameBuffer {
        self.free.pop().unwrap_or_default()
    }

    /// Keeps a buffer for later, if it is worth it.
    pub fn give_back(&self, buffer: FrameBuffer) {
        if buffer.capacity_bytes() >= KEPT_BYTES_MIN {
            // A full pool frees it.
            drop(self.free.push(buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_page_aligned_and_keeps_its_size() {
        let mut buffer = FrameBuffer::new();
        buffer.reserve(1);
        assert_eq!(buffer.bytes().as_ptr().align_offset(PAGE), 0);
        let grown = buffer.capacity_bytes();
        buffer.reserve(grown + 1);
        assert!(buffer.capacity_bytes() > grown);

        let pool = FramePool::new(2);
        pool.give_back(buffer);
        assert_eq!(pool.take().capacity_bytes(), 0, "not worth keeping");
        let mut buffer = FrameBuffer::new();
        buffer.reserve(KEPT_BYTES_MIN);
        let capacity = buffer.capacity_bytes();
        pool.give_back(buffer);
        assert_eq!(pool.take().capacity_bytes(), capacity);
        assert_eq!(pool.take().capacity_bytes(), 0);
    }
}
