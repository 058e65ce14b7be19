//! What every event of a create operation yields.

use bytemuck::{Pod, Zeroable};

/// The result of one event, at the event's own index: 16 bytes, little-endian.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
pub struct CreateResult {
    /// The assigned timestamp for `created`, the original one for `exists`, else the event's slot.
    pub timestamp: u64,
    /// The code of a [`super::CreateAccountStatus`] or [`super::CreateTransferStatus`].
    pub status: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<CreateResult>() == 16);
