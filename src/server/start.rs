//! Start and stop of the server, in the order that keeps its promises.
//!
//! Start: check the machine, take the port, lock the directory, replay, start the log writer, the
//! query thread and the cores, accept. Stop: accept nothing more, answer what is in flight, sync,
//! release the directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, Socket as Socket2, Type};

use super::acceptor;
use super::checks::check_machine;
use super::clock::{LedgerTime, judge_clock, warn_if_behind};
use super::core::Core;
use super::growth;
use super::mailbox::Mailbox;
use super::notify::notify;
use super::open::{Expected, OpenError, Opened, cluster_config, initialize, open};
use super::owner;
use super::residence::Residence;
use super::sequencer::{SequencerThread, ServerEngine};
use super::shared::{Counters, PublishedCounts, Shared};
use super::site::Site;
use super::watch::DiskFree;
use super::{loader, query, watch};
use crate::engine::{Load, Partition, StoredLog};
use crate::io::phases::{self, Published};
use crate::io::{
    Clock, Directory, Sleeper, Sockets, SteadyClock, SystemClock, leave_processors, processors,
    sleeper,
};
use crate::limits::{CONNECTIONS_DEFAULT, PARTITIONS_MAX, REQUESTS_PER_CONNECTION};
use crate::log::{
    CreateError, LogHandle, LogWriter, LogWriterKind, Notices, Position,
    StartError as WriterStartError, WriterOptions, has_segments,
};
use crate::node::{CoreOwners, Counts, LOG_FULL, Sequencer};
use crate::wire::{Limits, StatusReport};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 4_096;

/// How long clients that don't read may delay the stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The data directory; created on first use.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Core threads; none is one less than the machine has, at least one.
    pub cores: Option<usize>,
    /// How the log reaches the disk.
    pub log_writer: LogWriterKind,
    /// Bytes of a segment of a new cluster; an old one must have been made with it.
    pub segment_bytes: Option<u64>,
    /// Accounts of a new cluster; an old one must have been made with it.
    pub accounts_max: Option<u64>,
    /// Connections served at once.
    pub connections_max: Option<u64>,
    /// The cluster that the directory must belong to.
    pub cluster: Option<u128>,
    /// Why a directory without a cluster is refused instead of getting a new one.
    pub never_create: Option<&'static str>,
    /// Whether an operator says that the machine's clock is right, however late it is.
    pub clock_accepted: bool,
    /// How long a client may take for its hello, for the rest of a frame, or for its goodbye.
    pub client_timeout: Option<Duration>,
    /// The position from which an operator gives a damaged log up.
    pub accept_loss_at: Option<Position>,
}

/// Time that a client has for a frame if nothing else is said.
const CLIENT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Why a server doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel refuses io_uring.
    #[error(
        "io_uring is not available: {0}. It takes Linux 6.1 or newer; containers and the sysctl kernel.io_uring_disabled can \
         forbid it: allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp \
         profile, or set kernel.io_uring_disabled=0"
    )]
    IoUring(std::io::Error),
    /// Too little memory may be locked.
    #[error(
        "only {bytes} bytes of memory may be locked, and io_uring needs at least 524288: set \
         LimitMEMLOCK=64M in the unit, or `ulimit -l 65536`"
    )]
    Memlock {
        /// The limit.
        bytes: u64,
    },
    /// Too few files may be open.
    #[error("only {files} files may be open, and {least} are the least: set LimitNOFILE")]
    Files {
        /// The limit.
        files: u64,
        /// What is needed.
        least: u64,
    },
    /// The port can't be had.
    #[error("can't listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data directory can't be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The log can't be written to.
    #[error("the log can't be written: {0}")]
    Writer(#[from] WriterStartError),
    /// A thread can't be started.
    #[error("a thread can't be started: {0}")]
    Thread(std::io::Error),
    /// A core can't be started.
    #[error("a core can't be started: {0}")]
    Core(String),
    /// More cores than there can be.
    #[error("{0} cores: choose 1 to {max}", max = PARTITIONS_MAX)]
    Cores(usize),
}

