//! The result of a run: numbers, method and machine, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Disagreement;
use super::load::{Load, Measured};
use super::workload::{Ids, Mix};
use crate::io::to_u64;
use crate::wire::StatusReport;

/// Disagreements told in full; the number of all is told as well.
const DISAGREEMENTS_TOLD: usize = 10;

/// Latency of a request: from when it was due (open loop) or handed to the socket (closed loop)
/// until its reply was read. In microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the requests were faster.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The slowest one.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// The mean latency in parts, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyParts {
    /// All of it.
    pub mean: f64,
    /// From when the server has the request until it is ordered.
    pub turn: f64,
    /// From then until it is durable.
    pub log: f64,
    /// The rest: in the client, in sockets, being decoded, decided and answered.
    pub rest: f64,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Configuration {
    batch: u64,
    connections: usize,
    in_flight: usize,
    rate: Option<u64>,
    accounts: u64,
    hot_accounts: u64,
    hot_percent: u64,
    ids: &'static str,
    mix: &'static str,
    seed: u64,
}

/// The server, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Server {
    version: String,
    cores: u32,
    log_writer: String,
    /// Bytes of log written during the measurement, and so on: what the counters grew by.
    counters: BTreeMap<String, u64>,
    log_bytes: u64,
}

/// Where it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Machine {
    processors: usize,
    model: String,
    kernel: String,
}

/// The check at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Balances {
    accounts: u64,
    disagreements: u64,
    first: Vec<Disagreement>,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Transfers answered, whatever the status, divided by the time from the first request built
    /// to the last reply read.
    pub transfers_per_second: f64,
    /// Of requests.
    pub latency_us: Latency,
    /// Transfers answered.
    pub transfers: u64,
    /// Requests answered.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
    /// Transfers by status.
    pub statuses: BTreeMap<String, u64>,
    /// Requests that were refused as a whole, by error; nothing of them happened.
    pub refused_requests: BTreeMap<String, u64>,
    /// Open loop: the most requests that were due and had to wait for a reply before being sent.
    pub waiting_max: u64,
    /// The server's own account of what each thread spends its time on, in nanoseconds for each
    /// transfer.
    pub phases_ns: BTreeMap<String, BTreeMap<String, f64>>,
    /// Where the mean latency comes from, in microseconds.
    pub latency_parts_us: LatencyParts,
    configuration: Configuration,
    server: Server,
    machine: Machine,
    balances: Balances,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "rates and means are shown to people")]
    pub(crate) fn new(
        load: &Load,
        measured: &Measured,
        before: &StatusReport,
        after: StatusReport,
        disagreements: Vec<Disagreement>,
    ) -> Self {
        let journal = &measured.journal;
        let transfers = journal.events_answered();
        let seconds = measured.elapsed_ns as f64 / 1e9;
        let counters = growth(&before.counters, &after.counters);
        let (phases_before, phases_after) = (before.phases(), after.phases());
        let phases_ns = phases_after
            .into_iter()
            .map(|(thread, phases)| {
                let before = phases_before.get(&thread).cloned().unwrap_or_default();
                let per_transfer = |ns: u64| ns as f64 / transfers.max(1) as f64;
                let grown = growth(&before, &phases).into_iter();
                (thread, grown.map(|(phase, ns)| (phase, per_transfer(ns))).collect())
            })
            .collect();
        let latency_us = latency(&measured.latency_ns);
        let mean_of = |name: &str| {
            let requests = journal.requests_answered().max(1) as f64;
            counters.get(name).copied().unwrap_or(0) as f64 / requests / 1e3
        };
        let (turn, log) = (mean_of("latency_turn_ns"), mean_of("latency_log_ns"));
        let rest = latency_us.mean - turn - log;
        let latency_parts_us = LatencyParts { mean: latency_us.mean, turn, log, rest };
        Self {
            transfers_per_second: if seconds > 0.0 { transfers as f64 / seconds } else { 0.0 },
            latency_us,
            transfers,
            requests: journal.requests_answered(),
            seconds,
            statuses: journal.statuses(),
            refused_requests: journal.refused().clone(),
            waiting_max: measured.waiting_max,
            phases_ns,
            latency_parts_us,
            configuration: configuration(load),
            server: Server {
                version: after.version,
                cores: after.cores,
                log_writer: after.log_writer,
                counters,
                log_bytes: after.log_position.saturating_sub(before.log_position),
            },
            machine: machine(),
            balances: Balances {
                accounts: load.workload.accounts + 1,
                disagreements: to_u64(disagreements.len()),
                first: disagreements.into_iter().take(DISAGREEMENTS_TOLD).collect(),
            },
        }
    }

    /// Whether nothing was measured, for every request was refused as a whole.
    #[must_use]
    pub fn all_refused(&self) -> bool {
        self.statuses.is_empty() && !self.refused_requests.is_empty()
    }

    /// Whether every balance of the server is what was acknowledged.
    #[must_use]
    pub const fn balances_agree(&self) -> bool {
        self.balances.disagreements == 0
    }
}

