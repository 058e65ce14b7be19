//! Starting the server on what a crash left, with more going wrong meanwhile, and checking what it
//! comes back with.

use super::auditor::Wrong;
use super::damage;
use super::logging::{LoggingOptions, WriterStyle};
use super::node::{Node, NodeOptions};
use super::report::Count;
use super::state::{Event, World, note};
use crate::io::memory::{Fault, MemoryStorage};
use crate::io::to_usize;
use crate::ledger::Timestamp;
use crate::log::{CreateError, GroupConfig, LogIdentity, Preparation, create_log};
use crate::server::OpenError;
use crate::wire::{Reply, Request};

/// What goes wrong with a start.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    None,
    /// The disk holds other bytes than were written: a refusal is right, an exact recovery, too.
    Damage(String),
    /// The disk doesn't give some bytes.
    Unreadable,
    /// There is no room for what recovery has to write.
    Full,
    /// The power fails before recovery is done.
    PowerCut,
}

/// Segment files that a read error can hit; a fault wants a name that lasts.
const SEGMENTS: [&str; 3] =
    ["log/000000000000.segment", "log/000000000001.segment", "log/000000000002.segment"];

impl World {
    pub(super) const fn identity(&self) -> LogIdentity {
        LogIdentity { cluster: self.config.cluster, layout: self.config.layout() }
    }

    /// Makes the cluster, with power cuts in between.
    pub(super) fn create_log(&mut self) -> Result<(), Wrong> {
        loop {
            let interrupted = self.chance.faults.percent(30);
            if interrupted {
                self.disk.freeze_at_sync(self.chance.faults.below(10));
            }
            let created = create_log(&self.disk, self.config, Timestamp(self.wall_ns()));
            match created {
                Ok(_) | Err(CreateError::Exists) => {}
                Err(error) => return Err(format!("the log can't be made: {error}")),
            }
            self.disk = damage::power_cut(&self.disk, &mut self.chance.faults);
            if !interrupted {
                return Ok(());
            }
        }
    }

    fn node_options(&mut self) -> NodeOptions {
        let segment_bytes = self.config.segment_bytes;
        let random = &mut self.chance.faults;
        let groups = GroupConfig {
            staging_bytes: segment_bytes * random.between(2, 4),
            writes_max: random.index(4) + 1,
            group_bytes: random.pick(&[4, 16, 64]) << 10,
            age_ns_max: 500_000,
        };
        let style = random.pick(&[WriterStyle::Direct, WriterStyle::Mapped]);
        let zeroed = Preparation::Zeroed { piece_bytes: 64 << 10, keep_cached: true };
        NodeOptions {
            partitions: random.index(8) + 1,
            hash_key: random.next_u128(),
            logging: LoggingOptions {
                groups,
                style,
                preparation: random.pick(&[Preparation::Reserved, zeroed]),
                ready_ahead: random.between(1, 3),
                queue_frames: 256,
            },
            recent_bytes_max: random.pick(&[0, 32 << 10, 1 << 20]),
        }
    }

    /// Someone starts the server.
    pub(super) fn start(&mut self) -> Result<(), Wrong> {
        if self.node.is_some() {
            return Ok(());
        }
        let before = self.disk.after_kill();
        let trouble = self.make_trouble();
        let options = self.node_options();
        note!(self, "start with {} partitions, {trouble:?}", options.partitions);
        match (Node::start(&self.disk, options, self.now_ns), &trouble) {
            (Ok(_), Trouble::PowerCut) => {
                self.report.count(Count::CrashesInRecovery);
                self.disk = damage::power_cut(&self.disk, &mut self.chance.faults);
                self.after(1_000_000, Event::Start);
                Ok(())
            }
            (Ok(node), _) => {
                self.disk.heal();
                if matches!(trouble, Trouble::Damage(_)) {
                    self.report.count(Count::ExactDespiteDamage);
                }
                self.serve(node)
            }
            (Err(error), _) => self.did_not_start(&error, &trouble, before),
        }
    }

