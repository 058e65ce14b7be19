//! `partita bench`: measure throughput and latency.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::config::{Origin, Settings};
use super::exit::{Exit, Failure};
use super::flags::ServerFlags;
use super::json;
use super::remote::{Remote, Server};
use super::say;
use crate::io::{Clock, SystemClock, raise_open_files, to_u64};
use crate::limits::EVENTS_PER_REQUEST_MAX;
use crate::loadgen::{
    Ids, Load, LoadError, Mix, OwnServer, Progress, Report, ServerOptions, Workload, run as measure,
};
use crate::wire::{Reply, Request};

/// Transfers of a run that nothing else bounds.
const TRANSFERS_DEFAULT: u64 = 1_000_000;
/// Standard streams, the poll, the client's own connection, and what libraries hold.
const FILES_BESIDES_CONNECTIONS: u64 = 64;
/// From this many accounts on, a server of our own is told to make room for them.
const ACCOUNTS_ANY_SERVER_HOLDS: u64 = 100_000;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Write into the ledger of this server, for good; without it, a server of our own is measured.
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
    /// Write even if that ledger isn't empty.
    #[arg(long, requires = "connect")]
    pub yes: bool,
    #[command(flatten)]
    pub server: ServerFlags,
    /// Transfers to create [default: 1000000, without a bound when --seconds is given].
    #[arg(long, value_name = "N")]
    pub transfers: Option<u64>,
    /// Stop sending after so many seconds.
    #[arg(long, value_name = "S")]
    pub seconds: Option<u64>,
    /// Transfers in one request.
    #[arg(long, value_name = "B", default_value_t = 8_189)]
    pub batch: usize,
    /// Connections.
    #[arg(long, value_name = "C", default_value_t = 1)]
    pub connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, value_name = "W", default_value_t = 4)]
    pub in_flight: usize,
    /// Transfers a second on a fixed schedule (open loop); without it, as fast as answers come.
    #[arg(long, value_name = "R")]
    pub rate: Option<u64>,
    /// Accounts to spread the transfers over.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub accounts: u64,
    /// How transfer ids are made.
    #[arg(long, value_name = "KIND", default_value = "ordered")]
    pub ids: IdsFlag,
    /// Accounts that get more than their share of the debits.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub hot_accounts: u64,
    /// Percent of the debits that go to the hot accounts.
    #[arg(long, value_name = "P", default_value_t = 0)]
    pub hot_percent: u8,
    /// What the transfers do.
    #[arg(long, value_name = "MIX", default_value = "simple")]
    pub mix: MixFlag,
    /// Makes the run repeatable; by default every run has its own ids.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write the result as JSON to this file; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `--ids`
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum IdsFlag {
    /// Ascending, as time-ordered ids do.
    Ordered,
    /// All over the 128 bits.
    Random,
}

/// `--mix`
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum MixFlag {
    /// One debit and one credit each.
    Simple,
    /// Accounts that can't be overdrawn, and some transfers that would.
    Limits,
    /// Holds, then posts and voids of them.
    TwoPhase,
    /// Linked runs of two to four.
    Chains,
}

impl BenchArgs {
    fn load(&self, address: SocketAddr, seed: u64) -> Load {
        let workload = Workload {
            accounts: self.accounts,
            hot_accounts: self.hot_accounts,
            hot_percent: self.hot_percent.into(),
            mix: match self.mix {
                MixFlag::Simple => Mix::Simple,
                MixFlag::Limits => Mix::Limits,
                MixFlag::TwoPhase => Mix::TwoPhase,
                MixFlag::Chains => Mix::Chains,
            },
            ids: match self.ids {
                IdsFlag::Ordered => Ids::Ordered,
                IdsFlag::Random => Ids::Random,
            },
            seed,
            batch: to_u64(self.batch),
        };
        let unbounded = self.seconds.is_some();
        Load {
            address,
            workload,
            connections: self.connections,
            in_flight: self.in_flight,
            transfers: self.transfers.or((!unbounded).then_some(TRANSFERS_DEFAULT)),
            seconds: self.seconds,
            rate: self.rate,
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::usage(format!("bench: {what}")));
        if !(1..=EVENTS_PER_REQUEST_MAX).contains(&self.batch) {
            return wrong("--batch must be from 1 to 8190");
        }
        if self.connections == 0 || self.in_flight == 0 || self.rate == Some(0) {
            return wrong("--connections, --in-flight and --rate must be at least 1");
        }
        if !(2..1 << 32).contains(&self.accounts) {
            return wrong("--accounts must be at least 2 and below 2^32");
        }
        if self.hot_accounts > self.accounts || self.hot_percent > 100 {
            return wrong("--hot-accounts can't exceed --accounts, nor --hot-percent 100");
        }
        if self.transfers == Some(0) || self.seconds == Some(0) {
            return wrong("--transfers and --seconds must be at least 1");
        }
        Ok(())
    }
}

