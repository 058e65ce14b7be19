//! The writer's loop: take frames, seal them, start writes, publish what is durable, sleep.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::io::phases::{Phase, lap, sleep_lap};
use crate::io::{Clock, Directory, Sleeper, SystemClock, to_usize};
use crate::log::frame::{Frame, Sealer};
use crate::log::group::{Durable, GroupCommit, GroupConfig, WriteRequest};
use crate::log::keeper::Keeper;
use crate::log::meta::CommitHint;
use crate::log::position::{Epoch, Layout};
use crate::log::recovery::LogEnd;
use crate::log::segment::segment_name;

use super::device::{Device, Place};
use super::handle::Shared;

/// What a small frame is worth: waking an idle writer.
pub(super) const URGENCY_FRAME: u32 = 1;
/// What a large frame or the end is worth: waking it from waiting for the disk, too.
pub(super) const URGENCY_LARGE_FRAME: u32 = 2;

/// Tag of the poll for being woken; writes count from 0.
const WAKE_TAG: u64 = u64::MAX;

pub(super) struct Runner<D: Device> {
    device: D,
    directory: Directory,
    layout: Layout,
    group: GroupCommit,
    sealer: Sealer,
    shared: Arc<Shared>,
    sleeper: Sleeper,
    keeper: Keeper,
    on_durable: Box<dyn Fn(Durable) + Send>,
    clock: SystemClock,
    age_ns_max: u64,
    epoch: Epoch,
    /// A frame that there was no room for.
    held: Option<Arc<Frame>>,
    segment: Option<u64>,
    polling: bool,
}

impl<D: Device> Runner<D> {
    pub(super) fn new(
        device: D,
        end: &LogEnd<Directory>,
        groups: GroupConfig,
        shared: Arc<Shared>,
        sleeper: Sleeper,
        keeper: Keeper,
        on_durable: Box<dyn Fn(Durable) + Send>,
    ) -> Self {
        let progress = end.progress();
        let identity = end.identity();
        let durable = Durable { position: progress.end, op: progress.op };
        Self {
            device,
            directory: end.storage().clone(),
            layout: identity.layout,
            group: GroupCommit::new(groups, identity.layout, durable),
            sealer: Sealer::new(identity.cluster, progress.chain),
            shared,
            sleeper,
            keeper,
            on_durable,
            clock: SystemClock::new(),
            age_ns_max: groups.age_ns_max,
            epoch: progress.epoch,
            held: None,
            segment: None,
            polling: false,
        }
    }

    /// Runs until it is told to stop and everything is durable.
    ///
    /// # Errors
    /// At the first thing that fails. What the disk holds is then unknown.
    pub(super) fn run(&mut self) -> io::Result<()> {
        loop {
            let stop = self.shared.stop.load(Ordering::SeqCst);
            self.take_frames()?;
            self.start_writes()?;
            lap(Phase::Write);
            if self.complete()? {
                continue;
            }
            let idle = self.group.is_idle() && self.held.is_none();
            if stop && idle && self.shared.queue.is_empty() {
                return Ok(());
            }
            self.sleep(idle)?;
        }
    }

    /// After a run that ended well.
    pub(super) fn stop(self) {
        let hint = hint(self.group.durable(), self.epoch);
        self.keeper.stop(hint);
    }

    fn now_ns(&self) -> u64 {
        self.clock.now().monotonic_ns
    }

    fn take_frames(&mut self) -> io::Result<()> {
        while let Some(frame) = self.held.take().or_else(|| self.shared.queue.pop()) {
            if !self.group.has_room(frame.header().frame_bytes) {
                self.held = Some(frame);
                return Ok(());
            }
            self.take_frame(&frame)?;
            // A group that is full goes out before the next frame is sealed.
            self.start_writes()?;
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: &Frame) -> io::Result<()> {
        let header = *frame.header();
        let segment = self.layout.segment_of(header.position);
        let now_ns = self.now_ns();
        if self.segment != Some(segment) {
            self.keeper.take(segment, now_ns)?;
            let oldest = self.layout.segment_of(self.group.durable().position);
            let path = self.directory.path_of(&segment_name(segment));
            self.device.open_segment(segment, &path, oldest)?;
            self.segment = Some(segment);
        }
        let committed = self.group.durable().position;
        let staging_offset = self.group.handle_frame(&header, now_ns);
        let place = Place {
            position: header.position,
            staging_offset,
            bytes: to_usize(header.frame_bytes),
        };
        self.sealer.seal_into(frame, committed, self.device.target(place)?);
        lap(Phase::Seal);
        self.epoch = header.epoch;
        Ok(())
    }

    fn start_writes(&mut self) -> io::Result<()> {
        let mut started = false;
        while let Some(write) = self.next_write() {
            self.device.start(&write)?;
            started = true;
        }
        if started { self.device.ring().submit() } else { Ok(()) }
    }

    /// What is still in the queue may join the group that would go out now.
    fn next_write(&mut self) -> Option<WriteRequest> {
        let now_ns = self.now_ns();
        if self.held.is_some() || self.shared.queue.is_empty() {
            self.group.poll_write(now_ns)
        } else {
            self.group.poll_full_write(now_ns)
        }
    }

    /// Handles what has completed. Whether there was anything.
    fn complete(&mut self) -> io::Result<bool> {
        let mut any = false;
        let mut moved = None;
        while let Some(completion) = self.device.ring().next_completion() {
            any = true;
            if completion.tag == WAKE_TAG {
                completion.bytes()?;
                self.polling = false;
                self.sleeper.drain()?;
                continue;
            }
            let bytes = self.device.finish(completion)?;
            let before = self.group.durable().position;
            if let Some(durable) =
                self.group.handle_completed(completion.tag, bytes).map_err(io::Error::other)?
            {
                self.shared.progress.count(durable.position.0 - before.0);
                moved = Some(durable);
            }
        }
        if let Some(durable) = moved {
            self.shared.progress.publish(durable);
            (self.on_durable)(durable);
            self.keeper.note(hint(durable, self.epoch));
        }
        self.device.tidy();
        Ok(any)
    }

    /// Waits for a completion, for a frame, or until a group is old enough.
    fn sleep(&mut self, idle: bool) -> io::Result<()> {
        if !self.polling {
            let descriptor = Arc::clone(self.sleeper.descriptor());
            self.device.ring().start_poll(WAKE_TAG, &descriptor)?;
            self.polling = true;
        }
        // While the disk is at work a small frame can wait for it: it would go out no earlier.
        self.sleeper.announce(if idle { URGENCY_FRAME } else { URGENCY_LARGE_FRAME });
        let work = self.held.is_none() && !self.shared.queue.is_empty();
        let stopping = idle && self.shared.stop.load(Ordering::SeqCst);
        if !work && !stopping {
            self.shared.progress.phases().publish();
            let timeout = (!idle).then(|| Duration::from_nanos(self.timeout_ns()));
            if idle {
                sleep_lap(Phase::Write, || self.device.ring().wait(timeout))?;
            } else {
                self.device.ring().wait(timeout)?;
                lap(Phase::Write);
            }
        }
        self.sleeper.awake();
        Ok(())
    }

    fn timeout_ns(&self) -> u64 {
        let now_ns = self.now_ns();
        let due = self.group.deadline_ns().map(|at| at.saturating_sub(now_ns));
        // With no group to go out, small frames in the queue may grow old unseen.
        due.unwrap_or(self.age_ns_max).clamp(1_000, self.age_ns_max.max(1_000))
    }
}

fn hint(durable: Durable, epoch: Epoch) -> CommitHint {
    CommitHint { committed: durable.position, op: durable.op, epoch }
}
