//! The buffers that the kernel receives into, shared by all connections of a thread: a connection
//! that is silent has none.
#![expect(unsafe_code, reason = "the kernel takes the buffers from a ring in shared memory")]

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use memmap2::MmapMut;

use super::to_usize;

/// Size of a buffer.
pub(super) const BUFFER_BYTES: u32 = 32 << 10;

/// The one group of buffers of a ring.
pub(super) const GROUP: u16 = 0;

/// How many there are; a power of two. A small message touches the beginning of one only, so they
/// stay in the processor's cache.
const BUFFERS: u16 = 256;

pub(super) struct ReceiveBuffers {
    /// The ring of entries, read by the kernel.
    entries: MmapMut,
    memory: MmapMut,
    /// Buffers given to the kernel so far; wraps around.
    given: u16,
}

impl ReceiveBuffers {
    pub(super) fn new(ring: &IoUring) -> io::Result<Self> {
        let entries = MmapMut::map_anon(usize::from(BUFFERS) * size_of::<BufRingEntry>())?;
        let memory = MmapMut::map_anon(usize::from(BUFFERS) * to_usize(u64::from(BUFFER_BYTES)))?;
        let mut buffers = Self { entries, memory, given: 0 };
        let address = buffers.entries.as_ptr() as u64;
        // SAFETY: the entries are page-aligned, large enough, and stay mapped for as long as the
        // ring, which is dropped with them; if it outlives them it is no longer used.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, BUFFERS, GROUP, 0)? };
        (0..BUFFERS).for_each(|number| buffers.give(number));
        Ok(buffers)
    }

    /// The beginning of a buffer that the kernel has filled.
    pub(super) fn bytes(&self, number: u16, length: usize) -> &[u8] {
        let start = Self::start_of(number);
        &self.memory[start..start + length]
    }

    /// Gives a buffer (back) to the kernel.
    pub(super) fn give(&mut self, number: u16) {
        let start = Self::start_of(number);
        let address = self.memory[start..].as_mut_ptr() as u64;
        let base = self.entries.as_mut_ptr().cast::<BufRingEntry>();
        // SAFETY: the index is below the number of entries, which the mapping has room for. The
        // kernel reads an entry only after the tail, stored last, has passed it; all bit patterns
        // are entries.
        unsafe {
            let entry = &mut *base.add(usize::from(self.given % BUFFERS));
            entry.set_addr(address);
            entry.set_len(BUFFER_BYTES);
            entry.set_bid(number);
            self.given = self.given.wrapping_add(1);
            let tail = BufRingEntry::tail(base).cast::<AtomicU16>();
            (*tail).store(self.given, Ordering::Release);
        }
    }

    fn start_of(number: u16) -> usize {
        usize::from(number) * to_usize(u64::from(BUFFER_BYTES))
    }
}
