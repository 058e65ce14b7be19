//! What the machine would give a ledger that does nothing: the same requests over loopback TCP, the
//! same checksum, a group-committed durable append of what came, and an answer. No ledger logic.
//!
//! `cargo bench --bench limit -- [--batch B] [--connections C] [--in-flight W] [--transfers N]
//! [--dir DIRECTORY]`: the figures of `partita bench` with the same flags are to be read as shares
//! of these.
#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};
use partita::io::{Ring, SocketEvent, SocketHandle, Sockets, SystemClock, Waker, sleeper};
use partita::ledger::{CreateResult, Op};
use partita::loadgen::{Ids, Load, Mix, Workload, drive};
use partita::wire::{HEADER_BYTES, Header, Hello, Kind, Limits, Reply, ReplyTo, encode_reply};

/// Bodies beyond this are received in one piece, as the server does.
const LARGE_BODY_BYTES: usize = 32 << 10;
/// Bytes of one write to the disk at most.
const GROUP_BYTES: usize = 4 << 20;
/// Writes on their way to the disk at once.
const WRITES_MAX: usize = 2;
/// The file is written over and over.
const FILE_BYTES: u64 = 512 << 20;
const BLOCK: usize = 4096;

type Failure = Box<dyn std::error::Error>;

struct Options {
    batch: u64,
    connections: usize,
    in_flight: usize,
    transfers: u64,
    directory: PathBuf,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        batch: 8_189,
        connections: 1,
        in_flight: 4,
        transfers: 4_000_000,
        directory: std::env::temp_dir(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--bench" {
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--batch" => options.batch = value.parse()?,
            "--connections" => options.connections = value.parse()?,
            "--in-flight" => options.in_flight = value.parse()?,
            "--transfers" => options.transfers = value.parse()?,
            "--dir" => options.directory = value.into(),
            other => return Err(format!("unknown flag {other}").into()),
        }
    }
    Ok(options)
}

/// A request on its way through the disk.
struct Append {
    slot: usize,
    correlation: u64,
    body: Vec<u8>,
}

/// The disk: whatever has come is one write, durable when it completes.
fn append_all(
    file: &Arc<File>,
    requests: &Receiver<Append>,
    done: &Sender<Append>,
    bell: &Waker,
) -> Result<(), Failure> {
    let mut ring = Ring::new(8, GROUP_BYTES * WRITES_MAX)?;
    let mut writing: Vec<(u64, usize, Vec<Append>)> = Vec::new();
    let mut places: Vec<usize> = (0..WRITES_MAX).map(|at| at * GROUP_BYTES).collect();
    let (mut number, mut offset) = (0_u64, 0_u64);
    loop {
        let mut group = Vec::new();
        let mut bytes = 0;
        while writing.len() < WRITES_MAX && bytes < GROUP_BYTES / 2 {
            let next = if writing.is_empty() && group.is_empty() {
                // The other side is gone: so is the measurement.
                let Ok(request) = requests.recv() else { return Ok(()) };
                Some(request)
            } else {
                requests.try_recv().ok()
            };
            let Some(request) = next else { break };
            bytes += request.body.len();
            group.push(request);
        }
        if !group.is_empty()
            && let Some(place) = places.pop()
        {
            let length = bytes.next_multiple_of(BLOCK);
            let staging = ring.staging_mut(place..place + length);
            let mut at = 0;
            for request in &group {
                staging[at..at + request.body.len()].copy_from_slice(&request.body);
                at += request.body.len();
            }
            if offset + length as u64 > FILE_BYTES {
                offset = 0;
            }
            ring.start_write(number, file, offset, place..place + length)?;
            ring.submit()?;
            offset += length as u64;
            writing.push((number, place, group));
            number += 1;
            if writing.len() < WRITES_MAX && !requests.is_empty() {
                continue;
            }
        }
        ring.wait(None)?;
        while let Some(completion) = ring.next_completion() {
            completion.bytes()?;
            if let Some(at) = writing.iter().position(|(number, ..)| *number == completion.tag) {
                let (_, place, group) = writing.swap_remove(at);
                places.push(place);
                group.into_iter().try_for_each(|request| done.send(request))?;
            }
        }
        bell.wake(1);
    }
}

