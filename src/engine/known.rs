//! What the index keeps of a transfer id, packed into 64 bits.

use crate::ledger::decide::HoldState;

/// What is known of a transfer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The transfer was created; its record stands at that log position.
    Created {
        /// Position of the record.
        position: u64,
        /// Whether it is a hold, and what became of it.
        hold: HoldState,
    },
    /// The id is burned.
    Burned,
    /// The id is fenced.
    Fenced,
}

const POSITION_SHIFT: u32 = 12;
const BURNED: u64 = 8;
const FENCED: u64 = 9;

impl Known {
    /// The number that the index keeps. Records are 16-byte aligned, positions below 2^56.
    #[must_use]
    pub const fn pack(self) -> u64 {
        match self {
            Self::Created { position, hold } => {
                assert!(
                    position.is_multiple_of(16) && position < 1 << 56,
                    "a record stands at a position that fits"
                );
                (position >> 4) << POSITION_SHIFT | hold as u64
            }
            Self::Burned => BURNED,
            Self::Fenced => FENCED,
        }
    }

    /// The state that a number stands for.
    #[must_use]
    pub const fn unpack(value: u64) -> Self {
        let position = (value >> POSITION_SHIFT) << 4;
        match value & 0xf {
            0 => Self::Created { position, hold: HoldState::NotPending },
            1 => Self::Created { position, hold: HoldState::Open },
            2 => Self::Created { position, hold: HoldState::Posted },
            3 => Self::Created { position, hold: HoldState::Voided },
            4 => Self::Created { position, hold: HoldState::Expired },
            BURNED => Self::Burned,
            _ => Self::Fenced,
        }
    }

    /// Whether one number may follow another for the same id: the same again, as when a batch fences an id
    /// twice, or what became of an open hold.
    #[must_use]
    pub const fn may_become(before: u64, after: u64) -> bool {
        let open = HoldState::Open as u64;
        let settles = before >> POSITION_SHIFT == after >> POSITION_SHIFT
            && before & 0xf == open
            && matches!(Self::unpack(after), Self::Created { .. });
        before == after || settles
    }

    /// The part of the number that goes into the state digest: all but the position.
    #[must_use]
    pub const fn digest_part(value: u64) -> u64 {
        value & 0xf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_gives_back_what_was_packed() {
        let holds = [
            HoldState::NotPending,
            HoldState::Open,
            HoldState::Posted,
            HoldState::Voided,
            HoldState::Expired,
        ];
        for hold in holds {
            for position in [0, 16, 4096 + 256, (1 << 56) - 16] {
                let known = Known::Created { position, hold };
                assert_eq!(Known::unpack(known.pack()), known);
            }
        }
        assert_eq!(Known::unpack(Known::Burned.pack()), Known::Burned);
        assert_eq!(Known::unpack(Known::Fenced.pack()), Known::Fenced);
    }
}
