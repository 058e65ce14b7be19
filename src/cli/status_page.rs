//! The status of a server as a page for a person: what matters first, at most 80 columns.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::dates::format_timestamp;
use crate::wire::StatusReport;

/// Columns of the page.
const WIDTH: usize = 80;
/// Columns of the names on the left.
const NAMES: usize = 14;
/// Bytes of the log that a transfer takes, about.
const TRANSFER_BYTES: u64 = 180;

/// Writes the page.
pub(crate) fn write(report: &StatusReport, out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in lines(report) {
        write_line(out, name, &value)?;
    }
    let counters = report.counters.iter();
    let mut counters: Vec<_> =
        counters.filter(|(name, count)| **count > 0 && !name.starts_with("phase_")).collect();
    counters.sort();
    if !counters.is_empty() {
        writeln!(out, "\nCounted since the start (what is 0 is left out; --json has all):")?;
        let widest = counters.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, &count) in counters {
            writeln!(out, "  {name:<widest$}  {}", grouped(count))?;
        }
    }
    let phases = report.phases();
    if !phases.is_empty() {
        writeln!(out, "\nWhere the time of each thread went:")?;
        for (thread, phases) in phases {
            write_line(out, &format!("  {thread}"), &shares(&phases))?;
        }
    }
    Ok(())
}

fn lines(report: &StatusReport) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("state", format!("{}, up {}", state(report), duration(report.uptime_seconds))),
        ("writes", writes(report)),
        ("cluster", report.cluster.clone()),
        ("version", report.version.clone()),
        ("op", format!("{} in epoch {}", grouped(report.op), report.epoch)),
    ];
    if report.timestamp > 0 {
        lines.push(("newest record", format_timestamp(report.timestamp)));
    }
    lines.push(("clock", clock(report)));
    lines.push(("accounts", of(report.accounts, report.accounts_max)));
    lines.push(("open holds", of(report.holds, report.holds_max)));
    lines.push(("transfers", grouped(report.transfers)));
    let log = format!("{}, written {}", bytes(report.log_position), report.log_writer);
    lines.push(("log", log));
    if let Some(free) = report.disk_free_bytes {
        let room = rounded(free / TRANSFER_BYTES);
        lines.push(("disk", format!("{} free, room for about {room} transfers", bytes(free))));
    }
    let (connections, requests) = (report.connections, report.requests_in_flight);
    lines.push(("clients", format!("{connections} connections, {requests} requests in flight")));
    lines.push(("cores", report.cores.to_string()));
    lines
}

/// A server that refuses writes doesn't serve, to somebody who waits for a payment.
fn state(report: &StatusReport) -> String {
    let is_read_only = report.state == "serving" && !report.writes_refused.is_empty();
    if is_read_only { "serving reads only".to_owned() } else { report.state.clone() }
}

/// How far the ledger's time is from the machine's clock.
fn clock(report: &StatusReport) -> String {
    let ms = report.clock_ahead_ns / 1_000_000;
    let difference = match ms {
        0 => "as the machine's".to_owned(),
        _ if ms > 0 => format!("{} ms ahead of the machine's", grouped(ms.unsigned_abs())),
        _ => format!("{} ms behind the machine's", grouped(ms.unsigned_abs())),
    };
    match report.clock_steps {
        0 => difference,
        steps => format!("{difference}, which jumped {} times", grouped(steps)),
    }
}

fn writes(report: &StatusReport) -> String {
    match report.writes_refused.as_str() {
        "" if report.state == "draining" => "refused: the server is going down".to_owned(),
        "" => "accepted".to_owned(),
        reason => format!("refused: {reason}"),
    }
}

/// How many there are, and how many there can be.
fn of(there: u64, most: u64) -> String {
    match most.saturating_sub(there) {
        // An older server doesn't say.
        _ if most == 0 => grouped(there),
        0 => format!("{}, and no more fit", grouped(there)),
        room => format!("{}, room for {} more", grouped(there), grouped(room)),
    }
}

/// A name and its value, which goes on below itself where it doesn't fit.
fn write_line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    let mut line = format!("{name:<NAMES$}");
    let mut is_first = true;
    for word in value.split(' ') {
        let more = word.chars().count() + usize::from(!is_first);
        if !is_first && line.chars().count() + more > WIDTH {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(NAMES);
            is_first = true;
        }
        if !is_first {
            line.push(' ');
        }
        line.push_str(word);
        is_first = false;
    }
    writeln!(out, "{}", line.trim_end())
}

/// `12,345,678`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two leading digits are enough for an estimate.
fn rounded(number: u64) -> String {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    grouped(number / unit * unit)
}