fn configuration(load: &Load) -> Configuration {
    let workload = &load.workload;
    Configuration {
        batch: workload.batch,
        connections: load.connections,
        in_flight: load.in_flight,
        rate: load.rate,
        accounts: workload.accounts,
        hot_accounts: workload.hot_accounts,
        hot_percent: workload.hot_percent,
        ids: match workload.ids {
            Ids::Ordered => "ordered",
            Ids::Random => "random",
        },
        mix: match workload.mix {
            Mix::Simple => "simple",
            Mix::Limits => "limits",
            Mix::TwoPhase => "two-phase",
            Mix::Chains => "chains",
        },
        seed: workload.seed,
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
pub(super) fn latency(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max() as f64 / 1e3,
        mean: histogram.mean() / 1e3,
    }
}

fn growth(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |name: &String| before.get(name).copied().unwrap_or(0);
    after.iter().map(|(name, now)| (name.clone(), now.saturating_sub(since(name)))).collect()
}

fn machine() -> Machine {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    Machine {
        processors: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        model: model.map_or_else(String::new, |(_, name)| name.trim().to_owned()),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Report {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is a positive number far below 2^64"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = grouped(self.transfers_per_second.round() as u64);
        writeln!(f, "transfers   {} in {:.3} s", grouped(self.transfers), self.seconds)?;
        writeln!(f, "throughput  {rate} transfers/s")?;
        let Latency { p50, p90, p99, p999, max, .. } = self.latency_us;
        writeln!(
            f,
            "latency     p50 {p50:.0} µs, p90 {p90:.0} µs, p99 {p99:.0} µs, p99.9 {p999:.0} µs, \
             max {max:.0} µs, of {} requests",
            grouped(self.requests)
        )?;
        for (name, count) in &self.statuses {
            writeln!(f, "status      {name} {}", grouped(*count))?;
        }
        for (name, count) in &self.refused_requests {
            writeln!(f, "refused     {name} {} requests", grouped(*count))?;
        }
        if self.waiting_max > 0 {
            writeln!(f, "waiting     at most {} requests at once", grouped(self.waiting_max))?;
        }
        let LatencyParts { mean, turn, log, rest } = self.latency_parts_us;
        writeln!(
            f,
            "mean        {mean:.0} µs = {turn:.0} µs until its turn + {log:.0} µs until durable + \
             {rest:.0} µs on the way and in the client"
        )?;
        let total = 1e9 / self.transfers_per_second.max(1.0);
        for (thread, phases) in &self.phases_ns {
            let parts: Vec<String> =
                phases.iter().map(|(phase, ns)| format!("{phase} {ns:.0}")).collect();
            let sum: f64 = phases.values().sum();
            let parts = parts.join(" + ");
            writeln!(f, "{thread:<11} {parts} = {sum:.0} of {total:.0} ns a transfer")?;
        }
        let Server { version, cores, log_writer, log_bytes, .. } = &self.server;
        writeln!(
            f,
            "server      {version}, {cores} cores, log writer {log_writer}, {} bytes of log",
            grouped(*log_bytes)
        )?;
        let Machine { processors, model, kernel } = &self.machine;
        writeln!(f, "machine     {processors} × {model}, Linux {kernel}")?;
        let Balances { accounts, disagreements, first } = &self.balances;
        if *disagreements == 0 {
            let accounts = grouped(*accounts);
            return writeln!(f, "balances    all {accounts} accounts as acknowledged");
        }
        writeln!(f, "balances    {} of {} accounts WRONG", grouped(*disagreements), accounts)?;
        for Disagreement { account, expected, found } in first {
            writeln!(f, "  account {account}:\n    expected {expected}\n    found    {found}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let all = [0, 12, 999, 1_000, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "12", "999", "1,000", "123,456", "1,234,567"]);
    }

    #[test]
    fn counters_grow_from_nothing_too() {
        let map = |pairs: &[(&str, u64)]| pairs.iter().map(|&(n, v)| (n.to_owned(), v)).collect();
        let grown = growth(&map(&[("a", 5)]), &map(&[("a", 7), ("b", 3)]));
        assert_eq!(grown, map(&[("a", 2), ("b", 3)]));
    }
}
