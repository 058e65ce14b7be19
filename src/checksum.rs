//! The one checksum of wire and log: CRC-32 (IEEE) in blocks.
//!
//! CRC-32 finds every three-bit error only in messages of up to 11 KiB. Longer bytes are therefore
//! cut into blocks of [`BLOCK_BYTES`], each with its own CRC, and the sum of the whole is the CRC
//! of those CRCs. What it promises for a block thus holds for a message of any length.

/// Longest run of bytes under one CRC.
pub const BLOCK_BYTES: usize = 8 * 1024;

/// CRC-32 of one block of at most [`BLOCK_BYTES`], started from `seed`.
#[must_use]
pub fn block(seed: u32, bytes: &[u8]) -> u32 {
    debug_assert!(bytes.len() <= BLOCK_BYTES);
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// The sum of a message of any length: the CRC of its block CRCs (little-endian), in order.
/// A message of at most one block, also the empty one, is its plain CRC-32.
#[must_use]
pub fn message(bytes: &[u8]) -> u32 {
    if bytes.len() <= BLOCK_BYTES {
        return block(0, bytes);
    }
    let mut whole = crc32fast::Hasher::new();
    for chunk in bytes.chunks(BLOCK_BYTES) {
        whole.update(&block(0, chunk).to_le_bytes());
    }
    whole.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_is_its_plain_crc() {
        assert_eq!(message(b"123456789"), 0xCBF4_3926);
        assert_eq!(message(b""), 0);
    }

    #[test]
    fn every_single_bit_flip_of_a_long_message_changes_the_sum() {
        let mut bytes = vec![0x5a_u8; 3 * BLOCK_BYTES + 17];
        let sum = message(&bytes);
        for at in (0..bytes.len()).step_by(97) {
            bytes[at] ^= 1;
            assert_ne!(message(&bytes), sum, "flip at byte {at}");
            bytes[at] ^= 1;
        }
        assert_eq!(message(&bytes), sum);
    }
}
