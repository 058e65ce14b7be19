//! A data directory whose meta file is gone, although there is a log: damage, not emptiness.

use std::path::Path;

use super::exit::{Exit, Failure};
use crate::io::Directory;
use crate::log::{LogIdentity, has_segments};

/// What to say about a directory without a meta file; nothing if it holds no log either.
pub(crate) fn missing_meta(path: &Path) -> Option<Failure> {
    let directory = Directory::new(path);
    let failure = |text: String| Failure::new(Exit::Damaged, format!("{}: {text}", path.display()));
    match has_segments(&directory) {
        Ok(false) => return None,
        Ok(true) => {}
        Err(error) => return Some(failure(format!("the log can't be read: {error}"))),
    }
    let log = match LogIdentity::of_first_segment(&directory) {
        Ok(identity) => format!("the log of cluster {:032x}", identity.cluster.0),
        Err(error) => format!("a log ({error})"),
    };
    Some(failure(format!(
        "the meta file is missing, but {log} is there. What to do: put the file `meta` of this \
         cluster back (it is the same in any copy of the directory, even an old one, as far as it \
         matters); if the directory was just being made for the first time, `partita start` makes \
         it anew"
    )))
}
