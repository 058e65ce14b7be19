//! The world itself: its parts, its queue of events, its beginning and its end.

use std::collections::{BTreeMap, VecDeque};

use super::SimulationOptions;
use super::auditor::{Auditor, Wrong};
use super::callers::Caller;
use super::calls::CallRecord;
use super::damage::Stretch;
use super::network::Connection;
use super::node::Node;
use super::report::{Count, Report};
use super::serving::Query;
use crate::engine::Load;
use crate::io::memory::MemoryStorage;
use crate::ledger::{Capacity, Op};
use crate::log::{ClusterConfig, ClusterId, LogIdentity};
use crate::sim::random::Random;
use crate::sim::workload::{Workload, WorkloadOptions};

/// When the first event takes place, by the wall clocks of this world. The longest timeouts
/// overflow so late.
const WALL_CLOCK_START_NS: u64 = 5_000_000_000_000_000_000;

/// More events than any sound world has.
const EVENTS_MAX: u64 = 400_000;

/// Lines of the record that are kept.
const TRACE_LINES: usize = 400;

/// One thing that happens.
pub(super) enum Event {
    /// A caller thinks of something to ask.
    NewCall(usize),
    /// A caller's session has a timer.
    CallerTimer(usize),
    Connected(u64),
    ConnectFailed(u64),
    ToServer(u64, Vec<u8>),
    ToCaller(u64, Vec<u8>),
    LostAtServer(u64),
    LostAtCaller(u64),
    /// The server looks what there is to do.
    Turn(u64),
    /// The disk is done with a write of that life of the server.
    WriteEnds(u64, u64),
    /// The query thread is done.
    QueryEnds(u64, u64),
    /// The thread that reads old records is done.
    LoadEnds(u64, u64),
    /// The keeper's thread wakes.
    Keeper(u64),
    /// The keeper is done with a segment.
    SegmentMade(u64),
    /// Someone starts the server.
    Start,
    /// A clean stop gives up waiting.
    StopNow(u64),
    DiskRecovers,
    /// The power fails in that life of the server.
    PowerCut(u64),
}

/// Chance by what it decides, so that parts don't disturb each other.
pub(super) struct Chances {
    pub(super) callers: Random,
    pub(super) network: Random,
    pub(super) disk: Random,
    pub(super) faults: Random,
}

/// See the module's documentation.
pub(super) struct World {
    pub(super) options: SimulationOptions,
    pub(super) now_ns: u64,
    pub(super) events: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(super) chance: Chances,
    pub(super) config: ClusterConfig,
    pub(super) disk: MemoryStorage,
    pub(super) node: Option<Node>,
    /// Counts the server's lives: events of an earlier one mean nothing.
    pub(super) life: u64,
    pub(super) turn_due: bool,
    pub(super) queries: BTreeMap<u64, Query>,
    pub(super) next_query: u64,
    pub(super) loads: BTreeMap<u64, Vec<Load>>,
    pub(super) next_load: u64,
    /// Writes that the last power cut interrupted.
    pub(super) in_flight_at_crash: Vec<Stretch>,
    /// The disk has no room, or had none a moment ago.
    pub(super) disk_full: bool,
    /// The disk fails, or will.
    pub(super) disk_broken: bool,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) next_connection: u64,
    pub(super) callers: Vec<Caller>,
    pub(super) calls: BTreeMap<u64, CallRecord>,
    pub(super) open_calls: usize,
    pub(super) steps_left: u32,
    pub(super) workload: Workload,
    pub(super) auditor: Auditor,
    /// The highest op that any caller was told of.
    pub(super) told: Op,
    pub(super) report: Report,
    /// Nothing goes wrong any more.
    pub(super) quiet: bool,
    /// How much the wall clock is behind.
    pub(super) clock_behind_ns: u64,
    /// How slow the disk is.
    pub(super) disk_pace: u64,
    /// How much slower it is now.
    pub(super) disk_slowness: u64,
    /// Disturbances in 1,000 events.
    pub(super) troubles_per_mille: u64,
    trace: VecDeque<String>,
}

/// A line for the record, if there is one.
macro_rules! note {
    ($world:expr, $($line:tt)*) => {
        if $world.options.trace {
            $world.note(format!($($line)*));
        }
    };
}
pub(super) use note;

