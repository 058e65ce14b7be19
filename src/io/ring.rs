//! The kernel's submission ring, with staging memory that writes are taken from.
//!
//! Safe to use: the ring owns the memory and a handle of every file with something in flight, refuses
//! to lend memory that the kernel is reading, and waits for the kernel before it goes away.
#![expect(unsafe_code, reason = "submission entries carry raw pointers and descriptors")]

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use memmap2::{Advice, MmapMut};

use super::affinity::keep_workers_here;

/// `RWF_DSYNC`: the write is complete when its bytes are durable.
const WRITE_DURABLY: i32 = 2;

/// Number of the one registered buffer.
const STAGING_INDEX: u16 = 0;

/// The end of something that was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// As given when it was started.
    pub tag: u64,
    /// Bytes written or other non-negative result, or the negated error number.
    pub result: i32,
}

impl Completion {
    /// The result as a number of bytes.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn bytes(&self) -> io::Result<usize> {
        usize::try_from(self.result)
            .map_err(|_| io::Error::from_raw_os_error(self.result.saturating_neg()))
    }
}

struct Active {
    tag: u64,
    range: Range<usize>,
    /// Keeps the descriptor open while the kernel may use it.
    _owner: Owner,
}

/// What keeps a descriptor open.
enum Owner {
    File { _file: Arc<File> },
    Descriptor { _descriptor: Arc<OwnedFd> },
}

/// A ring with its staging memory. To be used on the thread that made it.
pub struct Ring {
    ring: IoUring,
    staging: MmapMut,
    registered: bool,
    /// What was started and hasn't completed, each with a tag of its own. The kernel reads their ranges
    /// of `staging`, which don't overlap.
    active: Vec<Active>,
}

impl Ring {
    /// A ring for at most `entries` operations at once, with `staging_bytes` of page-aligned memory.
    /// The memory is registered with the kernel if the limit on locked memory allows it; writes
    /// are somewhat dearer if it doesn't.
    ///
    /// # Errors
    /// If the kernel doesn't allow rings (`PermissionDenied`, `Unsupported`) or lacks memory.
    pub fn new(entries: u32, staging_bytes: usize) -> io::Result<Self> {
        assert!(entries > 0, "a ring holds an operation");
        let mut builder = IoUring::<squeue::Entry>::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
        let ring = match builder.build(entries) {
            // Kernels before 6.1 don't know these options.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => IoUring::new(entries)?,
            other => other?,
        };
        // Syncs run on workers. Where the kernel refuses, they run anywhere.
        let _ = keep_workers_here(&ring);
        let staging = MmapMut::map_anon(staging_bytes.max(4096))?;
        // Fewer pages to pin and to walk; a kernel without huge pages does as well.
        let _ = staging.advise(Advice::HugePage);
        let slices = [IoSlice::new(&staging)];
        // SAFETY: `IoSlice` is guaranteed to have the layout of the `iovec` that the callee takes. The
        // memory is a private mapping that lives until the ring is dropped, see `Drop`.
        let registered = unsafe {
            let vectors = std::slice::from_raw_parts(slices.as_ptr().cast(), slices.len());
            ring.submitter().register_buffers(vectors).is_ok()
        };
        Ok(Self { ring, staging, registered, active: Vec::with_capacity(64) })
    }

