//! Opening a data directory: create or check it, lock it, replay its log.

use std::path::Path;

use super::clock::{ClockError, judge_clock};
use crate::engine::{
    Engine, EngineOptions, IdHasher, Inline, Partition, ReplayError, StoredLog, Tip,
};
use crate::io::{
    Clock, Directory, Storage, SystemClock, is_in_memory, machine_memory_bytes, make_directories,
};
use crate::ledger::{Op, RULES_VERSION, Timestamp};
use crate::log::{
    ClusterConfig, ClusterId, CreateError, DirectoryLock, Epoch, Layout, LockError, LogEnd,
    LogIdentity, LogReader, Meta, MetaError, Position, ReadError, RecoveryError, RecoveryInput,
    Row, SEGMENT_BYTES_DEFAULT, create_log,
};

/// Bytes of the newest frames that stay in memory.
const RECENT_BYTES_MAX: u64 = 64 << 20;

/// Accounts of a new cluster that isn't told otherwise.
const ACCOUNTS_MAX_DEFAULT: u64 = 100_000_000;

/// Open holds of a new cluster.
const HOLDS_MAX_DEFAULT: u64 = 100_000_000;

/// Why a data directory can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory can't be made or entered.
    #[error("the data directory can't be used: {0}")]
    Directory(#[from] std::io::Error),
    /// Another process has it, or it can't be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The meta file is damaged, of another format, or unreadable.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A new log can't be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The directory holds no log.
    #[error("the data directory holds no log; `partita init` or `partita start` makes one")]
    Empty,
    /// Nothing is there, and it must not be made: a volume that isn't mounted looks the same.
    #[error(
        "{} is here, and this start must not make a new one: {reason}. Is the volume mounted, and \
         --data right? If there never was one, make it with `partita init{}` first",
        Wanted(*cluster),
        InitFlags(*cluster)
    )]
    Absent {
        /// The cluster that was asked for.
        cluster: Option<u128>,
        /// What says so.
        reason: &'static str,
    },
    /// The machine's clock can't be believed.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The directory belongs to another cluster.
    #[error(
        "the data directory belongs to cluster {found:032x}, not {wanted:032x}; check --data and \
         --cluster"
    )]
    OtherCluster {
        /// The cluster of the directory.
        found: u128,
        /// The cluster that was asked for.
        wanted: u128,
    },
    /// The directory remembers another value than the one that is set.
    #[error("{setting} = {wanted}, but this ledger was made with {found}: {remedy}")]
    Contradicted {
        /// Which setting.
        setting: &'static str,
        /// What it says.
        wanted: u64,
        /// What the directory says.
        found: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A log can't have segments of that size.
    #[error(
        "segments of {0} bytes: choose a multiple of 4096 from {min} to {max}",
        min = crate::limits::SEGMENT_BYTES_MIN,
        max = crate::limits::SEGMENT_BYTES_MAX
    )]
    SegmentBytes(u64),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log was decided otherwise than it says.
    #[error("the log contradicts itself: {0}")]
    Replay(#[from] ReplayError),
    /// The end of the log is not what a crash leaves.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The same, in files that were copied one after the other while a server wrote them.
    #[error(
        "a copy of a running directory, not damage: {0}. The server went on while its files were \
         copied. Stop the server and copy again"
    )]
    Copied(Box<Self>),
}

struct Wanted(Option<u128>);

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(cluster) => write!(f, "nothing of cluster {cluster:032x}"),
            None => f.write_str("no cluster"),
        }
    }
}

struct InitFlags(Option<u128>);

impl std::fmt::Display for InitFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |cluster| write!(f, " --cluster {cluster:032x}"))
    }
}

/// What a directory must be; none says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// Its cluster.
    pub cluster: Option<u128>,
    /// Bytes of a segment of its log.
    pub segment_bytes: Option<u64>,
    /// Accounts that it was made for.
    pub accounts_max: Option<u64>,
}

impl Expected {
    /// A setting that is passed over in silence would let an operator believe in it.
    fn check(self, found: &ClusterConfig) -> Result<(), OpenError> {
        if let Some(wanted) = self.cluster
            && wanted != found.cluster.0
        {
            return Err(OpenError::OtherCluster { found: found.cluster.0, wanted });
        }
        let same = |setting, wanted: Option<u64>, found, remedy| match wanted {
            Some(wanted) if wanted != found => {
                Err(OpenError::Contradicted { setting, wanted, found, remedy })
            }
            _ => Ok(()),
        };
        same(
            "segment_bytes",
            self.segment_bytes,
            found.segment_bytes,
            "it stays so for good; leave the setting away",
        )?;
        same(
            "accounts_max",
            self.accounts_max,
            found.accounts_max,
            "leave the setting away; `partita capacity raise` makes room for more while the server runs",
        )
    }
}

