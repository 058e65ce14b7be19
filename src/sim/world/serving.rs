//! How events move the server: taking requests in, ordering, writing, answering.

use super::auditor::Wrong;
use super::node::Node;
use super::report::Count;
use super::state::{Event, World, note};
use crate::engine::{LongRead, Release, Source, Submission, run_query};
use crate::ledger::Op;
use crate::wire::{ErrorCode, Reply, RequestError};

/// A read on the query thread.
pub(super) struct Query {
    to: Source,
    op: Op,
    read: LongRead,
    expected: Option<Reply>,
}

impl World {
    /// Hands a request to the engine.
    pub(super) fn submit(&mut self, submission: Submission) -> Result<(), Wrong> {
        let correlation = submission.source.correlation;
        let Some(record) = self.calls.get_mut(&correlation) else {
            return Err(format!("the server got call {correlation}, which was never made"));
        };
        if record.request != submission.request {
            return Err(format!("call {correlation} arrived as {:?}", submission.request));
        }
        if record.was_refused() {
            return Err(format!(
                "call {correlation} is taken in after its caller was told that it has no effect"
            ));
        }
        self.report.add(Count::Resent, u64::from(record.submitted > 0));
        record.submitted += 1;
        self.auditor.note_submitted(correlation, &submission.request);
        if let Some(node) = &mut self.node {
            node.engine.submit(submission);
        }
        Ok(())
    }

    /// Lets the server look soon what there is to do.
    pub(super) fn wake_node(&mut self) {
        if self.node.is_some() && !self.turn_due {
            self.turn_due = true;
            let wait_ns = self.chance.disk.below(60_000);
            self.after(wait_ns, Event::Turn(self.life));
        }
    }

    /// The server does what there is to do.
    pub(super) fn turn(&mut self) -> Result<(), Wrong> {
        self.turn_due = false;
        let (wall_ns, now_ns) = (self.wall_ns(), self.now_ns);
        let Some(node) = &mut self.node else { return Ok(()) };
        let mut begun = Vec::new();
        if node.waits_for_room() {
            self.report.count(Count::WaitsForRoom);
        }
        let written = node.order(wall_ns).and_then(|()| node.logging.write(now_ns, &mut begun));
        let mut loads = Vec::new();
        while let Some(next) = node.next_loads() {
            loads.push(next);
        }
        for loads in loads {
            self.next_load += 1;
            note!(self, "load {}: {} old records", self.next_load, loads.len());
            self.loads.insert(self.next_load, loads);
            let wait_ns = self.chance.disk.between(10_000, 2_000_000);
            self.after(wait_ns, Event::LoadEnds(self.life, self.next_load));
        }
        for write in begun {
            note!(
                self,
                "write {} begins: {} bytes at {}",
                write.id,
                write.bytes.len(),
                write.position
            );
            self.auditor.note_written(write.position, &write.bytes)?;
            let disk = &mut self.chance.disk;
            let odd = if disk.percent(4) { 20 } else { 1 };
            let wait_ns = disk.between(20_000, 250_000) * odd * self.disk_pace * self.disk_slowness;
            self.after(wait_ns, Event::WriteEnds(self.life, write.id));
            self.tempt_fate();
        }
        if let Err(reason) = written {
            return self.stopped(&reason);
        }
        self.keep()?;
        self.release()?;
        self.read_on_at_server()?;
        let Some(node) = &self.node else { return Ok(()) };
        let done = node.draining && node.is_idle() && self.queries.is_empty();
        if let Some(at_ns) = node.logging.write_deadline_ns()
            && at_ns > self.now_ns
        {
            self.at(at_ns, Event::Turn(self.life));
        }
        if done {
            return self.stopped_cleanly();
        }
        Ok(())
    }

    pub(super) fn write_ends(&mut self, id: u64) -> Result<(), Wrong> {
        let Some(node) = &mut self.node else { return Ok(()) };
        if let Err(reason) = node.logging.end_write(id) {
            return self.stopped(&reason);
        }
        note!(self, "write {id} ends");
        self.wake_node();
        Ok(())
    }

