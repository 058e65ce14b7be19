//! On which processors threads run.
#![expect(unsafe_code, reason = "the kernel's set of processors is built by macros of C")]

use std::io;

use io_uring::IoUring;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps this thread and those that it will start off the first `count` processors, if there are
/// others. A thread pinned there that had to share would wait for milliseconds.
pub fn leave_processors(count: usize) {
    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    for processor in 0..count.min(CpuSet::MAX_CPU) {
        allowed.unset(processor);
    }
    if allowed.count() > 0 {
        // Where the kernel doesn't like it, the thread runs where it may.
        let _ = sched_setaffinity(None, &allowed);
    }
}

/// Keeps the kernel's workers of a ring on the processors of this thread: by default they run
/// anywhere.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn keep_workers_here<S, C>(ring: &IoUring<S, C>) -> io::Result<()>
where
    S: io_uring::squeue::EntryMarker,
    C: io_uring::cqueue::EntryMarker,
{
    let here = sched_getaffinity(None)?;
    // SAFETY: a set of processors is an array of integers, for which zeros are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for processor in (0..CpuSet::MAX_CPU).filter(|&processor| here.is_set(processor)) {
        // SAFETY: both sets have room for `MAX_CPU` processors.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    ring.submitter().register_iowq_aff(&set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_leaves_the_first_processors_unless_it_has_no_others() {
        let processors = || sched_getaffinity(None).unwrap();
        let before = processors();
        let after = |count| {
            std::thread::spawn(move || {
                leave_processors(count);
                processors()
            })
            .join()
            .unwrap()
        };
        assert!(after(0) == before && after(CpuSet::MAX_CPU) == before);
        let first = (0..CpuSet::MAX_CPU).find(|&at| before.is_set(at)).unwrap();
        let left = after(first + 1);
        assert_eq!(left.is_set(first), before.count() == 1);
        assert_eq!(left.count(), (before.count() - 1).max(1));
        keep_workers_here(&IoUring::new(2).unwrap()).unwrap();
    }
}
