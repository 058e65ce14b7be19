//! Every bound of the system, with its reason. Relations between bounds are checked when compiling.

/// Events in one create request: fills a 1 MiB body of 128-byte records less its frame header.
pub const EVENTS_PER_REQUEST_MAX: usize = 8_190;

/// Events in one ordered batch (one log frame), over all requests that share it.
pub const EVENTS_PER_BATCH_MAX: usize = EVENTS_PER_REQUEST_MAX;

/// Records in one reply to a read.
pub const RECORDS_PER_REPLY_MAX: usize = 8_190;

/// Partitions (and so core threads) that one node can have.
pub const PARTITIONS_MAX: usize = 64;

/// Holds that one ordered expiry operation releases at most, so that it stays as short as a batch.
pub const EXPIRIES_PER_BATCH_MAX: usize = EVENTS_PER_BATCH_MAX;

/// The largest timestamp: nanoseconds since the Unix epoch, below 2^63.
pub const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

const _: () = assert!(EVENTS_PER_BATCH_MAX >= EVENTS_PER_REQUEST_MAX);
const _: () = assert!(EVENTS_PER_BATCH_MAX < u16::MAX as usize / 4);

/// The smallest segment: the largest frame and the segment's header fit.
pub const SEGMENT_BYTES_MIN: u64 = 4 << 20;

/// The largest segment: small enough to be prepared in the background in a few seconds.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Old records that are held for requests which wait for them, or on their way from the disk: two full
/// batches in which each event and each of its holds is an old one; about 8 MiB.
pub const RECORDS_LOADED_MAX: usize = 4 * EVENTS_PER_BATCH_MAX;

/// Old records that are asked for at once: a reader is done with them in a few milliseconds, and the next
/// request's needn't wait longer.
pub const LOADS_PER_TURN_MAX: usize = 512;

/// Events of requests that wait for old records, and of those behind them, which take no room from the
/// requests of others: 128 MiB.
pub const PARKED_EVENTS_MAX: usize = 1 << 20;

/// Accounts that a search looks at before others get their turn: some 30 µs.
pub const SCAN_ROWS_PER_SLICE: u32 = 2_048;

/// How long a search through all accounts may take in all, in nanoseconds.
pub const SCAN_NS_MAX: u64 = 30_000_000_000;

/// Single records that a read of the log reads before others get their turn: some milliseconds from a disk.
pub const QUERY_RECORDS_PER_SLICE: usize = 128;

/// Transfers that a search through the log looks at before others get their turn.
pub const QUERY_TRANSFERS_PER_SLICE: usize = 2 * EVENTS_PER_BATCH_MAX;

/// How long a read of the log may take in all, in nanoseconds.
pub const QUERY_NS_MAX: u64 = 60_000_000_000;

const _: () = assert!(RECORDS_LOADED_MAX >= 2 * EVENTS_PER_BATCH_MAX);