    /// Lets the answers go that may go.
    fn release(&mut self) -> Result<(), Wrong> {
        while let Some(release) = self.node.as_mut().and_then(Node::next_release) {
            let (Release::Reply { to, op, .. } | Release::Query { to, op, .. }) = &release;
            let (to, op) = (*to, *op);
            let Some(record) = self.calls.get(&to.correlation) else {
                return Err(format!("an answer to call {}, which was never made", to.correlation));
            };
            if let Release::Reply { reply: Reply::Error(error), .. } = &release
                && record.request.is_write()
                && error.code() == Some(ErrorCode::CapacityExceeded)
            {
                self.refused_for_want_of_room(to, op, error.clone())?;
                continue;
            }
            let expected = self.auditor.expect(op, &record.request, &self.disk)?;
            match release {
                Release::Reply { reply, .. } => {
                    self.check_and_answer(to, op, &reply, expected.as_ref())?;
                }
                Release::Query { read, .. } => {
                    self.next_query += 1;
                    let id = self.next_query;
                    self.queries.insert(id, Query { to, op, read, expected });
                    let wait_ns = self.chance.disk.between(10_000, 2_000_000);
                    self.after(wait_ns, Event::QueryEnds(self.life, id));
                }
            }
        }
        Ok(())
    }

    pub(super) fn load_ends(&mut self, id: u64) -> Result<(), Wrong> {
        let Some(loads) = self.loads.remove(&id) else { return Ok(()) };
        let Some(node) = &mut self.node else { return Ok(()) };
        self.report.add(Count::OldRecords, loads.len() as u64);
        if let Err(reason) = node.read_records(loads) {
            return self.stopped(&reason);
        }
        self.wake_node();
        Ok(())
    }

    pub(super) fn query_ends(&mut self, id: u64) -> Result<(), Wrong> {
        let Some(Query { to, op, read, expected }) = self.queries.remove(&id) else {
            return Ok(());
        };
        let Some(node) = &mut self.node else { return Ok(()) };
        match run_query(&read, &mut node.queries) {
            Ok(reply) => self.check_and_answer(to, op, &reply, expected.as_ref())?,
            Err(error) => return self.stopped(&error.to_string()),
        }
        self.wake_node();
        Ok(())
    }

    fn check_and_answer(
        &mut self,
        to: Source,
        op: Op,
        reply: &Reply,
        expected: Option<&Reply>,
    ) -> Result<(), Wrong> {
        let correlation = to.correlation;
        note!(self, "call {correlation} is answered as of op {}", op.0);
        let epoch = self.node.as_ref().map_or(0, |node| node.epoch.0);
        if let (Some(expected), Some(record)) = (expected, self.calls.get(&correlation)) {
            let same = match (expected, reply) {
                (Reply::Error(right), Reply::Error(given)) => right.number() == given.number(),
                (right, given) => right == given,
            };
            if !same {
                return Err(format!(
                    "call {correlation}, {:?}, is answered as of op {} with {reply:?}, right is \
                     {expected:?}",
                    record.request, op.0
                ));
            }
        }
        if let Some(record) = self.calls.get_mut(&correlation) {
            record.released.push((op, epoch, reply.clone()));
        }
        self.answer(to, op, epoch, reply);
        Ok(())
    }

    /// A write that waited for its turn when the disk was full: nothing may ever come of it.
    fn refused_for_want_of_room(
        &mut self,
        to: Source,
        op: Op,
        error: RequestError,
    ) -> Result<(), Wrong> {
        self.auditor.note_refused(op, to.correlation, &self.disk)?;
        self.report.count(Count::FullDiskRefusals);
        if let Some(record) = self.calls.get_mut(&to.correlation) {
            record.submitted -= 1;
        }
        self.check_and_answer(to, op, &Reply::Error(error), None)
    }

    /// The keeper's thread wakes.
    pub(super) fn keeper_wakes(&mut self) -> Result<(), Wrong> {
        let wait_ns = self.chance.disk.between(2_000_000, 100_000_000);
        self.after(wait_ns, Event::Keeper(self.life));
        self.keep()
    }

    /// The keeper looks what there is to do: a hint, and the next segment.
    fn keep(&mut self) -> Result<(), Wrong> {
        let now_ns = self.now_ns;
        let Some(node) = &mut self.node else { return Ok(()) };
        match node.logging.keep(now_ns) {
            Ok(false) => {}
            Ok(true) => {
                // Now and then it is late: whoever orders has to wait for it.
                let late = if self.chance.disk.percent(10) { 100 } else { 1 };
                let wait_ns = self.chance.disk.between(50_000, 3_000_000) * late;
                self.report.add(Count::LateSegments, u64::from(late > 1));
                self.after(wait_ns * self.disk_slowness, Event::SegmentMade(self.life));
            }
            Err(reason) => return self.stopped(&reason),
        }
        Ok(())
    }

    /// A segment is made, or couldn't be.
    pub(super) fn segment_made(&mut self) -> Result<(), Wrong> {
        let now_ns = self.now_ns;
        let Some(node) = &mut self.node else { return Ok(()) };
        if let Err(reason) = node.logging.end_making(now_ns) {
            return self.stopped(&reason);
        }
        note!(self, "segment made");
        self.wake_node();
        self.keep()
    }
}
