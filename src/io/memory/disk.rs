//! The directory: its names and its crashes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::io::storage::{Open, Storage};
use crate::io::{to_u64, to_usize};

use super::content::{Content, Fault, State, lock, not_found, survivor};
use super::file::MemoryFile;

/// A data directory in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
}

impl MemoryStorage {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Plants a fault. Counts of syncs and writes start now.
    pub fn plant(&self, fault: Fault) {
        let mut state = self.lock();
        let planted = match fault {
            Fault::SyncFails(after) => Fault::SyncFails(state.syncs + after),
            Fault::WriteFails(after) => Fault::WriteFails(state.writes + after),
            Fault::WriteIsShort(after) => Fault::WriteIsShort(state.writes + after),
            other => other,
        };
        state.faults.push(planted);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// At the n-th sync from now (0 is the next) the power fails, silently: nothing becomes durable any
    /// more, and [`Self::crash`] gives a directory as that moment would leave it.
    pub fn freeze_at_sync(&self, after: u64) {
        let mut state = self.lock();
        state.freeze_at_sync = Some(state.syncs + after);
    }

    /// How many syncs of files there have been.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// The directory after a power cut. For each sector written since its file's last sync `keep`
    /// says whether it reached the disk (file name, offset of the sector). Names that weren't synced are kept if `keep`
    /// says so for offset `u64::MAX`. The original is not changed.
    #[must_use]
    pub fn crash(&self, mut keep: impl FnMut(&str, u64) -> bool) -> Self {
        let now = self.lock();
        let state = now.frozen.as_deref().unwrap_or(&now);
        let mut after =
            State { directories: state.directories.clone(), next: state.next, ..State::default() };
        for (name, number) in &state.names {
            if state.durable_names.get(name) == Some(number) || keep(name, u64::MAX) {
                after.names.insert(name.clone(), *number);
            }
        }
        for (name, number) in &state.durable_names {
            if !after.names.contains_key(name) && !after.names.values().any(|other| other == number)
            {
                after.names.insert(name.clone(), *number);
            }
        }
        after.durable_names = after.names.clone();
        for (name, number) in &after.names {
            if let Some(content) = state.contents.get(number) {
                let bytes = survivor(content, |offset| keep(name, offset));
                let content = Content { live: bytes.clone(), durable: bytes, ..Content::default() };
                after.contents.insert(*number, content);
            }
        }
        Self { state: Arc::new(Mutex::new(after)) }
    }

    /// An independent copy of everything, as a process would see it that was merely killed: nothing
    /// that was written is lost.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let mut state = self.lock().clone();
        state.faults.clear();
        state.freeze_at_sync = None;
        state.frozen = None;
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changes bytes of a file behind its user's back, live and durable.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn damage(&self, name: &str, change: impl Fn(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.lock();
        let number = *state.names.get(name).ok_or_else(not_found)?;
        let content = state.contents.get_mut(&number).ok_or_else(not_found)?;
        change(&mut content.live);
        change(&mut content.durable);
        Ok(())
    }

    /// The live bytes of a file.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let number = state.names.get(name).ok_or_else(not_found)?;
        Ok(state.contents.get(number).ok_or_else(not_found)?.live.clone())
    }

    /// The bytes at `offset` of a file that a power cut could not take away, in whole or up to the
    /// end of the file. Nothing if the file's name itself could get lost.
    #[must_use]
    pub fn durable_bytes(&self, name: &str, offset: u64, length: usize) -> Vec<u8> {
        let state = self.lock();
        let content = state.durable_names.get(name).and_then(|number| state.contents.get(number));
        let durable = content.map_or(&[][..], |content| &content.durable);
        let start = to_usize(offset).min(durable.len());
        durable[start..durable.len().min(start + length)].to_vec()
    }

    /// Bytes in all files together.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        to_u64(self.lock().contents.values().map(|content| content.live.len()).sum())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Storage for MemoryStorage {
    type File = MemoryFile;

    fn open(&self, name: &str, open: Open) -> io::Result<MemoryFile> {
        let mut state = self.lock();
        let number = match (open, state.names.get(name).copied()) {
            (Open::Create, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Open::Create, None) => {
                if let Some((directory, _)) = name.split_once('/')
                    && !state.directories.contains(directory)
                {
                    return Err(not_found());
                }
                let number = state.next;
                state.next += 1;
                state.names.insert(name.to_owned(), number);
                state.contents.insert(number, Content::default());
                number
            }
            (_, Some(number)) => number,
            (_, None) => return Err(not_found()),
        };
        drop(state);
        Ok(MemoryFile { state: Arc::clone(&self.state), name: name.to_owned(), number, open })
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        if !directory.is_empty() && !state.directories.contains(directory) {
            return Err(not_found());
        }
        let within = |name: &String| match name.split_once('/') {
            Some((parent, rest)) if parent == directory => Some(rest.to_owned()),
            None if directory.is_empty() => Some(name.clone()),
            _ => None,
        };
        Ok(state.names.keys().filter_map(within).collect())
    }

    fn create_directory(&self, name: &str) -> io::Result<()> {
        self.lock().directories.insert(name.to_owned());
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let number = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().names.remove(name).map(|_| ()).ok_or_else(not_found)
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.lock();
        if !state.begin_sync()? {
            return Ok(());
        }
        let within =
            |name: &String| name.split_once('/').map_or("", |(parent, _)| parent) == directory;
        state.durable_names.retain(|name, _| !within(name));
        let synced: Vec<_> = state
            .names
            .iter()
            .filter(|(name, _)| within(name))
            .map(|(name, number)| (name.clone(), *number))
            .collect();
        state.durable_names.extend(synced);
        Ok(())
    }
}
