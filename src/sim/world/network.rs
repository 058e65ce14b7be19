//! Connections: bytes keep their order within one, arrive late and in pieces, and may stop anywhere.

use super::auditor::Wrong;
use super::port::Port;
use super::report::Count;
use super::state::{Event, World, note};
use crate::io::to_u64;
use crate::ledger::Op;
use crate::wire::{Limits, Reply};

/// A connection, both of its ends.
pub(super) struct Connection {
    pub(super) caller: usize,
    /// The caller still holds its end.
    pub(super) at_caller: bool,
    /// The server's end, once it was accepted and while it lives.
    pub(super) at_server: Option<Port>,
    /// Bytes arrive at nobody, and nobody is told.
    pub(super) silent: bool,
    /// Bytes that the server hasn't read: too much waits for its turn there.
    unread: Vec<u8>,
    to_server_ns: u64,
    to_caller_ns: u64,
}

/// What the server tells every client.
const IN_FLIGHT_MAX: u32 = 6;

/// The most that an event can take in a frame: its entry, a request, an amendment, history of both sides.
const EVENT_BYTES_MAX: u64 = 144 + 16 + 32 + 2 * 80;

impl World {
    /// With so many events waiting, and what one connection may add, a batch still fits a segment,
    /// whose size is far below what a cluster may have.
    fn waiting_events_max(&self) -> u64 {
        let fit = (self.config.segment_bytes - 3 * 4096) / EVENT_BYTES_MAX;
        let added = to_u64(self.workload.events_max(IN_FLIGHT_MAX as usize));
        assert!(added < fit, "what one connection may ask fits a segment");
        fit - added
    }

    /// A caller opens a connection.
    pub(super) fn connect(&mut self, caller: usize) -> u64 {
        let id = self.next_connection;
        self.next_connection += 1;
        let (to_server_ns, to_caller_ns) = (self.now_ns, self.now_ns);
        let connection = Connection {
            caller,
            at_caller: true,
            at_server: None,
            silent: false,
            unread: Vec::new(),
            to_server_ns,
            to_caller_ns,
        };
        self.connections.insert(id, connection);
        let wait_ns = self.latency_ns();
        let fails = !self.quiet && self.chance.network.percent(4);
        self.after(wait_ns, if fails { Event::ConnectFailed(id) } else { Event::Connected(id) });
        id
    }

    fn latency_ns(&mut self) -> u64 {
        let network = &mut self.chance.network;
        if network.percent(3) {
            network.between(1, 40) * 1_000_000
        } else {
            network.between(5_000, 400_000)
        }
    }