/// Runs the command.
pub(crate) fn run(
    args: &BenchArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    args.check()?;
    let needed = to_u64(args.connections) + FILES_BESIDES_CONNECTIONS;
    let open_files = raise_open_files(needed);
    if open_files < needed {
        let text =
            format!("bench: {open_files} open files allowed, {needed} needed; raise ulimit -n");
        return Err(Failure::new(Exit::Unavailable, text));
    }
    let clock = SystemClock::new();
    let seed = args.seed.unwrap_or_else(|| clock.now().unix_ns);
    let report = if args.connect.is_some() {
        let address = resolve(&settings.connect)?;
        if !args.yes {
            refuse_a_ledger_in_use(settings)?;
        }
        measure(&args.load(address, seed), &clock, &mut tell)?
    } else {
        if settings.connect_origin != Origin::Default {
            let (connect, origin) = (&settings.connect, &settings.connect_origin);
            say(&format!(
                "bench: {connect} ({origin}) is left alone: only --connect on the command line lets \
                 bench write into a server"
            ));
        }
        let server = OwnServer::start(&own_program()?, &options(args, settings))?;
        if let Some(directory) = server.directory() {
            warn_of_memory(directory);
        }
        let report = measure(&args.load(server.address(), seed), &clock, &mut tell)?;
        server.stop()?;
        report
    };
    print(&report, args.json.as_deref(), out)?;
    if !report.balances_agree() {
        let text = "bench: the server's balances aren't what it acknowledged";
        return Err(Failure::new(Exit::Failed, text));
    }
    if report.all_refused() {
        return Err(Failure::new(Exit::Refused, "bench: the server refused every request"));
    }
    Ok(Exit::Ok)
}

/// What bench writes stays for ever, so it writes into a ledger with records only when told twice.
fn refuse_a_ledger_in_use(settings: &Settings) -> Result<(), Failure> {
    let (_, reply) = Server::connect(settings)?.call(&Request::Status)?;
    let Reply::Status(status) = reply else {
        return Err(Failure::new(Exit::Unavailable, "bench: the server doesn't tell its status"));
    };
    let (accounts, transfers) = (status.accounts, status.transfers);
    if accounts == 0 && transfers == 0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "bench: the ledger at {} isn't empty: {accounts} accounts, {transfers} transfers. What bench \
         writes stays there for ever; add --yes if you want that, or leave --connect away to measure \
         a server of our own",
        settings.connect
    )))
}

fn print(report: &Report, json: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("bench: can't write the result: {error}"))
    };
    let Some(path) = json else {
        write!(out, "{report}")?;
        return Ok(());
    };
    if path == Path::new("-") {
        json::write(out, report)?;
        return Ok(());
    }
    write!(out, "{report}")?;
    let mut text = Vec::new();
    json::write(&mut text, report)?;
    std::fs::write(path, text).map_err(|error| failed(&error))
}

fn tell(progress: Progress) {
    let Progress { seconds, transfers, transfers_per_second, in_flight } = progress;
    say(&format!(
        "{seconds:.0} s: {transfers} transfers, {transfers_per_second:.0}/s, \
         {in_flight} requests in flight"
    ));
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Failed, format!("bench: can't find the program to start: {error}"))
    })
}

/// The flags of the server, as they were given to us.
fn options(args: &BenchArgs, settings: &Settings) -> ServerOptions {
    let mut flags = vec!["--log-writer".to_owned(), settings.log_writer.name().to_owned()];
    let mut put = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.extend([flag.to_owned(), value]);
        }
    };
    let needed = args.accounts + 1;
    let room = (needed > ACCOUNTS_ANY_SERVER_HOLDS).then_some(needed);
    put("--cores", settings.cores.map(|n| n.to_string()));
    put("--segment-bytes", settings.segment_bytes.map(|n| n.to_string()));
    put("--accounts-max", settings.accounts_max.or(room).map(|n| n.to_string()));
    put("--connections-max", settings.connections_max.map(|n| n.to_string()));
    ServerOptions { flags }
}

fn resolve(address: &str) -> Result<SocketAddr, Failure> {
    let mut found = address.to_socket_addrs().map_err(|error| {
        Failure::new(Exit::Unavailable, format!("bench: can't look up {address}: {error}"))
    })?;
    found.next().ok_or_else(|| Failure::usage(format!("bench: {address} names no address")))
}

/// A log in memory is written in no time; a figure from there says nothing about a disk.
fn warn_of_memory(directory: &Path) {
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    let kind = rustix::fs::statfs(directory).map(|found| u64::try_from(found.f_type));
    if matches!(kind, Ok(Ok(TMPFS_MAGIC))) {
        let place = directory.display();
        say(&format!("bench: {place} is in memory; set TMPDIR to a directory on a disk"));
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let exit = match error {
            LoadError::Connect { .. } | LoadError::Unreachable(_) | LoadError::Server(_) => {
                Exit::Unavailable
            }
            LoadError::InFlight { .. } => Exit::Usage,
            LoadError::Closed | LoadError::Stalled { .. } => Exit::Unknown,
            _ => Exit::Failed,
        };
        Self::new(exit, format!("bench: {error}"))
    }
}
