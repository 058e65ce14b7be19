//! A file mapped into memory for writing.
#![expect(unsafe_code, reason = "a mapping can change under us if others write to the file")]

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;

use memmap2::{Advice, MmapMut, MmapOptions, UncheckedAdvice};

/// A mapping through which a file is written. Nothing is durable before the file is synced.
#[derive(Debug)]
pub struct FileMap {
    map: MmapMut,
}

impl FileMap {
    /// Maps the whole of `file`, whose space must be allocated: a store into a hole of a full disk
    /// kills the process. The data directory's lock must be held.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the bytes behind a mapping must not change while a reference to them lives. Only
        // holders of the directory's lock write to its files, that is this process; in it, the file
        // is written to through this mapping alone, and `bytes_mut` borrows it exclusively.
        let map = unsafe { MmapOptions::new().map_mut(file)? };
        // Large folios in the page cache would make each store dirty far more than its page.
        map.advise(Advice::Random)?;
        Ok(Self { map })
    }

    /// Makes the pages of a range ready to be stored to, all at once: cheaper than a fault for each,
    /// and a page that the disk can't give is an error here and not a signal later.
    ///
    /// # Errors
    /// If a page can't be had.
    pub fn populate(&mut self, range: Range<usize>) -> io::Result<()> {
        self.check(&range);
        let populated = self.map.advise_range(Advice::PopulateWrite, range.start, range.len());
        // The kernel says "bad address" when the disk is at fault.
        populated.map_err(|error| {
            let what = "the disk gives no room or no bytes for pages of a mapped segment";
            io::Error::new(error.kind(), format!("{what}: {error}"))
        })
    }

    /// Takes the pages of a range out of the mapping, which costs nothing that was stored: the file
    /// keeps it, and the next use brings them back.
    ///
    /// A sync has to take the right to store away from each page that is still mapped, and to
    /// interrupt all processors of the process for each of them. Done before, for all at once, that
    /// is one interrupt.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn release(&mut self, range: Range<usize>) -> io::Result<()> {
        self.check(&range);
        // SAFETY: the range lies in the mapping, which is shared, so that the pages belong to the
        // file and lose nothing.
        unsafe {
            self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
        }
    }

    fn check(&self, range: &Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.map.len(), "{range:?}");
    }

    /// Some of its bytes.
    pub fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.map[range]
    }
}

/// Lets the memory go that the file's bytes in a range are cached in. They must be durable.
pub fn forget_cached(file: &File, offset: u64, bytes: u64) {
    // Only an advice: what stays cached does no harm.
    let _ = rustix::fs::fadvise(file, offset, NonZeroU64::new(bytes), rustix::fs::Advice::DontNeed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_seen_by_reads_of_the_file() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(8192).unwrap();
        let mut map = FileMap::new(&file).unwrap();
        map.populate(4096..8192).unwrap();
        map.bytes_mut(4096..4100).copy_from_slice(b"book");
        map.release(4096..8192).unwrap();
        assert_eq!(map.bytes_mut(4096..4100), b"book");
        file.sync_data().unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[4096..4100], b"book");
        assert_eq!(bytes.len(), 8192);
    }
}