/// A data directory with its log replayed, ready to be written to.
pub struct Opened {
    /// Held as long as the directory is used.
    pub lock: DirectoryLock,
    /// The directory.
    pub directory: Directory,
    /// Which log it is.
    pub identity: LogIdentity,
    /// Its state.
    pub engine: Engine<Inline>,
    /// Where the writer goes on.
    pub end: LogEnd<Directory>,
}

/// Creates the log of a new cluster in a directory, which is made if need be.
///
/// # Errors
/// Why it can't be.
pub fn initialize(
    path: &Path,
    config: ClusterConfig,
    clock_accepted: bool,
) -> Result<Meta, OpenError> {
    let now = SystemClock::new().now().unix_ns;
    judge_clock(now, None, clock_accepted)?;
    make_directories(path)?;
    let directory = Directory::new(path);
    let _lock = DirectoryLock::acquire(&directory)?;
    if Layout::new(config.segment_bytes).is_none() {
        return Err(OpenError::SegmentBytes(config.segment_bytes));
    }
    Ok(create_log(&directory, config, Timestamp(now))?)
}

/// Opens a directory that holds a log, and replays it over that many partitions.
///
/// # Errors
/// Why it can't be served.
pub fn open(
    path: &Path,
    partitions: usize,
    expected: Expected,
    loss_accepted_at: Option<Position>,
) -> Result<Opened, OpenError> {
    let directory = Directory::new(path);
    let mut lock = match DirectoryLock::acquire(&directory) {
        Err(LockError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::Empty);
        }
        other => other?,
    };
    let meta = Meta::load(&directory)?.ok_or(OpenError::Empty)?;
    if is_in_memory(path).unwrap_or(false) {
        tracing::warn!(
            data = %path.display(),
            "the data directory lies in memory (tmpfs): nothing in it survives a restart of the machine"
        );
    }
    expected.check(&meta.config)?;
    let options = ReplayOptions {
        partitions,
        hash_key: random_key(),
        recent_bytes_max: RECENT_BYTES_MAX,
        state_bytes_max: machine_memory_bytes().unwrap_or(u64::MAX),
        loss_accepted_at,
    };
    let (engine, end) = replay(&directory, &meta, options).map_err(|error| {
        if lock.is_copy_of_running() { OpenError::Copied(Box::new(error)) } else { error }
    })?;
    lock.begin_serving()?;
    Ok(Opened { lock, directory, identity: end.identity(), engine, end })
}

/// What a replay builds its engine from.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// Partitions of the state.
    pub partitions: usize,
    /// Key of the id hashes.
    pub hash_key: u128,
    /// Bytes of the newest frames that stay in memory.
    pub recent_bytes_max: u64,
    /// Bytes that accounts and holds may take at most.
    pub state_bytes_max: u64,
    /// The position from which an operator gives a damaged log up.
    pub loss_accepted_at: Option<Position>,
}

/// The state that a log leads to, and where a writer goes on.
pub type Replayed<S> = (Engine<Inline>, LogEnd<S>);

/// Replays the log in `storage`, decides what its end is, and gives the state with the place where
/// a writer goes on. The same for every storage, so that the simulator takes this way too.
///
/// # Errors
/// Why it can't be served.
pub fn replay<S: Storage>(
    storage: &S,
    meta: &Meta,
    options: ReplayOptions,
) -> Result<Replayed<S>, OpenError> {
    let identity = LogIdentity { cluster: meta.config.cluster, layout: meta.config.layout() };
    let mut engine = empty_engine(identity, &meta.config, options);
    let mut records = StoredLog::new(storage.clone(), identity.layout, identity.cluster);
    let mut reader = LogReader::open_to_continue(storage.clone(), identity, meta.hint.committed)?;
    while let Some(frame) = reader.next_frame()? {
        engine.replay(&frame, &mut records)?;
    }
    let input = RecoveryInput {
        timestamp: engine.end().timestamp,
        state_digest: engine.state_digest(),
        loss_accepted_at: options.loss_accepted_at,
        ..RecoveryInput::default()
    };
    let end = reader.into_end(meta, &input)?;
    match (end.cut(), options.loss_accepted_at) {
        (Some(cut), _) if cut.row == Row::LossAccepted => tracing::warn!(
            ?cut,
            "everything from this position on was given up, as the operator accepted; its bytes \
             are in quarantine"
        ),
        (cut, Some(position)) => tracing::warn!(
            %position, ?cut, end = %end.progress().end,
            "there was nothing at this position for which the loss had to be accepted"
        ),
        (Some(cut), None) => {
            tracing::warn!(?cut, "a torn tail was cut off the log; its bytes are in quarantine");
        }
        (None, None) => {}
    }
    let progress = end.progress();
    engine.continue_from(Tip {
        position: progress.end,
        op: progress.op,
        epoch: progress.epoch,
        timestamp: engine.end().timestamp,
    });
    Ok((engine, end))
}