fn zeroed_file(path: &std::path::Path) -> Result<Arc<File>, Failure> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES >> 20 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits())?;
    let opened = OpenOptions::new().write(true).custom_flags(direct).open(path);
    // Some file systems have no direct writes.
    Ok(Arc::new(opened.or_else(|_| OpenOptions::new().write(true).open(path))?))
}

/// A connection of the probe.
struct Connection {
    socket: SocketHandle,
    rest: Vec<u8>,
    large: Option<(Header, usize)>,
    unsent: Vec<u8>,
    sending: bool,
}

/// The other end: takes requests in, answers what is durable.
struct Probe {
    sockets: Sockets<Vec<u8>>,
    connections: Vec<Connection>,
    requests: Sender<Append>,
    done: Receiver<Append>,
}

impl Probe {
    fn run(&mut self) -> Result<(), Failure> {
        for slot in 0..self.connections.len() {
            self.listen(slot)?;
        }
        loop {
            let mut busy = false;
            while let Some(event) = self.sockets.next_event()? {
                busy = true;
                if !self.handle(event)? {
                    return Ok(());
                }
            }
            while let Ok(Append { slot, correlation, body }) = self.done.try_recv() {
                busy = true;
                let results = vec![CreateResult::default(); body.len() / 128];
                let to = ReplyTo { correlation, op: Op(1), epoch: 1 };
                let unsent = &mut self.connections[slot].unsent;
                encode_reply(to, &Reply::CreateResults(results), unsent);
            }
            for slot in 0..self.connections.len() {
                self.send(slot)?;
            }
            if busy {
                self.sockets.submit()?;
            } else {
                let done = &self.done;
                self.sockets.sleep(1, Duration::from_secs(1), || done.is_empty())?;
            }
        }
    }

    /// Whether the measurement goes on.
    fn handle(&mut self, event: SocketEvent<Vec<u8>>) -> Result<bool, Failure> {
        match event {
            SocketEvent::Received { tag, result } => {
                let slot = usize::try_from(tag)?;
                let chunk = result?;
                let bytes = self.sockets.bytes(&chunk).to_vec();
                self.sockets.give_back(chunk);
                if bytes.is_empty() {
                    return Ok(false);
                }
                self.connections[slot].rest.extend_from_slice(&bytes);
                self.take_frames(slot)?;
                self.listen(slot)?;
            }
            SocketEvent::Filled { tag, body, result } => {
                let slot = usize::try_from(tag)?;
                let large = self.connections[slot].large.take();
                let (header, start) = large.ok_or("a body without a header")?;
                if start + result? < body.len() {
                    return Ok(false);
                }
                self.append(slot, &header, body)?;
                self.listen(slot)?;
            }
            SocketEvent::Sent { tag, mut bytes, result } => {
                let connection = &mut self.connections[usize::try_from(tag)?];
                bytes.drain(..result?);
                bytes.append(&mut connection.unsent);
                connection.unsent = bytes;
                connection.sending = false;
            }
        }
        Ok(true)
    }