    /// The server accepts, if there is one.
    pub(super) fn connected(&mut self, id: u64) -> Result<(), Wrong> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        if !connection.at_caller {
            return Ok(());
        }
        let accepts = self.node.as_ref().is_some_and(|node| !node.draining);
        if !accepts {
            return self.lost_at_caller(id);
        }
        let caller = connection.caller;
        self.accept(id);
        let now_ns = self.now_ns;
        self.callers[caller].session.handle_connected(now_ns);
        self.pump(caller)
    }

    fn accept(&mut self, id: u64) {
        let taken: Vec<u32> = self
            .connections
            .values()
            .filter_map(|other| other.at_server.as_ref())
            .map(Port::slot)
            .collect();
        let slot = (0..).find(|slot| !taken.contains(slot)).unwrap_or(0);
        let core = u16::try_from(slot % 3).unwrap_or(0);
        let generation = u32::try_from(id).unwrap_or(0);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.at_server = Some(Port::new(core, slot, generation));
        }
    }

    /// Sends bytes on their way, in pieces, behind what is on its way already.
    pub(super) fn send(&mut self, id: u64, bytes: &[u8], to_server: bool) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = self.chance.network.percent(70);
            let count = if whole { rest.len() } else { 1 + self.chance.network.index(rest.len()) };
            let (piece, later) = rest.split_at(count);
            rest = later;
            let wait_ns = self.latency_ns();
            let now_ns = self.now_ns;
            let Some(connection) = self.connections.get_mut(&id) else { return };
            let last =
                if to_server { &mut connection.to_server_ns } else { &mut connection.to_caller_ns };
            *last = (now_ns + wait_ns).max(*last);
            let at_ns = *last;
            let piece = piece.to_vec();
            self.at(
                at_ns,
                if to_server { Event::ToServer(id, piece) } else { Event::ToCaller(id, piece) },
            );
        }
    }

    /// Bytes arrive at the server.
    pub(super) fn bytes_at_server(&mut self, id: u64, bytes: &[u8]) -> Result<(), Wrong> {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.unread.extend_from_slice(bytes);
        }
        self.read_at_server(id)
    }

    /// The server reads on where it had stopped.
    pub(super) fn read_on_at_server(&mut self) -> Result<(), Wrong> {
        let unread =
            |(id, connection): (&u64, &Connection)| (!connection.unread.is_empty()).then_some(*id);
        let waiting: Vec<u64> = self.connections.iter().filter_map(unread).collect();
        waiting.into_iter().try_for_each(|id| self.read_at_server(id))
    }

    /// The server reads, unless too much waits for its turn.
    fn read_at_server(&mut self, id: u64) -> Result<(), Wrong> {
        let waiting_max = self.waiting_events_max();
        let Some(node) = &self.node else { return Ok(()) };
        if node.waiting_events() > waiting_max {
            return Ok(());
        }
        let house = super::port::House {
            limits: Limits {
                cluster: self.config.cluster.0,
                in_flight_max: IN_FLIGHT_MAX,
                idle_seconds_max: 0,
            },
            committed: node.engine.committed(),
            epoch: node.epoch.0,
            draining: node.draining,
            full: node.is_full(),
        };
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let bytes = std::mem::take(&mut connection.unread);
        if connection.silent {
            return Ok(());
        }
        let late = !connection.at_caller;
        let Some(port) = &mut connection.at_server else { return Ok(()) };
        let submissions = port.receive(&bytes, &house);
        self.report.add(Count::FullDiskRefusals, std::mem::take(&mut port.refused_full));
        for submission in submissions {
            self.report.add(Count::LateRequests, u64::from(late));
            self.submit(submission)?;
        }
        self.flush(id);
        self.wake_node();
        Ok(())
    }

    /// The server answers, if the connection is still there.
    pub(super) fn answer(&mut self, to: crate::engine::Source, op: Op, epoch: u64, reply: &Reply) {
        let found = self.connections.iter_mut().find_map(|(id, connection)| {
            let port = connection.at_server.as_mut().filter(|port| port.is(to))?;
            Some((*id, port))
        });
        if let Some((id, port)) = found {
            port.answer(to.correlation, op, epoch, reply);
            self.flush(id);
        }
    }

    /// Sends what the server's end has to send, and closes it if it is to be closed.
    fn flush(&mut self, id: u64) {
        let Some(port) = self.connections.get_mut(&id).and_then(|c| c.at_server.as_mut()) else {
            return;
        };
        let bytes = std::mem::take(&mut port.out);
        let closing = port.closing;
        self.send(id, &bytes, false);
        if closing {
            self.lost_at_server(id);
            self.tell_caller(id);
        }
    }

    /// The caller learns of the loss once everything has arrived that is on its way.
    pub(super) fn tell_caller(&mut self, id: u64) {
        let wait_ns = self.latency_ns();
        let Some(connection) = self.connections.get(&id) else { return };
        let at_ns = connection.to_caller_ns.max(self.now_ns + wait_ns);
        self.at(at_ns, Event::LostAtCaller(id));
    }

    /// The server learns of the loss once everything has arrived that is on its way.
    pub(super) fn tell_server(&mut self, id: u64) {
        let wait_ns = self.latency_ns();
        let Some(connection) = self.connections.get(&id) else { return };
        let at_ns = connection.to_server_ns.max(self.now_ns + wait_ns);
        self.at(at_ns, Event::LostAtServer(id));
    }

    /// The caller drops its end.
    pub(super) fn closed_by_caller(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.at_caller = false;
            self.tell_server(id);
        }
    }

    pub(super) fn lost_at_server(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.at_server = None;
            if !connection.at_caller {
                self.connections.remove(&id);
            }
        }
    }

    pub(super) fn lost_at_caller(&mut self, id: u64) -> Result<(), Wrong> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let caller = connection.caller;
        let was_open = std::mem::replace(&mut connection.at_caller, false);
        if connection.at_server.is_none() {
            self.connections.remove(&id);
        }
        if !was_open {
            return Ok(());
        }
        note!(self, "caller {caller} lost connection {id}");
        self.callers[caller].connection = None;
        let now_ns = self.now_ns;
        self.callers[caller].session.handle_lost("the connection was lost".to_owned(), now_ns);
        self.pump(caller)
    }

    pub(super) fn bytes_at_caller(&mut self, id: u64, bytes: &[u8]) -> Result<(), Wrong> {
        let Some(connection) = self.connections.get(&id) else { return Ok(()) };
        if !connection.at_caller || connection.silent {
            return Ok(());
        }
        let caller = connection.caller;
        let now_ns = self.now_ns;
        self.callers[caller].session.handle_bytes(bytes, now_ns);
        self.pump(caller)
    }

    /// Cuts a connection in one of the ways in which networks do that.
    pub(super) fn cut(&mut self, id: u64) -> Result<(), Wrong> {
        self.report.count(Count::ConnectionsCut);
        match self.chance.network.below(4) {
            0 => {
                // Whatever is on its way is gone.
                self.lost_at_server(id);
                self.lost_at_caller(id)
            }
            1 => {
                // Requests still arrive, and nobody waits for their answers.
                self.tell_server(id);
                self.lost_at_caller(id)
            }
            2 => {
                self.lost_at_server(id);
                self.tell_caller(id);
                Ok(())
            }
            _ => {
                self.report.count(Count::ConnectionsSilent);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.silent = true;
                }
                Ok(())
            }
        }
    }
}
