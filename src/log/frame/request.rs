//! Who asked, and what operators decided: the rows that came with version 2 of frames.

use bytemuck::{Pod, Zeroable};

use super::format::{FrameKind, FrameVersion, REQUEST_BYTES};

/// Who is behind a request. Numbers are given by commands in the log, from 1 up, and never used twice.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
pub struct Principal(pub u32);

impl Principal {
    /// Whoever needs no identity, or is not known.
    pub const NOBODY: Self = Self(0);
}

/// One request of a batch.
///
/// ```text
/// 0        4           8         12        16
/// │ events │ principal │ options │ 0       │
/// ```
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct RequestEntry {
    /// How many of the batch's events are its own.
    pub events: u32,
    /// Who asked.
    pub principal: Principal,
    /// Bits 0 to 7: the convention by which it is decided, 0 being ours. All others are 0.
    pub options: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<RequestEntry>() as u64 == REQUEST_BYTES);

impl RequestEntry {
    /// A request of that many events, decided by our own convention.
    #[must_use]
    pub const fn new(events: u32, principal: Principal) -> Self {
        Self { events, principal, options: 0, reserved: 0 }
    }

    /// Whether it holds nothing that this version gives no meaning to.
    pub(super) const fn is_known(&self) -> bool {
        self.options == 0 && self.reserved == 0
    }
}

/// The requests in the section of a frame of that version. Those of version 1 are nobody's.
pub(super) fn requests_of(
    version: FrameVersion,
    section: &[u8],
) -> impl ExactSizeIterator<Item = RequestEntry> + use<'_> {
    let (entries, sizes): (&[RequestEntry], &[u32]) = match version {
        FrameVersion::One => (&[], bytemuck::cast_slice(section)),
        FrameVersion::Two => (bytemuck::cast_slice(section), &[]),
    };
    (0..entries.len() + sizes.len()).map(move |index| match sizes.get(index) {
        Some(&events) => RequestEntry::new(events, Principal::NOBODY),
        None => entries[index],
    })
}

/// One act of an operator: 64 bytes. Longer texts stand in the notes of its frame.
///
/// ```text
/// 0      2         4           8          16                              64
/// │ kind │ version │ principal │ 0        │ arguments                      │
/// ```
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct CommandEntry {
    /// What is done; its meaning is the engine's.
    pub kind: u16,
    /// How the arguments are laid out.
    pub version: u16,
    /// Who does it.
    pub principal: Principal,
    /// 0.
    pub reserved: u64,
    /// With what.
    pub arguments: CommandArguments,
}

/// The arguments of a command: what they are depends on its kind and version.
pub type CommandArguments = [u64; 6];

const _: () = assert!(size_of::<CommandEntry>() as u64 == FrameKind::Command.entry_bytes());
const _: () = assert!(std::mem::offset_of!(CommandEntry, arguments) == 16);
