//! A writer that is killed with SIGKILL at any moment leaves a log that recovers by itself. Only a
//! real process shows what a killed one leaves in a mapping.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::io::{Clock, Directory, SystemClock};
use crate::ledger::{Op, Timestamp};
use crate::log::group::Durable;
use crate::log::prepare::create_log;

use super::tests::{CONFIG, Source, recover, submit};
use super::*;

const CHILD_DIRECTORY: &str = "PARTITA_TEST_KILLED_WRITER";
const CHILD_KIND: &str = "PARTITA_TEST_KILLED_WRITER_KIND";

/// Not a test by itself: the process that is killed. It says each op that is durable.
#[test]
fn the_writer_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD_DIRECTORY) else {
        assert!(std::env::var_os(CHILD_KIND).is_none());
        return;
    };
    let kind = match std::env::var(CHILD_KIND).as_deref() {
        Ok("mapped") => LogWriterKind::Mapped,
        _ => LogWriterKind::Direct,
    };
    let directory = Directory::new(path);
    let (transfers, end) = recover(&directory);
    let mut source = Source::new(end.progress(), u128::from(transfers) + 1);
    let say = |op: Op| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {op}").unwrap();
        out.flush().unwrap();
    };
    let options = WriterOptions { kind, ..WriterOptions::default() };
    let durable = Box::new(move |durable: Durable| say(durable.op));
    let notices = Notices { durable, ..Notices::none() };
    let writer = LogWriter::start(end, options, notices).unwrap();
    for round in 0_u16.. {
        let large = round % 4 == 0;
        submit(&writer, source.next(if large { 3_000 } else { 1 + round % 90 }, false));
    }
}

fn survives(kind: LogWriterKind, name: &str, rounds: u64) {
    let temporary = tempfile::tempdir().unwrap();
    let directory = Directory::new(temporary.path());
    create_log(&directory, CONFIG, Timestamp(1)).unwrap();
    let mut random = SystemClock::new().now().unix_ns;
    let mut written = 0;
    for round in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round | 1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["log::writer::killed::the_writer_that_is_killed", "--exact", "--nocapture"])
            .env(CHILD_DIRECTORY, directory.path())
            .env(CHILD_KIND, name)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let (began, has_begun) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            let mut last = Op(0);
            for line in lines.lines().map_while(Result::ok) {
                if let Some((_, op)) = line.split_once("durable ")
                    && let Ok(op) = op.parse()
                {
                    last = Op(op);
                    // Nobody listens after the first.
                    let _ = began.send(());
                }
            }
            last
        });
        has_begun.recv_timeout(Duration::from_secs(60)).unwrap();
        std::thread::sleep(Duration::from_micros(random % 120_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reading.join().unwrap();
        let (transfers, end) = recover(&directory);
        assert!(end.progress().op >= acknowledged, "{kind:?} round {round}: {acknowledged}");
        assert!(transfers >= written, "{kind:?} round {round}: nothing is ever lost again");
        written = transfers;
    }
    assert!(written > 0, "the writers wrote something");
}

#[test]
fn a_killed_direct_writer_loses_nothing_that_was_durable() {
    survives(LogWriterKind::Direct, "direct", 4);
}

#[test]
fn a_killed_mapped_writer_loses_nothing_that_was_durable() {
    survives(LogWriterKind::Mapped, "mapped", 4);
}