    fn make_trouble(&mut self) -> Trouble {
        if self.quiet || self.auditor.op().0 < 2 {
            return Trouble::None;
        }
        let identity = self.identity();
        let random = &mut self.chance.faults;
        match random.below(100) {
            0..=11 => match damage::flip_bit(&self.disk, identity, random) {
                Some(what) => {
                    self.report.count(Count::BitFlips);
                    Trouble::Damage(what)
                }
                None => Trouble::None,
            },
            12..=19 => match damage::lose_sectors(&self.disk, identity, &mut self.chance.faults) {
                Some(what) => {
                    self.report.count(Count::LostSectors);
                    Trouble::Damage(what)
                }
                None => Trouble::None,
            },
            20..=24 => match damage::scribble(&self.disk, &self.in_flight_at_crash, random) {
                Some(what) => {
                    self.report.count(Count::Garbage);
                    Trouble::Damage(what)
                }
                None => Trouble::None,
            },
            25..=28 => {
                let from = random.below(self.config.segment_bytes);
                let name = random.pick(&SEGMENTS);
                self.disk.plant(Fault::ReadFails(name, from, from + 4096));
                Trouble::Unreadable
            }
            29..=33 => {
                self.report.count(Count::StartsOnFullDisk);
                self.disk.plant(Fault::Full(self.disk.used_bytes()));
                Trouble::Full
            }
            34..=53 => {
                self.disk.freeze_at_sync(random.below(7));
                Trouble::PowerCut
            }
            _ => Trouble::None,
        }
    }

    fn did_not_start(
        &mut self,
        error: &OpenError,
        trouble: &Trouble,
        before: MemoryStorage,
    ) -> Result<(), Wrong> {
        note!(self, "no start: {error}");
        self.after(1_000_000, Event::Start);
        self.disk.heal();
        match trouble {
            Trouble::None | Trouble::PowerCut => {
                Err(format!("the server refuses to start on a sound disk: {error}"))
            }
            Trouble::Full => Ok(()),
            Trouble::Unreadable => {
                self.report.count(Count::ReadErrors);
                if damage::same(&before, &self.disk) {
                    return Ok(());
                }
                Err(format!("a start that failed has changed the disk: {error}"))
            }
            Trouble::Damage(_) => {
                self.report.count(Count::Refusals);
                // Whoever repairs the disk needs it as it was; here, the sound bytes come back.
                self.disk = before;
                Ok(())
            }
        }
    }

    fn serve(&mut self, mut node: Node) -> Result<(), Wrong> {
        let survived = self.auditor.survived(&self.disk)?;
        self.report.count(Count::Restarts);
        self.report.add(Count::FramesLost, survived.lost);
        self.report.add(Count::FramesKeptUnasked, survived.unasked);
        self.report.add(Count::TornTails, u64::from(node.was_cut));
        note!(self, "started at op {}, {survived:?}", self.auditor.op().0);
        let end = node.engine.end();
        if end.op != self.auditor.op() {
            return Err(format!("the server starts at op {}", end.op.0));
        }
        if end.timestamp < self.auditor.model().last_timestamp() {
            return Err(format!("the server starts at timestamp {}", end.timestamp.0));
        }
        self.check_state(&mut node, if self.quiet { usize::MAX } else { 60 })?;
        self.node = Some(node);
        self.after(1_000_000, Event::Keeper(self.life));
        self.wake_node();
        Ok(())
    }

    /// Reads all accounts and the newest transfers back and compares them with the model's.
    fn check_state(&self, node: &mut Node, newest: usize) -> Result<(), Wrong> {
        let model = self.auditor.model();
        model.assert_balanced();
        let accounts: Vec<u128> = model.accounts().map(|account| account.id).collect();
        for ids in accounts.chunks(1_000) {
            let found = node.ask(Request::LookupAccounts(ids.to_vec()))?;
            let right = model.lookup_accounts(ids);
            match found {
                Reply::Accounts(found) if found == right => {}
                found => return Err(format!("after a restart there are {found:?}, not {right:?}")),
            }
        }
        let transfers: Vec<u128> = model.transfers().rev().take(newest).map(|t| t.id).collect();
        for ids in transfers.chunks(1_000) {
            let found = node.ask(Request::LookupTransfers(ids.to_vec()))?;
            let right = model.lookup_transfers(ids);
            match found {
                Reply::Transfers(found) if found == right => {}
                found => return Err(format!("after a restart there are {found:?}, not {right:?}")),
            }
        }
        let (capacity, right) = (node.engine.capacity(), model.capacity());
        if capacity != right {
            return Err(format!("after a restart the capacity is {capacity:?}, not {right:?}"));
        }
        let counted = node.engine.counts();
        let counts = (to_usize(counted.accounts), to_usize(counted.transfers));
        let right = (accounts.len(), model.transfers().count());
        if counts != right {
            return Err(format!(
                "after a restart {counts:?} accounts and transfers, not {right:?}"
            ));
        }
        Ok(())
    }

    /// The end: everything has been answered. What is left after a last power cut must be all of it.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        self.power_cut();
        if self.node.is_none() {
            self.start()?;
        }
        self.check_settled()
    }
}
