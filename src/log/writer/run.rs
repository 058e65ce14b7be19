//! The writer's thread: it takes frames from the queue, does what the machine says in a ring, tells
//! what is durable, and sleeps.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::device::Device;
use super::machine::{WriteFailed, WriterAction, WriterMachine};
use super::progress::Shared;
use crate::io::phases::{Phase, lap, sleep_lap};
use crate::io::{Clock, Directory, Sleeper, SystemClock};
use crate::log::group::Durable;
use crate::log::keeper::Keeper;
use crate::log::segment::segment_name;

/// What a small frame is worth: waking an idle writer.
pub(super) const URGENCY_FRAME: u32 = 1;
/// What a large frame or the end is worth: waking it from waiting for the disk, too.
pub(super) const URGENCY_LARGE_FRAME: u32 = 2;
/// What a segment is worth that it waits for. Frames would not help it then.
pub(super) const URGENCY_SEGMENT: u32 = 3;

/// Tag of the poll for being woken; writes count from 0.
const WAKE_TAG: u64 = u64::MAX;

/// The thread's state.
pub(super) struct Runner<D: Device> {
    pub(super) machine: WriterMachine,
    pub(super) device: D,
    pub(super) directory: Directory,
    pub(super) shared: Arc<Shared>,
    pub(super) sleeper: Sleeper,
    pub(super) keeper: Keeper,
    pub(super) on_durable: Box<dyn Fn(Durable) + Send>,
    pub(super) clock: SystemClock,
    /// The longest that a group waits for more frames.
    pub(super) age_ns_max: u64,
    /// The ring waits for the sleeper's descriptor.
    pub(super) polling: bool,
}

impl<D: Device> Runner<D> {
    /// Runs until it is told to stop and everything is durable.
    ///
    /// # Errors
    /// At the first thing that fails. What the disk holds is then unknown.
    pub(super) fn run(&mut self) -> Result<(), WriteFailed> {
        loop {
            let stop = self.shared.stop.load(Ordering::SeqCst);
            self.machine.handle_segments(self.shared.progress.segments());
            let mut busy = self.take_frame();
            busy |= self.act().map_err(WriteFailed::Io)?;
            busy |= self.complete()?;
            if busy {
                continue;
            }
            let idle = self.machine.is_idle();
            if stop && idle && self.shared.queue.is_empty() {
                assert_eq!(self.machine.in_flight(), 0, "the end comes behind the last write");
                return Ok(());
            }
            self.sleep(idle).map_err(WriteFailed::Io)?;
        }
    }

    /// After a run that ended well.
    pub(super) fn stop(self) {
        assert!(self.machine.is_idle(), "all that was taken is durable at the end");
        self.keeper.stop(self.machine.hint());
    }

    fn now_ns(&self) -> u64 {
        self.clock.now().monotonic_ns
    }

    fn take_frame(&mut self) -> bool {
        if !self.machine.wants_frame() {
            return false;
        }
        let Some(frame) = self.shared.queue.pop() else { return false };
        self.machine.handle_frame(frame);
        true
    }

    /// Does what the machine asks for. Whether that was anything.
    fn act(&mut self) -> io::Result<bool> {
        let (mut busy, mut started) = (false, false);
        let mut now_ns = self.now_ns();
        // What is still in the queue may join the group that would go out now.
        while let Some(action) = self.machine.poll_action(now_ns, !self.shared.queue.is_empty()) {
            busy = true;
            match action {
                WriterAction::Open { segment, oldest } => {
                    assert!(
                        segment < self.shared.progress.segments(),
                        "a segment is there before it is used"
                    );
                    let path = self.directory.path_of(&segment_name(segment));
                    self.device.open_segment(segment, &path, oldest)?;
                    self.keeper.begun(segment, now_ns);
                }
                WriterAction::Seal(place) => {
                    self.machine.seal_into(self.device.target(place)?);
                    lap(Phase::Seal);
                    now_ns = self.now_ns();
                }
                WriterAction::Write(write) => {
                    assert_ne!(write.id, WAKE_TAG, "writes and the poll are told apart");
                    self.device.start(&write)?;
                    started = true;
                }
            }
        }
        if started {
            self.device.ring().submit()?;
        }
        lap(Phase::Write);
        Ok(busy)
    }

