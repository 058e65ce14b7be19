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

/// The most accounts that a capacity may be raised to: slots have 32 bits, and two of the numbers mean
/// something else.
pub const ACCOUNTS_MAX: u64 = u32::MAX as u64 - 2;

/// The most open holds that a capacity may be raised to, for the same reason.
pub const HOLDS_MAX: u64 = u32::MAX as u64 - 2;

/// Bytes of the reason that an operator gives for a command: enough for a sentence and a ticket's name.
pub const REASON_BYTES_MAX: usize = 1_000;

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

/// Bytes of answers, promised or not yet read, that every connection may always have: enough for
/// the largest report of a status, so that an operator is answered however much others ask for.
pub const ANSWER_BYTES_OWN: usize = (64 << 10) + 64;

/// Bytes of answers beyond [`ANSWER_BYTES_OWN`] that all connections of a node share: some hundred
/// of the largest answers. With [`CONNECTIONS_DEFAULT`] connections, answers that nobody reads
/// take one and a half GiB at the most.
pub const ANSWER_BYTES_SHARED: usize = 512 << 20;

/// Bytes of answers that one connection may have, promised or not yet read, before nothing more is
/// taken from it: enough to keep a reader busy for milliseconds, small beside what is shared.
pub const ANSWER_BYTES_PER_CONNECTION: usize = 4 << 20;

/// Connections of a server that isn't told otherwise.
pub const CONNECTIONS_DEFAULT: u64 = 16_384;

/// Bodies of large requests (up to 1 MiB) that a node receives at the same time: half a GiB.
pub const LARGE_BODIES: usize = 512;

/// A quarter of [`LARGE_BODIES`] is kept for connections that have sent a large body whole before.
pub const LARGE_BODIES_KEPT_DIVISOR: usize = 4;

/// Whoever has what others wait for may take so long before it is looked at how fast it is: longer
/// than a lost packet and its retransmission take.
pub const SLOW_GRACE_NS: u64 = 1_000_000_000;

/// So many bytes a second, from then on, have to come or go: a line of 1 Mbit/s.
pub const SLOW_BYTES_PER_SECOND: u64 = 128 << 10;

/// A client that reads nothing of what it has asked for is ended after so many times the time that
/// it has for a frame, whether or not others wait for the memory.
pub const UNREAD_TIMEOUTS: u64 = 3;

/// Requests that one connection may have unanswered: keeps a fast client busy over any network.
pub const REQUESTS_PER_CONNECTION: u32 = 256;

/// Events that may wait for their turn before no more is read from any connection: 64 batches,
/// which is half a second of work.
pub const EVENTS_WAITING: u64 = 1 << 19;

// Each core gets its part; the smallest part still serves several of the largest at once.
const _: () = assert!(ANSWER_BYTES_SHARED / PARTITIONS_MAX >= 2 * ANSWER_BYTES_PER_CONNECTION);
const _: () = assert!(LARGE_BODIES / PARTITIONS_MAX >= 2 * LARGE_BODIES_KEPT_DIVISOR);

/// When this version was written, in nanoseconds since the Unix epoch: 1 November 2026. A clock that says
/// less is wrong. Moved on with each version.
pub const WRITTEN_UNIX_NS: u64 = 1_793_491_200_000_000_000;

/// How far the clock of a first start may be ahead of [`WRITTEN_UNIX_NS`]: 20 years. A machine whose clock
/// is wrong often is so by decades, and nobody should run a version that is older.
pub const VERSION_AGE_NS_MAX: u64 = 20 * 365 * 86_400 * 1_000_000_000;

/// How far the clock may be ahead of the newest timestamp of a log when it is opened, unless an operator
/// accepts it: 30 days. Every open hold that expires in between expires at once.
pub const CLOCK_AHEAD_NS_MAX: u64 = 30 * 86_400 * 1_000_000_000;