    fn take_frames(&mut self, slot: usize) -> Result<(), Failure> {
        let rest = std::mem::take(&mut self.connections[slot].rest);
        let mut used = 0;
        while let Some(head) = rest[used..].first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(head)?;
            let start = used + HEADER_BYTES;
            let Some(body) = rest.get(start..start + header.body_len()) else {
                if header.body_len() > LARGE_BODY_BYTES {
                    let mut body = vec![0; header.body_len()];
                    let have = rest.len() - start;
                    body[..have].copy_from_slice(&rest[start..]);
                    let socket = &self.connections[slot].socket;
                    self.sockets.start_fill(slot as u64, socket, body, have)?;
                    self.connections[slot].large = Some((header, have));
                    return Ok(());
                }
                break;
            };
            used = start + body.len();
            if header.kind() == Some(Kind::Hello) {
                self.greet(slot, &header, body)?;
            } else {
                self.append(slot, &header, body.to_vec())?;
            }
        }
        self.connections[slot].rest = rest[used..].to_vec();
        Ok(())
    }

    fn greet(&mut self, slot: usize, header: &Header, body: &[u8]) -> Result<(), Failure> {
        let limits = Limits { cluster: 1, in_flight_max: 256, idle_seconds_max: 0 };
        let reply = Hello::decode(header, body)?.accept(&limits)?;
        let to = ReplyTo { correlation: header.correlation, op: Op(0), epoch: 1 };
        reply.encode(to, &mut self.connections[slot].unsent);
        Ok(())
    }

    fn append(&self, slot: usize, header: &Header, body: Vec<u8>) -> Result<(), Failure> {
        header.check_body(&body)?;
        self.requests.send(Append { slot, correlation: header.correlation, body })?;
        Ok(())
    }

    fn listen(&mut self, slot: usize) -> Result<(), Failure> {
        let connection = &self.connections[slot];
        if connection.large.is_none() {
            self.sockets.start_receive(slot as u64, &connection.socket, false)?;
        }
        Ok(())
    }

    fn send(&mut self, slot: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[slot];
        if !connection.sending && !connection.unsent.is_empty() {
            let bytes = std::mem::take(&mut connection.unsent);
            connection.sending = true;
            self.sockets.start_send(slot as u64, &connection.socket, bytes, 0)?;
        }
        Ok(())
    }
}

/// Starts the probe for so many connections. Gives its address.
fn start(options: &Options) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (bell, waker) = sleeper()?;
    let (requests, to_disk) = unbounded();
    let (from_disk, done) = unbounded();
    let path = options.directory.join(format!("partita-limit-{}", std::process::id()));
    // Before the first request: preparing the file isn't part of the measurement. It is gone with
    // its last descriptor.
    let file = zeroed_file(&path)?;
    std::fs::remove_file(&path)?;
    thread::spawn(move || {
        let result = append_all(&file, &to_disk, &from_disk, &waker);
        result.map_err(|error| error.to_string()).expect("the disk takes the appends");
    });
    let connections = options.connections;
    thread::spawn(move || {
        let accept = |_| {
            let (stream, _) = listener.accept().expect("a connection comes");
            stream.set_nodelay(true).expect("the connection lives");
            Connection {
                socket: Rc::new(stream.into()),
                rest: Vec::new(),
                large: None,
                unsent: Vec::new(),
                sending: false,
            }
        };
        let connections = (0..connections).map(accept).collect();
        let sockets = Sockets::new(bell).expect("the kernel allows rings");
        let mut probe = Probe { sockets, connections, requests, done };
        probe.run().map_err(|error| error.to_string()).expect("the probe serves");
    });
    Ok(address)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let address = start(&options)?;
    let workload = Workload {
        accounts: 10_000,
        hot_accounts: 0,
        hot_percent: 0,
        mix: Mix::Simple,
        ids: Ids::Ordered,
        seed: 1,
        batch: options.batch,
    };
    let load = Load {
        address,
        workload,
        connections: options.connections,
        in_flight: options.in_flight,
        transfers: Some(options.transfers),
        seconds: None,
        rate: None,
    };
    let (speed, latency) = drive(&load, &SystemClock::new(), &mut |_| {})?;
    let Options { batch, connections, in_flight, .. } = options;
    println!(
        "limit {batch} x {connections} x {in_flight}: {speed:.0} transfers/s, p50 {:.0} µs, \
         p99 {:.0} µs, p99.9 {:.0} µs",
        latency.p50, latency.p99, latency.p999
    );
    Ok(())
}
