//! What the machine has.

use std::fs::read_to_string;

/// Bytes of memory that this process may have: those of the machine, or of its control group if that has less.
/// None where neither is told.
#[must_use]
pub fn machine_memory_bytes() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let group = read_to_string("/sys/fs/cgroup/memory.max").ok();
    // "max" is no number, and no bound.
    let group = group.and_then(|text| text.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// The total of a `/proc/meminfo`, in bytes.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_and_nothing_else_is_taken_for_it() {
        let text = "MemTotal:       24603528 kB\nMemFree:         1 kB\n";
        assert_eq!(total_of(text), Some(24_603_528 << 10));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
        assert_eq!(total_of("MemTotal: many kB\n"), None);
        assert!(machine_memory_bytes().is_none_or(|bytes| bytes > 64 << 20));
    }
}
