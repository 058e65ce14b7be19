//! The stable error codes: one table with number, name, meaning and remedy.

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal, $closes:literal, $definite:literal, $remedy:literal;)*) => {
        /// Why a request or a connection is refused. Numbers never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ErrorCode {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u32 {
                self as u32
            }

            /// The code of that number.
            #[must_use]
            pub const fn from_code(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name, as in the protocol's document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Whether the server closes the connection after this error.
            #[must_use]
            pub const fn closes(self) -> bool {
                match self {
                    $(Self::$variant => $closes,)*
                }
            }

            /// Whether it is certain that the refused request had no effect. When it is not, the
            /// request may have happened and must be settled (`resolve_transfers`).
            #[must_use]
            pub const fn is_definite(self) -> bool {
                match self {
                    $(Self::$variant => $definite,)*
                }
            }

            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)*
                }
            }
        }
    };
}

codes! {
    /// The frame doesn't start with the protocol's magic.
    BadMagic = 1, "bad_magic", true, true,
        "this is a Partita port; check the address, and that the client writes whole frames";
    /// The header's checksum doesn't agree.
    BadHeaderChecksum = 2, "bad_header_checksum", true, true,
        "the header was damaged or its checksum is computed wrongly; reconnect and resend";
    /// The frame's version isn't the agreed one.
    UnsupportedVersion = 3, "unsupported_version", true, true,
        "write the version from the hello's reply into every frame";
    /// The announced body is larger than any frame may be.
    BodyTooLarge = 4, "body_too_large", true, true,
        "split the request: at most 8,190 events";
    /// The body's checksum doesn't agree.
    BadBodyChecksum = 5, "bad_body_checksum", true, true,
        "the body was damaged or its checksum is computed wrongly; reconnect and resend";
    /// A reserved field of the header isn't zero.
    ReservedHeaderField = 6, "reserved_header_field", true, true,
        "write zeros into reserved fields";
    /// Another frame than a hello came first.
    HelloExpected = 7, "hello_expected", true, true,
        "send a hello before anything else";
    /// A second hello on one connection.
    HelloRepeated = 8, "hello_repeated", true, true,
        "send one hello for each connection";
    /// The hello contradicts itself or asks for too small frames.
    HelloInvalid = 9, "hello_invalid", true, true,
        "correct the field that the text names";
    /// Client and server have no version in common.
    VersionMismatch = 10, "version_mismatch", true, true,
        "upgrade the older one of client and server";
    /// The server belongs to another cluster.
    ClusterMismatch = 11, "cluster_mismatch", true, true,
        "check the address and the cluster id";
    /// The server has as many connections as it may have.
    TooManyConnections = 12, "too_many_connections", true, true,
        "share connections (each carries many requests), or raise the server's bound";
    /// The peer took too long for its hello or for the rest of a frame.
    TooSlow = 13, "too_slow", true, true,
        "send frames without pausing inside them; reconnect";

    /// The kind isn't a request that this server knows.
    UnknownOperation = 100, "unknown_operation", false, true,
        "check the kind, or upgrade the server";
    /// A flag bit without a meaning for this operation.
    UnknownFlags = 101, "unknown_flags", false, true,
        "clear the bits that the operation doesn't define";
    /// More events than a request may have.
    TooManyEvents = 102, "too_many_events", false, true,
        "split the request: at most 8,190 events";
    /// The body isn't a whole number of the operation's elements.
    RaggedBody = 103, "ragged_body", false, true,
        "send whole records of the operation's size";
    /// An id of 0 or MAX, which no transfer can have.
    InvalidId = 104, "invalid_id", false, true,
        "send ids from 1 to 2^128 - 2; the index names the first wrong one";
    /// The reply would exceed the bound that the client set in its hello.
    ReplyTooLarge = 105, "reply_too_large", false, true,
        "ask for fewer records, or accept larger frames";
    /// The command is none that this server knows, or its reason is missing, too long or no text.
    InvalidCommand = 106, "invalid_command", false, true,
        "give a reason of 1 to 1,000 bytes of UTF-8 text, or upgrade the server";

    /// A filter chooses neither debits nor credits.
    FilterNoSide = 200, "filter_no_side", false, true,
        "flags: set debits, credits or both";
    /// A filter's limit is 0.
    FilterLimitIsZero = 201, "filter_limit_is_zero", false, true,
        "limit: ask for at least 1";
    /// A filter's lower bound lies above the upper one.
    FilterTimestampsReversed = 202, "filter_timestamps_reversed", false, true,
        "timestamp_min: at most timestamp_max";
    /// A filter's bound is 2^63 or more.
    FilterTimestampOutOfRange = 203, "filter_timestamp_out_of_range", false, true,
        "timestamp_min, timestamp_max: below 2^63";
    /// A filter has flag bits without a meaning.
    FilterUnknownFlags = 204, "filter_unknown_flags", false, true,
        "flags: clear the unknown bits";
    /// A reserved field of a filter isn't zero.
    FilterReservedField = 205, "filter_reserved_field", false, true,
        "reserved: write zeros";
    /// A filter's account id is 0 or MAX.
    FilterAccountIdInvalid = 206, "filter_account_id_invalid", false, true,
        "account_id: from 1 to 2^128 - 2";
    /// There is no account with the filter's id.
    FilterAccountNotFound = 207, "filter_account_not_found", false, true,
        "account_id: create the account first";
    /// The account keeps no balances.
    FilterAccountWithoutHistory = 208, "filter_account_without_history", false, true,
        "account_id: only accounts created with the flag history keep balances";
    /// The filter's pending status has no meaning.
    FilterPendingStatusUnknown = 209, "filter_pending_status_unknown", false, true,
        "pending_status: 0 for any, or 1 to 4";

    /// The server is still reading its log, or is not the one that serves.
    NotReady = 300, "not_ready", false, true,
        "try again after the given time, or another address";
    /// More requests in flight on the connection than the hello's reply allows.
    CreditExceeded = 301, "credit_exceeded", false, true,
        "wait for replies before sending more";
    /// The server has more work than it may hold.
    Overloaded = 302, "overloaded", false, true,
        "try again after the given time";
    /// The ledger holds as many records as it was configured for.
    CapacityExceeded = 303, "capacity_exceeded", false, true,
        "raise the configured capacity";
    /// The server is going down and takes no new requests.
    ShuttingDown = 304, "shutting_down", false, true,
        "try again after the given time, or another address";
    /// A read couldn't be served; the server's log has the cause.
    ReadFailed = 305, "read_failed", false, true,
        "look into the server's messages";
    /// A search took longer than one may.
    DeadlineExceeded = 306, "deadline_exceeded", false, true,
        "narrow the filter: a range of timestamps, a smaller limit";
    /// The capacity that a command asks for needs more memory than the machine has.
    CapacityTooLarge = 307, "capacity_too_large", false, true,
        "ask for less, or give the machine more memory";

    /// The request was accepted, but the server went down before its outcome was known.
    Interrupted = 400, "interrupted", true, false,
        "resend the same ids, or settle them with resolve_transfers";
}

impl ErrorCode {
    /// Whether the same request, resent later and unchanged, may be served.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::NotReady
                | Self::CreditExceeded
                | Self::Overloaded
                | Self::ShuttingDown
                | Self::TooManyConnections
                | Self::TooSlow
                | Self::BadHeaderChecksum
                | Self::BadBodyChecksum
                | Self::Interrupted
        )
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