impl World {
    pub(super) fn new(seed: u64, options: SimulationOptions) -> Self {
        let mut random = Random::new(seed);
        let chance = Chances {
            callers: random.fork(),
            network: random.fork(),
            disk: random.fork(),
            faults: random.fork(),
        };
        // All that callers can have under way at once fits a segment; the smaller, the more of them.
        let (events_per_request_max, segment_kib) = match random.below(3) {
            0 => (4, random.pick(&[64, 64, 128])),
            1 => (12, random.pick(&[128, 192, 384])),
            _ => (24, random.pick(&[256, 256, 1024])),
        };
        let config = ClusterConfig {
            cluster: ClusterId(random.next_u128()),
            segment_bytes: segment_kib << 10,
            accounts_max: 1 << 20,
            holds_max: 1 << 20,
            rules_version: 1,
        };
        let workload = WorkloadOptions {
            accounts: random.pick(&[6, 12, 24]),
            events_per_request_max,
            percent_long_pauses: 3,
            ..WorkloadOptions::default()
        };
        let identity = LogIdentity { cluster: config.cluster, layout: config.layout() };
        let capacity = Capacity { accounts_max: config.accounts_max, holds_max: config.holds_max };
        let troubles_per_mille = random.pick(&[0, 8, 15, 15, 25]);
        let callers = random.between(1, 5);
        let workload = Workload::new(random.next_u64(), workload);
        let mut world = Self {
            options,
            now_ns: 1_000_000_000,
            events: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            chance,
            config,
            disk: MemoryStorage::new(),
            node: None,
            life: 0,
            turn_due: false,
            queries: BTreeMap::new(),
            next_query: 0,
            loads: BTreeMap::new(),
            next_load: 0,
            in_flight_at_crash: Vec::new(),
            disk_full: false,
            disk_broken: false,
            connections: BTreeMap::new(),
            next_connection: 1,
            callers: Vec::new(),
            calls: BTreeMap::new(),
            open_calls: 0,
            steps_left: options.steps,
            workload,
            auditor: Auditor::new(identity, capacity),
            told: Op(0),
            report: Report::default(),
            quiet: false,
            clock_behind_ns: 0,
            disk_pace: random.pick(&[1, 5, 30]),
            disk_slowness: 1,
            troubles_per_mille,
            trace: VecDeque::new(),
        };
        for index in 0..callers {
            world.add_caller(index);
        }
        world
    }

    /// Lets everything happen.
    pub(super) fn run(&mut self) -> Result<(), Wrong> {
        self.create_log()?;
        self.after(0, Event::Start);
        while self.steps_left > 0 || self.open_calls > 0 {
            let Some(((at_ns, _), event)) = self.queue.pop_first() else {
                return Err("nothing more happens, and calls are open".to_owned());
            };
            self.now_ns = at_ns;
            self.events += 1;
            if self.events > EVENTS_MAX {
                return Err("this world finds no end".to_owned());
            }
            self.handle(event)?;
            if self.steps_left == 0 && !self.quiet {
                self.calm_down();
            }
            self.disturb()?;
        }
        self.end()
    }

    fn handle(&mut self, event: Event) -> Result<(), Wrong> {
        match event {
            Event::NewCall(caller) => self.new_call(caller),
            Event::CallerTimer(caller) => self.caller_timer(caller),
            Event::Connected(connection) => self.connected(connection),
            Event::ConnectFailed(connection) => self.lost_at_caller(connection),
            Event::ToServer(connection, bytes) => self.bytes_at_server(connection, &bytes),
            Event::ToCaller(connection, bytes) => self.bytes_at_caller(connection, &bytes),
            Event::LostAtServer(connection) => {
                self.lost_at_server(connection);
                Ok(())
            }
            Event::LostAtCaller(connection) => self.lost_at_caller(connection),
            Event::Turn(life) if life == self.life => self.turn(),
            Event::WriteEnds(life, id) if life == self.life => self.write_ends(id),
            Event::QueryEnds(life, id) if life == self.life => self.query_ends(id),
            Event::LoadEnds(life, id) if life == self.life => self.load_ends(id),
            Event::Keeper(life) if life == self.life => self.keeper_wakes(),
            Event::SegmentMade(life) if life == self.life => self.segment_made(),
            Event::StopNow(life) if life == self.life => self.stop_now(),
            Event::Start => self.start(),
            Event::DiskRecovers => {
                self.disk_recovers();
                Ok(())
            }
            Event::PowerCut(life) if life == self.life && !self.quiet => {
                self.power_cut();
                Ok(())
            }
            // Of a server that is no more.
            Event::Turn(_)
            | Event::WriteEnds(..)
            | Event::QueryEnds(..)
            | Event::LoadEnds(..)
            | Event::Keeper(_)
            | Event::SegmentMade(_)
            | Event::StopNow(_)
            | Event::PowerCut(_) => Ok(()),
        }
    }

    /// Lets something happen later.
    pub(super) fn after(&mut self, wait_ns: u64, event: Event) {
        self.at(self.now_ns + wait_ns, event);
    }

    /// Lets something happen at that time.
    pub(super) fn at(&mut self, at_ns: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at_ns.max(self.now_ns), self.sequence), event);
    }

    /// What the server's wall clock shows.
    pub(super) const fn wall_ns(&self) -> u64 {
        WALL_CLOCK_START_NS + self.now_ns - self.clock_behind_ns
    }

    pub(super) fn note(&mut self, line: String) {
        if self.trace.len() == TRACE_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>12} {:>6}  {line}", self.now_ns / 1_000, self.events));
    }

    pub(super) fn into_report(mut self) -> Report {
        self.report.add(Count::Events, self.events);
        self.report.add(Count::AnswersChecked, self.auditor.answers_checked);
        self.report.coverage = self.auditor.coverage;
        self.report
    }

    pub(super) fn into_trace(self) -> (u64, Vec<String>) {
        (self.events, self.trace.into())
    }
}
