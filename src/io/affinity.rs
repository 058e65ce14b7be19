//! On which processors threads run.
#![expect(unsafe_code, reason = "the kernel's set of processors is built by macros of C")]

use std::io;

use io_uring::IoUring;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this thread may run on; none if that can't be known.
#[must_use]
pub fn processors() -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|&processor| allowed.is_set(processor)).collect()
}

/// Keeps this thread and those that it will start off these processors, if there are others. A
/// thread pinned there that had to share would wait for milliseconds.
pub fn leave_processors(left: &[usize]) {
    let Ok(mut allowed) = sched_getaffinity(None) else { return };
    for &processor in left {
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
    // SAFETY: a set of processors is an array of integers, for which zeros are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for processor in processors() {
        // SAFETY: both kinds of set have room for `MAX_CPU` processors.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    ring.submitter().register_iowq_aff(&set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_leaves_processors_unless_it_has_no_others() {
        let before = processors();
        let after = |left: Vec<usize>| {
            let leave = move || {
                leave_processors(&left);
                processors()
            };
            std::thread::spawn(leave).join().unwrap()
        };
        assert!(!before.is_empty());
        assert_eq!((after(Vec::new()), after(before.clone())), (before.clone(), before.clone()));
        let others = if before.len() == 1 { &before[..] } else { &before[1..] };
        assert_eq!(after(vec![before[0]]), others);
        keep_workers_here(&IoUring::new(2).unwrap()).unwrap();
    }
}
