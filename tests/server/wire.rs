//! Frames that are wrong, one way each: the right error, the right end, and nobody else notices.

use bytemuck::bytes_of;
use partita::checksum;
use partita::ledger::{Account, AccountFilter, AccountFilterFlags, CreateAccountStatus, Transfer};
use partita::wire::{
    ErrorCode, FrameFields, HEADER_BYTES, Hello, Kind, Reply, Request, append_frame,
};

use crate::bystander::Bystander;
use crate::peer::{CREATED, Peer, frame, hello, transfer};
use crate::process::{Server, served};

/// A frame of any kind and body, with right checksums.
fn raw(kind: u16, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..4].copy_from_slice(b"PRTA");
    bytes[4..6].copy_from_slice(&1_u16.to_le_bytes());
    bytes[6..8].copy_from_slice(&kind.to_le_bytes());
    bytes[8..12].copy_from_slice(&flags.to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes[16..24].copy_from_slice(&77_u64.to_le_bytes());
    bytes[56..60].copy_from_slice(&checksum::message(body).to_le_bytes());
    reseal(&mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// Corrects the header's own checksum after a change.
fn reseal(frame: &mut [u8]) {
    let sum = checksum::block(0, &frame[..60]);
    frame[60..64].copy_from_slice(&sum.to_le_bytes());
}

/// A good frame with some bytes of its header changed and its checksum made right again.
fn changed(frame: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = frame.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    reseal(&mut changed);
    changed
}

fn with_bystander(check: impl Fn(&Server)) {
    let (_home, mut server) = served(&[]);
    let bystander = Bystander::start(server.address);
    check(&server);
    bystander.finish();
    assert!(server.is_alive());
    server.stop();
}

#[test]
fn frames_that_end_the_connection_name_their_fault() {
    let ping = frame(5, &Request::Ping);
    let create = frame(6, &Request::CreateTransfers(vec![transfer(1, 2, 3)]));
    let mut broken_body = create.clone();
    *broken_body.last_mut().unwrap() ^= 1;
    let large = frame(6, &Request::CreateTransfers(vec![transfer(1, 2, 3); 8_190]));
    let mut broken_large = large.clone();
    broken_large[500_000] ^= 0x40;
    let mut broken_header = ping.clone();
    broken_header[17] ^= 1;
    let cases: [(&str, Vec<u8>, ErrorCode); 9] = [
        ("garbage", vec![0xa5; 300], ErrorCode::BadMagic),
        ("text", b"GET / HTTP/1.1\r\nHost: partita\r\n\r\n".repeat(3), ErrorCode::BadMagic),
        ("header checksum", broken_header, ErrorCode::BadHeaderChecksum),
        ("body checksum", broken_body, ErrorCode::BadBodyChecksum),
        ("checksum of a large body", broken_large, ErrorCode::BadBodyChecksum),
        ("version", changed(&ping, 4, &[2, 0]), ErrorCode::UnsupportedVersion),
        ("reserved", changed(&ping, 41, &[1]), ErrorCode::ReservedHeaderField),
        (
            "oversized",
            changed(&create, 12, &(u32::try_from(1 << 20).unwrap() + 1).to_le_bytes()),
            ErrorCode::BodyTooLarge,
        ),
        ("second hello", hello(), ErrorCode::HelloRepeated),
    ];
    with_bystander(|server| {
        for (name, bytes, code) in &cases {
            let mut peer = Peer::greeted(server.address);
            assert_eq!(peer.call(&Request::Ping), Reply::Pong, "{name}");
            // Part of a large frame may stay unsent: the server has heard enough.
            peer.try_send(bytes);
            peer.expect_last_words(*code);
        }
    });
}

#[test]
fn wrong_greetings_are_answered_with_their_fault() {
    let greeting = |change: &dyn Fn(&mut Hello)| {
        let mut hello = Hello::new(0, "test");
        change(&mut hello);
        let mut bytes = Vec::new();
        hello.encode(1, &mut bytes);
        bytes
    };
    let cases: [(Vec<u8>, ErrorCode); 9] = [
        (frame(5, &Request::Ping), ErrorCode::HelloExpected),
        (
            frame(5, &Request::CreateTransfers(vec![transfer(1, 2, 3); 800])),
            ErrorCode::HelloExpected,
        ),
        (vec![b'x'; 64], ErrorCode::BadMagic),
        (greeting(&|hello| hello.version_min = 0), ErrorCode::HelloInvalid),
        (
            greeting(&|hello| (hello.version_min, hello.version_max) = (2, 9)),
            ErrorCode::VersionMismatch,
        ),
        (greeting(&|hello| hello.version_min = 2), ErrorCode::HelloInvalid),
        (greeting(&|hello| hello.cluster = 0xbad), ErrorCode::ClusterMismatch),
        (greeting(&|hello| hello.body_bytes_max = 1), ErrorCode::HelloInvalid),
        (greeting(&|hello| hello.credential_bytes = 1), ErrorCode::HelloInvalid),
    ];
    with_bystander(|server| {
        for (at, (bytes, code)) in cases.iter().enumerate() {
            let mut peer = Peer::connect(server.address);
            peer.send(bytes);
            if at == 3 {
                // Version 0 is older than this server, which still has one in common with it.
                assert!(peer.receive().unwrap().reply.is_none());
            } else {
                peer.expect_last_words(*code);
            }
        }
    });
}

#[test]
fn wrong_requests_are_refused_by_themselves() {
    let ids = |count: usize| vec![7_u128; count];
    let filter = |flags, limit, least, most| {
        let mut filter = AccountFilter { account_id: 1, ..bytemuck::Zeroable::zeroed() };
        (filter.flags, filter.limit) = (flags, limit);
        (filter.timestamp_min, filter.timestamp_max) = (least, most);
        bytes_of(&filter).to_vec()
    };
    let debits = AccountFilterFlags::DEBITS;
    let cases: Vec<(Vec<u8>, ErrorCode)> = vec![
        (raw(0x7777, 0, &[]), ErrorCode::UnknownOperation),
        (raw(0x7777, 0, &[0; 40_000]), ErrorCode::UnknownOperation),
        (raw(Kind::Pong.code(), 0, &[]), ErrorCode::UnknownOperation),
        (raw(Kind::CreateTransfers.code(), 1, &[]), ErrorCode::UnknownFlags),
        (raw(Kind::ResolveTransfers.code(), 2, &[1; 16]), ErrorCode::UnknownFlags),
        (raw(Kind::CreateTransfers.code(), 0, &[0; 8_191 * 128]), ErrorCode::TooManyEvents),
        (raw(Kind::CreateAccounts.code(), 0, &[0; 8_192 * 128]), ErrorCode::TooManyEvents),
        (raw(Kind::LookupAccounts.code(), 0, &[1; 8_191 * 16]), ErrorCode::TooManyEvents),
        (raw(Kind::CreateTransfers.code(), 0, &[0; 129]), ErrorCode::RaggedBody),
        (raw(Kind::Ping.code(), 0, &[0; 1]), ErrorCode::RaggedBody),
        (raw(Kind::QueryTransfers.code(), 0, &[0; 95]), ErrorCode::RaggedBody),
        (raw(Kind::ResolveTransfers.code(), 0, &[0; 16]), ErrorCode::InvalidId),
        (raw(Kind::ResolveTransfers.code(), 1, &[255; 16]), ErrorCode::InvalidId),
        (raw(Kind::GetAccountTransfers.code(), 0, &filter(0, 1, 0, 0)), ErrorCode::FilterNoSide),
        (
            raw(Kind::GetAccountTransfers.code(), 0, &filter(debits, 0, 0, 0)),
            ErrorCode::FilterLimitIsZero,
        ),
        (
            raw(Kind::GetAccountBalances.code(), 0, &filter(debits, 1, 2, 1)),
            ErrorCode::FilterTimestampsReversed,
        ),
        (
            raw(Kind::GetAccountTransfers.code(), 0, &filter(1 << 30 | debits, 1, 0, 0)),
            ErrorCode::FilterUnknownFlags,
        ),
    ];
    with_bystander(|server| {
        let mut peer = Peer::greeted(server.address);
        for (bytes, code) in &cases {
            peer.send(bytes);
            peer.expect_refusal(*code, 77);
        }
        // A client of small frames asks for more than fits into one.
        let mut hello = Hello::new(0, "small");
        hello.body_bytes_max = 131_072;
        let (mut small, mut bytes) = (Peer::connect(server.address), Vec::new());
        hello.encode(1, &mut bytes);
        small.send(&bytes);
        assert!(small.receive().unwrap().reply.is_none());
        let asked = small.ask(&Request::LookupAccounts(ids(1_025)));
        small.expect_refusal(ErrorCode::ReplyTooLarge, asked);
        assert_eq!(small.call(&Request::LookupAccounts(ids(1_024))), Reply::Accounts(vec![]));
    });
}

#[test]
fn impossible_ids_are_statuses_and_impossible_to_find() {
    with_bystander(|server| {
        let mut peer = Peer::greeted(server.address);
        peer.create_accounts(&[1, 2]);
        let accounts =
            [0, u128::MAX].map(|id| Account { id, ledger: 1, code: 1, ..Account::default() });
        let Reply::CreateResults(results) = peer.call(&Request::CreateAccounts(accounts.to_vec()))
        else {
            panic!("no results")
        };
        let statuses: Vec<_> = results.iter().map(|result| result.status).collect();
        let expected =
            [CreateAccountStatus::IdMustNotBeZero, CreateAccountStatus::IdMustNotBeIntMax];
        assert_eq!(statuses, expected.map(CreateAccountStatus::code));
        let events: Vec<Transfer> = vec![
            transfer(0, 1, 2),
            transfer(u128::MAX, 1, 2),
            transfer(10, 0, 2),
            transfer(10, u128::MAX, 2),
            transfer(10, 1, 0),
            transfer(10, 1, u128::MAX),
            transfer(10, 1, 2),
        ];
        let statuses: Vec<_> =
            peer.create_transfers(events).iter().map(|result| result.status).collect();
        assert_eq!(statuses, [5, 6, 8, 9, 10, 11, CREATED]);
        assert!(peer.lookup_accounts(&[0, u128::MAX]).is_empty());
        assert!(peer.lookup_transfers(&[0, u128::MAX]).is_empty());
        assert_eq!(peer.lookup_transfers(&[10]).len(), 1);
    });
}

#[test]
fn a_list_of_none_is_answered_with_none() {
    with_bystander(|server| {
        let mut peer = Peer::greeted(server.address);
        assert_eq!(peer.create_transfers(vec![]), []);
        assert_eq!(peer.call(&Request::CreateAccounts(vec![])), Reply::CreateResults(vec![]));
        assert_eq!(peer.call(&Request::LookupAccounts(vec![])), Reply::Accounts(vec![]));
        let resolve = Request::ResolveTransfers { ids: vec![], flags: 1 };
        assert_eq!(peer.call(&resolve), Reply::ResolveResults(vec![]));
    });
}

#[test]
fn connections_that_break_off_anywhere_leave_nothing_behind() {
    let request = Request::CreateTransfers(vec![transfer(5, 6, 7); 2_000]);
    let bytes = frame(9, &request);
    with_bystander(|server| {
        for end in [1, 32, 63, 64, 65, 200, 40_000, bytes.len() - 1] {
            let mut peer = Peer::greeted(server.address);
            peer.send(&bytes[..end]);
            peer.end_writing();
            assert!(peer.is_closed(), "after {end} bytes");
            Peer::greeted(server.address).send(&bytes[..end]);
        }
        let mut peer = Peer::greeted(server.address);
        assert!(peer.lookup_transfers(&[5]).is_empty());
        let gone = crate::process::eventually(|| peer.status().connections <= 2);
        assert!(gone, "{:?}", peer.status());
    });
}

#[test]
fn any_cut_of_good_frames_into_pieces_is_the_same() {
    let mut bytes = hello();
    let mut expected = Vec::new();
    for number in 1..=40_u64 {
        let size = usize::try_from(number * number % 300).unwrap();
        append_frame(&mut bytes, FrameFields::request(Kind::Ping, number), &[]);
        bytes.extend(frame(100 + number, &Request::LookupAccounts(vec![3; size])));
        expected.extend([number, 100 + number]);
    }
    with_bystander(|server| {
        for piece in [1, 7, 63, 64, 65, 4_096] {
            let mut peer = Peer::connect(server.address);
            // Byte by byte for a while only: each is a packet.
            let slow = bytes.len().min(piece * 700);
            bytes[..slow].chunks(piece).for_each(|chunk| peer.send(chunk));
            peer.send(&bytes[slow..]);
            let mut answered: Vec<u64> = (0..=expected.len())
                .map(|_| peer.receive().unwrap().header.correlation)
                .skip(1)
                .collect();
            answered.sort_unstable();
            let mut expected = expected.clone();
            expected.sort_unstable();
            assert_eq!(answered, expected, "pieces of {piece}");
        }
    });
}
