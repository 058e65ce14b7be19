//! Seeded nonsense: good streams of frames with a few bytes changed, cut, doubled or moved.

use bytemuck::Zeroable;
use partita::checksum;
use partita::ledger::{Account, AccountFilter, QueryAccountsFilter, QueryTransfersFilter};
use partita::sim::random::Random;
use partita::wire::{HEADER_BYTES, Request};

use crate::bystander::Bystander;
use crate::peer::{Peer, frame, hello, transfer};
use crate::process::served;

const CONNECTIONS: u64 = 600;

fn request(random: &mut Random) -> Request {
    let id = || 1_u128;
    let account = Account { id: 50, ledger: 700, code: 1, ..Account::default() };
    match random.below(9) {
        0 => Request::Ping,
        1 => Request::Status,
        2 => Request::CreateAccounts(vec![account; 3]),
        3 => Request::CreateTransfers(vec![transfer(60, 50, 51); 5]),
        4 => Request::ResolveTransfers { ids: vec![id(); 2], flags: 0 },
        5 => Request::LookupTransfers(vec![id(); 300]),
        6 => Request::GetAccountTransfers(AccountFilter {
            account_id: 50,
            limit: 10,
            flags: 3,
            ..AccountFilter::zeroed()
        }),
        7 => Request::QueryAccounts(QueryAccountsFilter {
            limit: 9,
            ..QueryAccountsFilter::zeroed()
        }),
        _ => Request::QueryTransfers(QueryTransfersFilter {
            limit: 9,
            ..QueryTransfersFilter::zeroed()
        }),
    }
}

/// Changes a stream that starts with a hello. Half of the changes keep the header's checksum right,
/// so that they get further in.
fn mutate(random: &mut Random, stream: &mut Vec<u8>, starts: &[usize]) {
    match random.below(6) {
        0 => {
            let at = random.index(stream.len());
            stream[at] ^= 1 << random.below(8);
        }
        1 => {
            let at = random.index(stream.len());
            stream.truncate(at);
        }
        2 => {
            let at = random.index(stream.len());
            let doubled = stream[at..].to_vec();
            stream.extend(doubled);
        }
        3 => {
            let at = random.index(stream.len());
            let noise = (0..random.index(200)).map(|_| u8::try_from(random.below(256)).unwrap());
            let noise: Vec<u8> = noise.collect();
            stream.splice(at..at, noise);
        }
        _ => {
            let start = starts[random.index(starts.len())];
            let at = start + random.index(56);
            stream[at] = u8::try_from(random.below(256)).unwrap();
            let head = &mut stream[start..start + HEADER_BYTES];
            let sum = checksum::block(0, &head[..60]);
            head[60..].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

#[test]
fn nonsense_never_stops_the_server_or_hurts_a_bystander() {
    let (_home, mut server) = served(&["--client-timeout-ms", "500"]);
    let bystander = Bystander::start(server.address);
    for seed in 0..CONNECTIONS {
        let mut random = Random::new(seed);
        let mut stream = hello();
        let mut starts = vec![0];
        for number in 0..random.below(6) {
            starts.push(stream.len());
            stream.extend(frame(1 + number, &request(&mut random)));
        }
        mutate(&mut random, &mut stream, &starts);
        let mut peer = Peer::connect(server.address);
        peer.try_send(&stream);
        if random.below(3) > 0 {
            peer.end_writing();
            // Whatever comes is a whole frame with right checksums; then the connection ends.
            while peer.receive().is_some() {}
        }
        assert!(server.is_alive(), "seed {seed}: {}", server.said());
    }
    bystander.finish();
    server.stop();
}