/// Serves until a signal asks to stop. Calls `ready` with the address once requests are served.
///
/// # Errors
/// Why it didn't start. Failures while serving end the process.
pub fn serve(config: &ServerConfig, ready: impl FnOnce(SocketAddr)) -> Result<(), StartError> {
    let connections_max = config.connections_max.unwrap_or(CONNECTIONS_DEFAULT);
    let cores = core_count(config.cores)?;
    let connections_max = check_machine(connections_max)?;
    // A core each, if there are enough.
    let pinned = processors().get(..cores).map(<[_]>::to_vec).unwrap_or_default();
    leave_processors(&pinned);
    let listener = bind(config.listen)?;
    let opened = open_or_create(config, cores)?;
    let Opened { lock, directory, identity, engine, end } = opened;
    let newest = engine.end().timestamp.0;
    let clock = SystemClock::new();
    let now = clock.now();
    let behind = judge_clock(now.unix_ns, Some(newest), config.clock_accepted)
        .map_err(|error| failed_open(config, error.into()))?;
    warn_if_behind(now.unix_ns, behind);
    let time = SteadyClock::starting(now, newest);
    let watched = lock.watch().map_err(StartError::Thread)?;
    let disk_free = watch::spawn(watched, config.data.clone()).map_err(StartError::Thread)?;
    let epoch = end.progress().epoch.0;
    let op = end.progress().op.0;
    let (bells, wakers): (Vec<_>, Vec<_>) = (0..cores)
        .map(|_| sleeper())
        .collect::<Result<Vec<_>, _>>()
        .map_err(StartError::Thread)?
        .into_iter()
        .unzip();
    let mailboxes: Arc<[Mailbox]> = wakers.into_iter().map(Mailbox::new).collect();
    let shared = Arc::new(Shared {
        clock,
        clock_ahead_ns: AtomicI64::new(0),
        clock_steps: AtomicU64::new(0),
        mailboxes: Arc::clone(&mailboxes),
        limits: Limits {
            cluster: identity.cluster.0,
            in_flight_max: REQUESTS_PER_CONNECTION,
            idle_seconds_max: 0,
        },
        connections_max,
        client_ns_max: nanoseconds(config.client_timeout.unwrap_or(CLIENT_TIMEOUT_DEFAULT)),
        connections: AtomicU64::new(0),
        committed: AtomicU64::new(op),
        epoch,
        waiting_events: AtomicU64::new(0),
        draining: AtomicBool::new(false),
        drained: AtomicU64::new(0),
        log_full: AtomicBool::new(false),
        counters: Counters::default(),
        counts: (0..cores).map(|_| PublishedCounts::default()).collect(),
        phases: (0..cores).map(|_| Published::default()).collect(),
    });
    let options = WriterOptions { kind: config.log_writer, ..WriterOptions::default() };
    let (bell, room_bell) = (Arc::clone(&mailboxes), Arc::clone(&mailboxes));
    let notices = Notices {
        durable: Box::new(move |_| bell[0].ring()),
        room: Box::new(move || room_bell[0].ring()),
    };
    let writer = LogWriter::start(end, options, notices)?;
    let stored = || StoredLog::new(directory.clone(), identity.layout, identity.cluster);
    let queries = query::spawn(stored(), Arc::clone(&shared)).map_err(StartError::Thread)?;
    let loader = loader::spawn(stored(), Arc::clone(&shared)).map_err(StartError::Thread)?;
    let growth = growth::spawn().map_err(StartError::Thread)?;
    let mut partitions = Vec::new();
    let engine = engine.with_owners(|inline| {
        partitions = inline.into_partitions();
        partitions.iter_mut().for_each(|partition| partition.grow_by(&growth));
        CoreOwners::new(partitions.remove(0), Arc::clone(&shared))
    });
    let status = status_of(config, &shared, writer.handle().clone(), disk_free);
    let sequencer =
        SequencerParts { engine, time, log: writer.handle().clone(), queries, loader, status };
    start_cores(&shared, sequencer, partitions, bells, &pinned)?;
    let address = local_address(&listener)
        .map_err(|source| StartError::Listen { address: config.listen, source })?;
    let handle = listener.try_clone().map_err(StartError::Thread)?;
    listen(&listener).map_err(|source| StartError::Listen { address, source })?;
    // Before anyone can know that it serves. Until here a signal ends the process at once, which is
    // as good while nothing was promised.
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(StartError::Thread)?;
    acceptor::spawn(listener.into(), Arc::clone(&shared)).map_err(StartError::Thread)?;
    ready(address);
    notify("READY=1");
    signals.forever().next();
    notify("STOPPING=1");
    tracing::info!("stopping: answering what is in flight");
    shared.drain();
    drop(handle.shutdown(std::net::Shutdown::Both));
    wait_for_drain(&shared);
    writer.stop();
    if let Err(error) = lock.end_serving() {
        tracing::warn!(%error, "the file `lock` can't be written");
    }
    Ok(())
}

