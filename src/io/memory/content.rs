//! What a directory in memory and its files share: contents, names, space and faults.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::io::{to_u64, to_usize};

/// The unit that a disk writes whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th sync from now (0 is the next) and all after it fail with EIO; nothing of them is
    /// durable.
    SyncFails(u64),
    /// The n-th write from now and all after it fail with EIO.
    WriteFails(u64),
    /// The n-th write from now that is to make its own bytes durable, and all after it, write only half
    /// of them and say so.
    WriteIsShort(u64),
    /// Reads fail with EIO where they touch this range of a file.
    ReadFails(&'static str, u64, u64),
    /// No more than so many bytes fit in all files together.
    Full(u64),
}

/// One file's content. Names refer to it by number, so that it survives a rename.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) live: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// Sectors of `live` written since the last sync.
    pub(super) unsynced: std::collections::BTreeSet<usize>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) names: BTreeMap<String, u64>,
    pub(super) durable_names: BTreeMap<String, u64>,
    pub(super) directories: std::collections::BTreeSet<String>,
    pub(super) contents: BTreeMap<u64, Content>,
    pub(super) next: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) syncs: u64,
    pub(super) writes: u64,
    /// From this sync on nothing becomes durable, without an error: the process is doomed.
    pub(super) freeze_at_sync: Option<u64>,
    /// Everything as it was at that sync: what was written later never reached the disk.
    pub(super) frozen: Option<Box<State>>,
}

impl State {
    /// Counts a sync; whether it may make bytes durable.
    pub(super) fn begin_sync(&mut self) -> io::Result<bool> {
        let at = self.syncs;
        self.syncs += 1;
        if self.faults.iter().any(|fault| matches!(fault, Fault::SyncFails(from) if at >= *from)) {
            return Err(input_output_error());
        }
        let frozen = self.freeze_at_sync.is_some_and(|from| at >= from);
        if frozen && self.frozen.is_none() {
            self.frozen = Some(Box::new(self.clone()));
        }
        Ok(!frozen)
    }

    /// Counts a write that lets a file grow by `growth` bytes.
    pub(super) fn begin_write(&mut self, growth: usize) -> io::Result<()> {
        let at = self.writes;
        self.writes += 1;
        let numbers = self.names.values();
        let used: usize =
            numbers.filter_map(|number| self.contents.get(number)).map(|it| it.live.len()).sum();
        for fault in &self.faults {
            match fault {
                Fault::WriteFails(from) if at >= *from => return Err(input_output_error()),
                Fault::Full(bytes) if growth > 0 && to_u64(used + growth) > *bytes => {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The state, also after a test that holds it has panicked.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is left of a file after a power cut.
pub(super) fn survivor(content: &Content, mut keep: impl FnMut(u64) -> bool) -> Vec<u8> {
    let mut bytes = content.durable.clone();
    for &sector in &content.unsynced {
        let start = sector * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(content.live.len());
        if start >= end || !keep(to_u64(start)) {
            continue;
        }
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(&content.live[start..end]);
    }
    bytes
}

pub(super) fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

pub(super) fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
}

pub(super) fn sectors(offset: u64, length: usize) -> std::ops::Range<usize> {
    let start = to_usize(offset);
    start / SECTOR_BYTES..(start + length).div_ceil(SECTOR_BYTES)
}
