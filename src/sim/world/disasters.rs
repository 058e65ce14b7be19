//! What goes wrong while the server runs.

use super::auditor::Wrong;
use super::damage;
use super::report::Count;
use super::state::{Event, World, note};
use crate::io::memory::Fault;

impl World {
    /// Now and then something goes wrong.
    pub(super) fn disturb(&mut self) -> Result<(), Wrong> {
        if self.quiet || self.chance.faults.below(1_000) >= self.troubles_per_mille {
            return Ok(());
        }
        match self.chance.faults.below(100) {
            0..=37 => {
                let open: Vec<u64> = self.connections.keys().copied().collect();
                if open.is_empty() {
                    return Ok(());
                }
                let id = self.chance.faults.pick(&open);
                note!(self, "connection {id} is cut");
                return self.cut(id);
            }
            38..=51 => self.power_cut(),
            52..=60 => self.kill(),
            61..=66 => self.drain(),
            67..=71 => {
                self.report.count(Count::SlowDisks);
                self.disk_slowness = self.chance.faults.between(5, 100);
                let wait_ns = self.chance.faults.between(1, 50) * 1_000_000;
                self.after(wait_ns, Event::DiskRecovers);
            }
            72..=78 => self.fill_disk(),
            79..=85 => self.break_disk(),
            86..=93 => self.crash_keeper(),
            _ => {
                self.report.count(Count::ClockJumps);
                self.clock_behind_ns = self.chance.faults.below(2_000_000_000);
            }
        }
        Ok(())
    }

    /// A write has just begun: the most interesting moment for the power to fail, or soon after it.
    pub(super) fn tempt_fate(&mut self) {
        let faults = &mut self.chance.faults;
        if !self.quiet && self.troubles_per_mille > 0 && faults.percent(3) {
            let wait_ns = faults.below(150_000 * self.disk_pace);
            self.after(wait_ns, Event::PowerCut(self.life));
        }
    }

    /// The power fails.
    pub(super) fn power_cut(&mut self) {
        let Some(node) = &self.node else { return };
        self.in_flight_at_crash = node.logging.in_flight();
        self.report.count(Count::PowerCuts);
        self.report.add(Count::WritesInFlightAtCrash, self.in_flight_at_crash.len() as u64);
        note!(self, "power cut, {} writes in flight", self.in_flight_at_crash.len());
        self.disk = damage::power_cut(&self.disk, &mut self.chance.faults);
        self.gone();
    }

    /// The process is killed, the machine lives on.
    pub(super) fn kill(&mut self) {
        if self.node.is_some() {
            self.report.count(Count::Kills);
            note!(self, "kill");
            self.disk = self.disk.after_kill();
            self.in_flight_at_crash.clear();
            self.gone();
        }
    }

    /// The server is no more; somebody will start it again.
    fn gone(&mut self) {
        self.node = None;
        self.life += 1;
        self.turn_due = false;
        self.queries.clear();
        self.loads.clear();
        self.disk_full = false;
        self.disk_broken = false;
        let connections: Vec<u64> = self.connections.keys().copied().collect();
        for id in connections {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.at_server = None;
            }
            self.tell_caller(id);
        }
        let wait_ns = self.chance.faults.between(10_000, 20_000_000);
        self.after(wait_ns, Event::Start);
    }

    /// Somebody asks the server to stop.
    fn drain(&mut self) {
        if let Some(node) = &mut self.node
            && !node.draining
        {
            node.draining = true;
            note!(self, "draining");
            self.after(3_000_000_000, Event::StopNow(self.life));
            self.wake_node();
        }
    }

    pub(super) fn stopped_cleanly(&mut self) -> Result<(), Wrong> {
        let now_ns = self.now_ns;
        let Some(node) = &mut self.node else { return Ok(()) };
        if let Err(reason) = node.logging.end(now_ns) {
            return self.stopped(&reason);
        }
        note!(self, "stopped cleanly");
        self.report.count(Count::CleanStops);
        self.disk = self.disk.after_kill();
        self.in_flight_at_crash.clear();
        self.gone();
        Ok(())
    }

    /// Draining took too long.
    pub(super) fn stop_now(&mut self) -> Result<(), Wrong> {
        if self.node.as_ref().is_some_and(|node| node.draining) {
            self.kill();
        }
        Ok(())
    }

    /// The server stopped itself. It may only do so when the disk fails; a full one is no reason.
    pub(super) fn stopped(&mut self, reason: &str) -> Result<(), Wrong> {
        if !self.disk_broken {
            return Err(format!("the server stopped itself: {reason}"));
        }
        note!(self, "the server stops: {reason}");
        self.report.count(Count::DiskErrors);
        if self.chance.faults.percent(50) {
            self.power_cut()
        } else {
            self.kill()
        }
        Ok(())
    }

    fn fill_disk(&mut self) {
        if self.node.is_none() {
            return;
        }
        self.report.count(Count::FullDisks);
        self.disk_full = true;
        let room = self.chance.faults.below(self.config.segment_bytes);
        self.disk.plant(Fault::Full(self.disk.used_bytes() + room));
        let wait_ns = self.chance.faults.between(1, 1_000) * 1_000_000;
        self.after(wait_ns, Event::DiskRecovers);
    }

    fn break_disk(&mut self) {
        if self.node.is_none() {
            return;
        }
        self.disk_broken = true;
        let after = self.chance.faults.below(4);
        let fault = match self.chance.faults.below(5) {
            0 | 1 => Fault::WriteFails(after),
            2 | 3 => Fault::SyncFails(after),
            _ => Fault::WriteIsShort(after),
        };
        note!(self, "the disk is going to fail: {fault:?}");
        self.disk.plant(fault);
    }

    /// The power fails in the middle of the keeper's work.
    fn crash_keeper(&mut self) {
        let after = self.chance.faults.below(4);
        let Some(node) = &mut self.node else { return };
        self.disk.freeze_at_sync(after);
        node.logging.doomed_work();
        self.report.count(Count::CrashesOfTheKeeper);
        self.power_cut();
    }

    pub(super) fn disk_recovers(&mut self) {
        self.disk_slowness = 1;
        if !self.disk_broken {
            self.disk.heal();
            self.disk_full = false;
        }
    }

    /// From now on nothing goes wrong, so that everything can come to an end.
    pub(super) fn calm_down(&mut self) {
        note!(self, "calm");
        self.quiet = true;
        self.disk_slowness = 1;
        self.disk.heal();
        self.disk_full = false;
        self.disk_broken = false;
    }
}