    /// Takes in what has completed and tells what is durable now. Whether there was anything.
    fn complete(&mut self) -> Result<bool, WriteFailed> {
        let mut any = false;
        self.device.ring().collect().map_err(WriteFailed::Io)?;
        while let Some(completion) = self.device.ring().next_completion() {
            any = true;
            if completion.tag == WAKE_TAG {
                assert!(self.polling, "the poll that ends was started");
                completion.bytes().map_err(WriteFailed::Io)?;
                self.polling = false;
                self.sleeper.drain().map_err(WriteFailed::Io)?;
                continue;
            }
            let written = self.device.finish(completion);
            let before = self.machine.durable().position.0;
            self.machine.handle_completed(completion.tag, written)?;
            let after = self.machine.durable().position.0;
            assert!(after >= before, "what is durable stays durable");
            let bytes = after - before;
            if bytes > 0 {
                self.shared.progress.count(bytes);
            }
        }
        if let Some(durable) = self.machine.poll_durable() {
            self.shared.progress.publish(durable);
            (self.on_durable)(durable);
            self.keeper.note(self.machine.hint());
        }
        self.device.tidy();
        Ok(any)
    }

    /// Waits for a completion, for a frame, for a segment, or until a group is old enough.
    fn sleep(&mut self, idle: bool) -> io::Result<()> {
        if !self.polling {
            let descriptor = Arc::clone(self.sleeper.descriptor());
            self.device.ring().start_poll(WAKE_TAG, &descriptor)?;
            self.polling = true;
        }
        let needed = self.machine.needed_segment();
        assert!(
            needed.is_none() || !self.machine.wants_frame(),
            "what waits for a segment is a frame that is held"
        );
        if needed.is_some() {
            self.shared.waits_for_segment.store(true, Ordering::SeqCst);
        }
        // While the disk is at work a small frame can wait for it: it would go out no earlier.
        self.sleeper.announce(match needed {
            Some(_) => URGENCY_SEGMENT,
            None if idle => URGENCY_FRAME,
            None => URGENCY_LARGE_FRAME,
        });
        if !self.has_work(needed, idle) {
            self.shared.progress.phases().publish();
            let timeout = self.timeout(idle);
            if idle {
                sleep_lap(Phase::Write, || self.device.ring().wait(timeout))?;
            } else {
                self.device.ring().wait(timeout)?;
                lap(Phase::Write);
            }
        }
        self.sleeper.awake();
        if needed.is_some() {
            self.shared.waits_for_segment.store(false, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Whether something has come since the sleep was announced.
    fn has_work(&self, needed: Option<u64>, idle: bool) -> bool {
        match needed {
            Some(segment) => segment < self.shared.progress.segments(),
            None => {
                let frames = self.machine.wants_frame() && !self.shared.queue.is_empty();
                frames || (idle && self.shared.stop.load(Ordering::SeqCst))
            }
        }
    }

    /// How long to sleep at most.
    fn timeout(&self, idle: bool) -> Option<Duration> {
        if idle || self.machine.needed_segment().is_some() && self.machine.in_flight() == 0 {
            // Whoever brings something rings.
            return None;
        }
        let now_ns = self.now_ns();
        let due_ns = self.machine.deadline_ns().map(|at| at.saturating_sub(now_ns));
        // With no group to go out, small frames in the queue may grow old unseen.
        let due_ns = due_ns.unwrap_or(self.age_ns_max);
        Some(Duration::from_nanos(due_ns.clamp(1_000, self.age_ns_max.max(1_000))))
    }
}
