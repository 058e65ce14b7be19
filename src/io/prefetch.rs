//! Hints to the processor that memory is needed soon.
#![expect(unsafe_code, reason = "the prefetch intrinsic takes a raw pointer")]

/// Asks for the cache line at `reference`, to be read soon. Never faults and has no other effect,
/// whatever the pointer: it may dangle or be null. Does nothing on other processors than x86-64.
#[inline(always)]
pub fn prefetch_read<T: ?Sized>(reference: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 needs SSE, which every x86-64 has; it is a hint that never faults and
        // never reads into a register, so any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(reference.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = reference;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_changes_nothing_and_survives_any_address() {
        let value = [7_u64; 8];
        prefetch_read(&raw const value);
        prefetch_read(std::ptr::null::<u64>());
        assert_eq!(value, [7; 8]);
    }
}