/// What the sequencer is made of, sent to its thread.
struct SequencerParts {
    engine: ServerEngine,
    time: SteadyClock,
    log: LogHandle,
    queries: crossbeam::channel::Sender<query::Query>,
    loader: crossbeam::channel::Sender<Vec<Load>>,
    status: Box<dyn Fn(&mut StatusReport) + Send>,
}

fn core_count(wanted: Option<usize>) -> Result<usize, StartError> {
    let machine = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = wanted.unwrap_or_else(|| (machine - 1).clamp(1, PARTITIONS_MAX));
    if (1..=PARTITIONS_MAX).contains(&cores) { Ok(cores) } else { Err(StartError::Cores(cores)) }
}

/// Takes the port, but lets nobody connect before the log is replayed.
fn bind(address: SocketAddr) -> Result<Socket2, StartError> {
    let bound = || -> std::io::Result<Socket2> {
        let socket = Socket2::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    bound().map_err(|source| StartError::Listen { address, source })
}

fn failed_open(config: &ServerConfig, source: OpenError) -> StartError {
    StartError::Open { path: config.data.clone(), source }
}

fn open_or_create(config: &ServerConfig, cores: usize) -> Result<Opened, StartError> {
    let failed = |source| failed_open(config, source);
    let expected = Expected {
        cluster: config.cluster,
        segment_bytes: config.segment_bytes,
        accounts_max: config.accounts_max,
    };
    match open(&config.data, cores, expected, config.accept_loss_at) {
        Err(OpenError::Empty) => {}
        other => return other.map_err(failed),
    }
    if let Some(reason) = config.never_create {
        // A log without its file `meta` is damage, and so are its remains.
        if has_segments(&Directory::new(&config.data)).unwrap_or(false) {
            return Err(failed(OpenError::Create(CreateError::MetaMissing)));
        }
        return Err(failed(OpenError::Absent { cluster: config.cluster, reason }));
    }
    let cluster = cluster_config(config.cluster, config.segment_bytes, config.accounts_max);
    initialize(&config.data, cluster, config.clock_accepted).map_err(failed)?;
    tracing::info!(data = %config.data.display(), cluster = %format_args!("{:032x}", cluster.cluster.0), "made a new cluster");
    open(&config.data, cores, expected, config.accept_loss_at).map_err(failed)
}

fn local_address(listener: &Socket2) -> std::io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    address.as_socket().ok_or_else(|| std::io::Error::other("not an internet address"))
}

fn listen(listener: &Socket2) -> std::io::Result<()> {
    listener.listen(BACKLOG)
}

/// The part of the status that the engine doesn't know.
fn status_of(
    config: &ServerConfig,
    shared: &Arc<Shared>,
    log: LogHandle,
    disk_free: DiskFree,
) -> Box<dyn Fn(&mut StatusReport) + Send> {
    let started = shared.clock.now().monotonic_ns;
    let shared = Arc::clone(shared);
    let log_writer = format!("{:?}", config.log_writer).to_lowercase();
    Box::new(move |report| {
        report.version = env!("CARGO_PKG_VERSION").to_owned();
        report.cluster = format!("{:032x}", shared.limits.cluster);
        report.state = if shared.is_draining() { "draining" } else { "serving" }.to_owned();
        if shared.log_full.load(Ordering::Relaxed) {
            report.writes_refused = LOG_FULL.to_owned();
        }
        report.disk_free_bytes = disk_free.bytes();
        report.uptime_seconds = (shared.clock.now().monotonic_ns - started) / 1_000_000_000;
        report.clock_ahead_ns = shared.clock_ahead_ns.load(Ordering::Relaxed);
        report.clock_steps = shared.clock_steps.load(Ordering::Relaxed);
        report.log_writer = log_writer.clone();
        report.connections = shared.connections.load(Ordering::Relaxed);
        report.log_position = log.progress().durable_position().0;
        report.counters.insert("log_groups".to_owned(), log.progress().groups());
        report.counters.insert("log_bytes".to_owned(), log.progress().bytes());
        for (name, value) in shared.counters.list() {
            report.counters.insert(name.to_owned(), value);
        }
        for (at, name) in Counts::NAMES.iter().enumerate() {
            let of_all = shared.counts.iter().filter_map(|counts| counts.values().nth(at));
            report.counters.insert((*name).to_owned(), of_all.sum());
        }
        shared.phases[0].publish();
        for (core, phases) in shared.phases.iter().enumerate() {
            for (name, ns) in phases.list() {
                report.counters.insert(format!("phase_core{core}_{name}_ns"), ns);
            }
        }
        for (name, ns) in log.progress().phases().list() {
            report.counters.insert(format!("phase_log_{name}_ns"), ns);
        }
    })
}

