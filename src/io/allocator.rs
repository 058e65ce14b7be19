//! The allocator of the program: the system's, and no memory is the end, told plainly.
#![expect(unsafe_code, reason = "an allocator is made of raw memory")]

use std::alloc::{GlobalAlloc, Layout, System};

use crate::fatal;

/// Ends the process with a message and a status of its own when there is no memory left, which the
/// standard library would do without either.
#[derive(Debug)]
pub struct Allocator;

fn checked(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() {
        fatal::out_of_memory(bytes);
    }
    memory
}

// SAFETY: every call goes on to the system's allocator as it is, and what comes back is handed out as
// it came unless it is null, when the process ends.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator wants.
        checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; `memory` came from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above; `memory` came from the system's allocator.
        checked(unsafe { System.realloc(memory, layout, bytes) }, bytes)
    }
}
