//! An open file of a directory in memory.

use std::io;
use std::sync::{Arc, Mutex};

use crate::io::storage::{Open, StorageFile};
use crate::io::{to_u64, to_usize};

use super::content::{Content, Fault, State, input_output_error, lock, not_found, sectors};

/// A file of a [`super::MemoryStorage`].
#[derive(Debug, Clone)]
pub struct MemoryFile {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) open: Open,
}

impl MemoryFile {
    /// Writes `bytes` at `offset` and makes just those durable: what `O_DIRECT` with `RWF_DSYNC`
    /// does. Gives how many were written.
    ///
    /// # Errors
    /// As planted.
    pub fn write_through(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let at = lock(&self.state).writes;
        self.write_at(offset, bytes)?;
        let mut state = lock(&self.state);
        let is_short = |fault: &Fault| matches!(fault, Fault::WriteIsShort(from) if at >= *from);
        let bytes =
            if state.faults.iter().any(is_short) { &bytes[..bytes.len() / 2] } else { bytes };
        if !state.begin_sync()? {
            return Ok(bytes.len());
        }
        let content = self.content(&mut state)?;
        let start = to_usize(offset);
        let end = start + bytes.len();
        if content.durable.len() < end {
            content.durable.resize(end, 0);
        }
        content.durable[start..end].copy_from_slice(bytes);
        for sector in sectors(offset, bytes.len()) {
            content.unsynced.remove(&sector);
        }
        Ok(bytes.len())
    }

    fn content<'a>(&self, state: &'a mut State) -> io::Result<&'a mut Content> {
        state.contents.get_mut(&self.number).ok_or_else(not_found)
    }
}

impl StorageFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = lock(&self.state);
        Ok(to_u64(self.content(&mut state)?.live.len()))
    }

    fn read_at(&self, offset: u64, target: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        let end = offset + to_u64(target.len());
        let bad = state.faults.iter().any(|fault| {
            matches!(fault, Fault::ReadFails(name, from, to)
                if *name == self.name && *from < end && offset < *to)
        });
        if bad {
            return Err(input_output_error());
        }
        let live = &self.content(&mut state)?.live;
        let start = to_usize(offset).min(live.len());
        let count = target.len().min(live.len() - start);
        target[..count].copy_from_slice(&live[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.open == Open::Read {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut state = lock(&self.state);
        let start = to_usize(offset);
        let end = start + bytes.len();
        let length = self.content(&mut state)?.live.len();
        state.begin_write(end.saturating_sub(length))?;
        let content = self.content(&mut state)?;
        if length < end {
            content.live.resize(end, 0);
        }
        content.live[start..end].copy_from_slice(bytes);
        content.unsynced.extend(sectors(offset, bytes.len()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.begin_sync()? {
            return Ok(());
        }
        let content = self.content(&mut state)?;
        content.durable.clone_from(&content.live);
        content.unsynced.clear();
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let length = self.content(&mut state)?.live.len();
        let bytes = to_usize(bytes);
        state.begin_write(bytes.saturating_sub(length))?;
        if length < bytes {
            let content = self.content(&mut state)?;
            content.live.resize(bytes, 0);
            content.unsynced.extend(sectors(to_u64(length), bytes - length));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Storage;
    use crate::io::memory::MemoryStorage;

    #[test]
    fn only_what_was_synced_survives_a_power_cut_for_certain() {
        let disk = MemoryStorage::new();
        let file = disk.open("a", Open::Create).unwrap();
        file.write_at(0, &[1; 1024]).unwrap();
        assert!(disk.crash(|_, _| false).list("").unwrap().is_empty());
        disk.sync_directory("").unwrap();
        assert!(disk.crash(|_, _| false).bytes("a").unwrap().is_empty());
        file.sync_data().unwrap();
        file.write_at(512, &[2; 1024]).unwrap();
        let nothing = disk.crash(|_, _| false).bytes("a").unwrap();
        assert_eq!(nothing, [1; 1024]);
        let torn = disk.crash(|_, offset| offset == 1024).bytes("a").unwrap();
        assert_eq!(torn[..1024], [1; 1024]);
        assert_eq!(torn[1024..], [2; 512]);
        let all = disk.after_kill().bytes("a").unwrap();
        assert_eq!(all[512..], [2; 1024]);
        file.write_through(0, &[3; 512]).unwrap();
        let through = disk.crash(|_, _| false).bytes("a").unwrap();
        assert_eq!(through[..512], [3; 512]);
        assert_eq!(through[512..], [1; 512]);
    }

    #[test]
    fn planted_faults_come_when_they_are_due() {
        let disk = MemoryStorage::new();
        let file = disk.open("a", Open::Create).unwrap();
        disk.plant(Fault::SyncFails(1));
        file.write_at(0, &[1; 16]).unwrap();
        file.sync_data().unwrap();
        assert!(file.sync_data().is_err());
        assert!(file.sync_data().is_err(), "a failed sync is never good again");
        disk.heal();
        disk.plant(Fault::Full(32));
        assert_eq!(file.allocate(33).unwrap_err().kind(), io::ErrorKind::StorageFull);
        file.allocate(32).unwrap();
        file.write_at(0, &[2; 32]).unwrap();
        disk.plant(Fault::ReadFails("a", 4, 5));
        let mut byte = [0; 1];
        file.read_exact_at(3, &mut byte).unwrap();
        assert!(file.read_at(4, &mut byte).is_err());
    }

    #[test]
    fn a_frozen_disk_lies_about_its_syncs() {
        let disk = MemoryStorage::new();
        let file = disk.open("a", Open::Create).unwrap();
        disk.sync_directory("").unwrap();
        disk.freeze_at_sync(1);
        file.write_at(0, &[1; 16]).unwrap();
        file.sync_data().unwrap();
        file.write_at(0, &[2; 16]).unwrap();
        file.sync_data().unwrap();
        assert_eq!(disk.crash(|_, _| false).bytes("a").unwrap(), [1; 16]);
    }
}