fn empty_engine(
    identity: LogIdentity,
    config: &ClusterConfig,
    options: ReplayOptions,
) -> Engine<Inline> {
    let ReplayOptions { partitions, hash_key, recent_bytes_max, state_bytes_max, .. } = options;
    let hasher = IdHasher::new(hash_key);
    let owners = Inline::new((0..partitions).map(|_| Partition::new(hasher)).collect());
    let options = EngineOptions {
        layout: identity.layout,
        hash_key,
        accounts_max: config.accounts_max,
        holds_max: config.holds_max,
        recent_bytes_max,
        state_bytes_max,
    };
    let tip = Tip { position: Position::NONE, op: Op(0), epoch: Epoch(0), timestamp: Timestamp(0) };
    Engine::new(owners, options, tip)
}

/// A key that nobody outside the process can know.
fn random_key() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0_u8));
    half() << 64 | half()
}

/// What a new cluster is made of. None takes the default; a cluster that isn't named gets a random
/// id.
#[must_use]
pub fn cluster_config(
    cluster: Option<u128>,
    segment_bytes: Option<u64>,
    accounts_max: Option<u64>,
) -> ClusterConfig {
    ClusterConfig {
        cluster: ClusterId(cluster.unwrap_or_else(|| random_key().max(1))),
        segment_bytes: segment_bytes.unwrap_or(SEGMENT_BYTES_DEFAULT),
        accounts_max: accounts_max.unwrap_or(ACCOUNTS_MAX_DEFAULT),
        holds_max: HOLDS_MAX_DEFAULT,
        rules_version: RULES_VERSION,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::log::{SEGMENT_HEADER_BYTES, segment_name};

    #[test]
    fn a_loss_is_accepted_only_where_the_operator_says_and_leaves_a_copy() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new").join("data");
        initialize(&path, cluster_config(None, Some(4 << 20), Some(10)), false).unwrap();
        // Something was written behind the genesis frame and changed later.
        let end = Position(SEGMENT_HEADER_BYTES + 4096);
        let segment = std::fs::OpenOptions::new().write(true).open(path.join(segment_name(0)));
        segment.unwrap().write_all_at(b"PARTITAf, once", end.0).unwrap();
        for wrong in [None, Some(Position(end.0 + 4096))] {
            let refused = open(&path, 1, Expected::default(), wrong).err();
            assert!(matches!(refused, Some(OpenError::Recovery(RecoveryError::Refused { .. }))));
        }
        let opened = open(&path, 1, Expected::default(), Some(end)).unwrap();
        let cut = opened.end.cut().unwrap();
        assert_eq!((cut.row, cut.position), (Row::LossAccepted, end));
        let copy = std::fs::read(path.join(&cut.quarantine[0])).unwrap();
        assert!(copy.starts_with(b"PARTITAf, once"));
        drop(opened);
        assert!(open(&path, 1, Expected::default(), None).unwrap().end.cut().is_none());
    }

    #[test]
    fn what_the_directory_remembers_is_never_overruled_in_silence() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        initialize(&path, cluster_config(Some(7), Some(4 << 20), Some(10)), false).unwrap();
        let open_as = |expected| open(&path, 1, expected, None).err().map(|e| e.to_string());
        let same =
            Expected { cluster: Some(7), segment_bytes: Some(4 << 20), accounts_max: Some(10) };
        assert_eq!(open_as(same), None);
        let refused = open_as(Expected { accounts_max: Some(11), ..same }).unwrap();
        assert!(refused.contains("accounts_max = 11") && refused.contains("10"), "{refused}");
        let refused = open_as(Expected { segment_bytes: Some(8 << 20), ..same }).unwrap();
        assert!(refused.contains("segment_bytes = 8388608"), "{refused}");
        let refused = open_as(Expected { cluster: Some(8), ..same }).unwrap();
        assert!(refused.contains("--cluster"), "{refused}");
    }
}