    /// Whether the staging memory is registered.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// A part of the staging memory, to be filled.
    ///
    /// # Panics
    /// If a write from it is in flight.
    pub fn staging_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.assert_not_in_flight(&range);
        &mut self.staging[range]
    }

    /// Starts writing a part of the staging memory to `file` at `offset`. It completes when the bytes
    /// are durable.
    ///
    /// # Errors
    /// If too much is in flight.
    ///
    /// # Panics
    /// If a write from that part is in flight, or it is larger than 4 GiB.
    pub fn start_write(
        &mut self,
        tag: u64,
        file: &Arc<File>,
        offset: u64,
        range: Range<usize>,
    ) -> io::Result<()> {
        self.assert_not_in_flight(&range);
        assert!(!range.is_empty(), "a write has bytes");
        let bytes = &self.staging[range.clone()];
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let descriptor = Fd(file.as_raw_fd());
        let entry = if self.registered {
            opcode::WriteFixed::new(descriptor, bytes.as_ptr(), length, STAGING_INDEX)
                .offset(offset)
                .rw_flags(WRITE_DURABLY)
                .build()
        } else {
            opcode::Write::new(descriptor, bytes.as_ptr(), length)
                .offset(offset)
                .rw_flags(WRITE_DURABLY)
                .build()
        };
        self.push(tag, entry, range, Owner::File { _file: Arc::clone(file) })
    }

    /// Starts making `length` bytes of `file` from `offset` durable, which were written before.
    ///
    /// # Errors
    /// If too much is in flight.
    pub fn start_sync(
        &mut self,
        tag: u64,
        file: &Arc<File>,
        offset: u64,
        length: u32,
    ) -> io::Result<()> {
        let entry = opcode::Fsync::new(Fd(file.as_raw_fd()))
            .offset(offset)
            .len(length)
            .flags(FsyncFlags::DATASYNC)
            .build();
        self.push(tag, entry, 0..0, Owner::File { _file: Arc::clone(file) })
    }

    /// Starts waiting until `descriptor` can be read.
    ///
    /// # Errors
    /// If too much is in flight.
    pub fn start_poll(&mut self, tag: u64, descriptor: &Arc<OwnedFd>) -> io::Result<()> {
        const POLL_IN: u32 = 1;
        let entry = opcode::PollAdd::new(Fd(descriptor.as_fd().as_raw_fd()), POLL_IN).build();
        self.push(tag, entry, 0..0, Owner::Descriptor { _descriptor: Arc::clone(descriptor) })
    }

    /// Hands what was started to the kernel and takes what has completed, without waiting.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn submit(&mut self) -> io::Result<()> {
        retry_interrupted(|| self.ring.submit())
    }

    /// Lets the kernel report what has completed, if it says that it hasn't: completions are deferred
    /// until this thread asks. A system call only then.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn collect(&mut self) -> io::Result<()> {
        let queue = self.ring.submission();
        if !queue.taskrun() && !queue.cq_overflow() {
            return Ok(());
        }
        drop(queue);
        self.submit()
    }

    /// Hands what was started to the kernel and waits for a completion, or for `timeout`.
    ///
    /// # Errors
    /// What the kernel reported; that nothing completed in time is no error.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let span = Timespec::from(timeout.unwrap_or_default());
        let mut arguments = SubmitArgs::new();
        if timeout.is_some() {
            arguments = arguments.timespec(&span);
        }
        match self.ring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                Some(
                    rustix::io::Errno::TIME
                    | rustix::io::Errno::INTR
                    | rustix::io::Errno::AGAIN
                    | rustix::io::Errno::BUSY,
                ) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The next completion, if there is one.
    pub fn next_completion(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let tag = entry.user_data();
        let index = self.active.iter().position(|active| active.tag == tag);
        let Some(index) = index else { unreachable!("only what was started completes") };
        let Active { range, .. } = self.active.swap_remove(index);
        let completion = Completion { tag, result: entry.result() };
        assert!(
            range.is_empty()
                || completion.bytes().is_ok_and(|bytes| bytes <= range.len())
                || completion.result < 0,
            "no more is written than was asked for"
        );
        Some(completion)
    }

    fn push(
        &mut self,
        tag: u64,
        entry: squeue::Entry,
        range: Range<usize>,
        owner: Owner,
    ) -> io::Result<()> {
        assert!(self.active.iter().all(|active| active.tag != tag), "tags are unique");
        let entry = entry.user_data(tag);
        // SAFETY: the entry's descriptor stays open and its memory stays mapped and unchanged until
        // it completes: `active` keeps the owner, `staging_mut` refuses the range, and `Drop` waits.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.map_err(|_| io::Error::new(io::ErrorKind::WouldBlock, "the ring is full"))?;
        self.active.push(Active { tag, range, _owner: owner });
        Ok(())
    }

    fn assert_not_in_flight(&self, range: &Range<usize>) {
        let busy = self
            .active
            .iter()
            .any(|active| active.range.start < range.end && range.start < active.range.end);
        assert!(!busy, "the kernel is reading this memory");
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Polls never end by themselves; only writes read memory.
        while self.active.iter().any(|active| !active.range.is_empty()) {
            if self.wait(None).is_err() {
                // The kernel may still read the memory: it must never be used for anything else.
                if let Ok(leaked) = MmapMut::map_anon(4096) {
                    std::mem::forget(std::mem::replace(&mut self.staging, leaked));
                }
                return;
            }
            while self.next_completion().is_some() {}
        }
    }
}

fn retry_interrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What isn't taken now is taken with the next call.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            other => return other.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file() -> (tempfile::TempDir, Arc<File>) {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        (temporary, Arc::new(file))
    }

    #[test]
    fn staged_bytes_arrive_in_the_file() {
        let (_temporary, file) = file();
        let mut ring = Ring::new(8, 64 * 1024).unwrap();
        ring.staging_mut(4096..8192).fill(7);
        ring.start_write(3, &file, 4096, 4096..8192).unwrap();
        ring.wait(None).unwrap();
        let completion = ring.next_completion().unwrap();
        assert_eq!((completion.tag, completion.bytes().unwrap()), (3, 4096));
        ring.start_sync(4, &file, 0, 0).unwrap();
        ring.wait(None).unwrap();
        assert_eq!(ring.next_completion(), Some(Completion { tag: 4, result: 0 }));
        let mut bytes = [0; 4096];
        std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, 4096).unwrap();
        assert_eq!(bytes, [7; 4096]);
        ring.staging_mut(4096..8192).fill(8);
    }

    #[test]
    fn waiting_ends_with_the_time_or_with_a_readable_descriptor() {
        let mut ring = Ring::new(8, 4096).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let reader: Arc<OwnedFd> = Arc::new(reader.into());
        ring.start_poll(1, &reader).unwrap();
        ring.wait(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(ring.next_completion(), None);
        writer.write_all(&[1]).unwrap();
        ring.wait(None).unwrap();
        assert_eq!(ring.next_completion().unwrap().tag, 1);
    }

    #[test]
    fn an_error_is_the_completions() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("file");
        std::fs::write(&path, [0; 10]).unwrap();
        let file = Arc::new(File::open(path).unwrap());
        let mut ring = Ring::new(8, 4096).unwrap();
        ring.start_write(1, &file, 0, 0..4096).unwrap();
        ring.wait(None).unwrap();
        assert!(ring.next_completion().unwrap().bytes().is_err());
    }
}
