//! What "committed" means: by which rule a part of the log may be acted on as final.

/// By which rule the log is committed. It stands in each frame beside the committed position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u32)]
pub enum CommitRule {
    /// What is durable here.
    #[default]
    Local = 0,
    /// What is durable here and acknowledged by the standby.
    Standby = 1,
}

impl CommitRule {
    /// The number in a frame's header.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The rule with that number.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Local),
            1 => Some(Self::Standby),
            _ => None,
        }
    }
}