/// `14.2 MiB`
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1 << 10 {
        return format!("{count} bytes");
    }
    let mut tenths = u128::from(count) * 10;
    let mut unit = "";
    for name in UNITS {
        if !unit.is_empty() && tenths < 10 << 10 {
            break;
        }
        tenths >>= 10;
        unit = name;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// `3 d 04:05:06`
fn duration(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days} d {clock}") }
}

/// What a thread has spent its time on since the start, in thousandths: `decide 1.5 %, wait 98.5 %`.
fn shares(phases: &BTreeMap<String, u64>) -> String {
    let all = phases.values().sum::<u64>().max(1);
    let share = |(phase, &ns): (&String, &u64)| {
        let thousandths = u128::from(ns) * 1_000 / u128::from(all);
        // One word for the wrapping of lines.
        format!("{phase}\u{a0}{}.{}\u{a0}%", thousandths / 10, thousandths % 10)
    };
    phases.iter().map(share).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(report: &StatusReport) -> String {
        let mut out = Vec::new();
        write(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn line<'a>(page: &'a str, name: &str) -> &'a str {
        let found = page.lines().find_map(|line| line.trim_start().strip_prefix(name));
        found.unwrap_or_else(|| panic!("{name}: {page}")).trim()
    }

    fn busy() -> StatusReport {
        let mut report = StatusReport {
            state: "serving".to_owned(),
            cluster: "c7235bcf77aea48899af1b08f05a95cf".to_owned(),
            op: u64::MAX,
            epoch: u64::MAX,
            timestamp: 1_700_000_000_000_000_001,
            uptime_seconds: 3 * 86_400 + 3_661,
            accounts: 1_250,
            accounts_max: 100_000_000,
            holds: 7,
            holds_max: 7,
            transfers: u64::MAX,
            log_position: u64::MAX,
            disk_free_bytes: Some(13_207_024_436),
            ..StatusReport::default()
        };
        for name in ["a", "b", "something_rather_long", "something_very_long_that_takes_time"] {
            report.counters.insert(format!("phase_core0_{name}_ns"), 9);
            report.counters.insert(name.to_owned(), u64::MAX);
        }
        report.counters.insert("nothing".to_owned(), 0);
        report
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let mut report = busy();
        report.writes_refused = "one word after the other ".repeat(9);
        let page = page(&report);
        let wide: Vec<_> = page.lines().filter(|line| line.chars().count() > WIDTH).collect();
        assert!(wide.is_empty(), "{wide:?}");
        assert!(!page.contains("nothing"), "{page}");
    }

    #[test]
    fn it_says_how_much_room_is_left() {
        let page = page(&busy());
        assert_eq!(line(&page, "accounts"), "1,250, room for 99,998,750 more");
        assert_eq!(line(&page, "open holds"), "7, and no more fit");
        assert_eq!(line(&page, "disk"), "12.3 GiB free, room for about 73,000,000 transfers");
        assert_eq!(line(&page, "state"), "serving, up 3 d 01:01:01");
    }

    #[test]
    fn it_says_whether_and_why_writes_are_refused() {
        let mut report = busy();
        assert_eq!(line(&page(&report), "writes"), "accepted");
        assert_eq!(line(&page(&report), "state"), "serving, up 3 d 01:01:01");
        report.writes_refused = "the disk is full".to_owned();
        assert_eq!(line(&page(&report), "writes"), "refused: the disk is full");
        assert_eq!(line(&page(&report), "state"), "serving reads only, up 3 d 01:01:01");
        report.writes_refused.clear();
        report.state = "draining".to_owned();
        assert!(line(&page(&report), "writes").starts_with("refused"));
    }

    #[test]
    fn it_says_how_far_the_clock_is_off() {
        let mut report = busy();
        assert_eq!(line(&page(&report), "clock"), "as the machine's");
        report.clock_ahead_ns = 3_600_000_999_999;
        assert_eq!(line(&page(&report), "clock"), "3,600,000 ms ahead of the machine's");
        report.clock_ahead_ns = -2_000_000;
        report.clock_steps = 2;
        let behind = "2 ms behind the machine's, which jumped 2 times";
        assert_eq!(line(&page(&report), "clock"), behind);
    }

    #[test]
    fn what_an_older_server_does_not_tell_is_left_out() {
        let page = page(&StatusReport { accounts: 3, ..StatusReport::default() });
        assert_eq!(line(&page, "accounts"), "3");
        assert!(!page.contains("disk"), "{page}");
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        let shown = [0, 1_023, 1_024, 1_536, 1 << 20, 5 << 40].map(bytes);
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 TiB"]);
        assert_eq!([0, 7, 99, 123, 1_999_999].map(rounded), ["0", "7", "99", "120", "1,900,000"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
