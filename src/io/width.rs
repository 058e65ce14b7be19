//! Conversions between `usize` and `u64` that can't lose a bit on the machines we support.

const _: () = assert!(usize::BITS == 64, "Partita addresses its log with 64 bits");
const _: () = assert!(cfg!(target_endian = "little"), "records are little-endian in memory");

/// A length or offset in memory as one in a file.
#[must_use]
pub(crate) const fn to_u64(value: usize) -> u64 {
    value as u64
}

/// A length or offset in a file as one in memory.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, asserted above")]
pub(crate) const fn to_usize(value: u64) -> usize {
    value as usize
}