/// What a core does until the process ends.
type RunCore = Box<dyn FnOnce(Core) + Send>;

/// Starts the core threads, and returns when all of them can serve.
fn start_cores(
    shared: &Arc<Shared>,
    sequencer: SequencerParts,
    partitions: Vec<Partition>,
    bells: Vec<Sleeper>,
    pinned: &[usize],
) -> Result<(), StartError> {
    let cores = bells.len();
    let mut runs: Vec<RunCore> = Vec::with_capacity(cores);
    runs.push(Box::new(move |core| {
        let SequencerParts { engine, time, log, queries, loader, status } = sequencer;
        let complete_status = Box::new(move |report: &mut StatusReport| status(report));
        let residence = Residence::default();
        let time = LedgerTime::new(time, Arc::clone(core.site.shared()));
        let machine = Sequencer::new(engine, Arc::clone(core.site.shared()));
        let thread = SequencerThread {
            machine,
            time,
            log,
            queries,
            loader,
            core,
            complete_status,
            residence,
        };
        thread.run();
    }));
    for partition in partitions {
        runs.push(Box::new(move |core| owner::run(core, partition)));
    }
    let mut started = Vec::with_capacity(cores);
    for (index, (run, bell)) in (0..).zip(runs.into_iter().zip(bells)) {
        let site = Site::new(index, Arc::clone(shared));
        started.push(spawn_core(site, pinned, bell, run)?);
    }
    for up in started {
        up.recv().map_err(|_| StartError::Core("its thread has ended".to_owned()))??;
    }
    Ok(())
}

/// Starts an executor on a thread of its own, pinned to its processor or not.
///
/// The core is the one task of the executor and never gives it back: it waits in a ring of its own
/// (`docs/decisions/005`).
fn spawn_core(
    site: Site,
    pinned: &[usize],
    bell: Sleeper,
    run: RunCore,
) -> Result<Receiver<Result<(), StartError>>, StartError> {
    let index = usize::from(site.index());
    let processor = pinned.get(index).copied();
    let placement = processor.map_or(Placement::Unbound, Placement::Fixed);
    let (up, started) = channel();
    let executor = LocalExecutorBuilder::new(placement)
        .name(&format!("core-{index}"))
        .io_memory(64 << 10)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
        .spawn(move || async move {
            match Sockets::new(bell) {
                Ok(sockets) => {
                    // The receiver waits for this.
                    let _ = up.send(Ok(()));
                    phases::start();
                    run(Core::new(site, sockets));
                }
                Err(error) => drop(up.send(Err(StartError::IoUring(error)))),
            }
        });
    match executor {
        Ok(_detached) => Ok(started),
        Err(error) => Err(StartError::Core(error.to_string())),
    }
}

fn wait_for_drain(shared: &Shared) {
    let cores = shared.mailboxes.len() as u64;
    let deadline = shared.clock.now().monotonic_ns + nanoseconds(DRAIN_MAX);
    while shared.drained.load(Ordering::Acquire) < cores {
        if shared.clock.now().monotonic_ns > deadline {
            tracing::warn!("some clients don't read their answers; stopping all the same");
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Bounded, so that a deadline can be computed from it.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX / 4)
}
