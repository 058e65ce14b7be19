//! The process's limit of open files: one for each connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to `wanted` open files, as far as the hard limit allows, and answers what
/// is allowed now. Never lowers it.
#[must_use]
pub fn raise_open_files(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if raised <= current {
        return current;
    }
    let limit = Rlimit { current: Some(raised), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, limit).is_ok() { raised } else { current }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_never_lowered_and_never_beyond_the_hard_one() {
        let before = raise_open_files(0);
        assert!(before > 0);
        assert_eq!(raise_open_files(before), before);
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert!(raise_open_files(u64::MAX) <= hard);
    }
}
