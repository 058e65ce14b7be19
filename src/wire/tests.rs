//! Tests of the codec as a whole: round trips, damage, and garbage.

use super::*;
use crate::ledger::{
    Account, AccountBalance, AccountFilter, Capacity, Command, CommandResult, CreateResult,
    FilterError, Op, QueryAccountsFilter, QueryTransfersFilter, ResolveResult, Transfer,
};
use crate::limits::EVENTS_PER_REQUEST_MAX;

/// A small generator with a fixed rule, so that a failing case is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

fn transfer(id: u128) -> Transfer {
    Transfer { id, debit_account_id: 1, credit_account_id: 2, amount: id * 3, ..Default::default() }
}

fn requests() -> Vec<Request> {
    let account = Account { id: 7, ledger: 700, code: 10, ..Default::default() };
    let filter = AccountFilter { account_id: 7, limit: 10, flags: 3, ..Default::default() };
    let accounts = QueryAccountsFilter { ledger: 700, limit: 5, ..Default::default() };
    let transfers = QueryTransfersFilter { pending_status: 1, limit: 5, ..Default::default() };
    let command = Command::RaiseCapacity(Capacity { accounts_max: 9, holds_max: 0 });
    vec![
        Request::CreateAccounts(vec![account; 3]),
        Request::CreateAccounts(vec![]),
        Request::CreateTransfers((1..=5).map(transfer).collect()),
        Request::CreateTransfers((1..=8_190).map(transfer).collect()),
        Request::ResolveTransfers { ids: vec![1, 2, 3], flags: 0 },
        Request::ResolveTransfers { ids: vec![9], flags: 1 },
        Request::LookupAccounts(vec![1, 0, u128::MAX]),
        Request::LookupTransfers(vec![]),
        Request::GetAccountTransfers(filter),
        Request::GetAccountBalances(filter),
        Request::QueryAccounts(accounts),
        Request::QueryTransfers(transfers),
        Request::Command { command, reason: "because".into() },
        Request::Status,
        Request::Ping,
    ]
}

fn replies() -> Vec<Reply> {
    let result = CreateResult { timestamp: 5, status: 0xFFFF_FFFF, reserved: 0 };
    let resolved = ResolveResult { timestamp: 5, outcome: 1, reserved: 0 };
    let error = RequestError::new(ErrorCode::InvalidId).at(3).with_detail("id: zero");
    let report = StatusReport { version: "1".into(), op: 4, ..Default::default() };
    vec![
        Reply::CreateResults(vec![result; 8_190]),
        Reply::CreateResults(vec![]),
        Reply::ResolveResults(vec![resolved; 2]),
        Reply::Accounts(vec![Account { id: 7, ..Default::default() }]),
        Reply::Transfers((1..=3).map(transfer).collect()),
        Reply::Balances(vec![AccountBalance { timestamp: 9, ..Default::default() }]),
        Reply::Command(CommandResult::of_capacity(4, 5, Capacity::default())),
        Reply::Status(Box::new(report)),
        Reply::Pong,
        Reply::Error(error.retry_after_ms(20)),
        Reply::Error(FilterError::NoSide.into()),
    ]
}

fn split(frame: &[u8]) -> (Header, &[u8]) {
    let (head, body) = frame.split_first_chunk::<HEADER_BYTES>().unwrap();
    (Header::parse(head).unwrap(), body)
}

/// Takes bytes the way a server does: header, bound, body, request.
fn receive(frame: &[u8]) -> Result<Request, RequestError> {
    let head = frame.first_chunk().ok_or(ErrorCode::TooSlow)?;
    let header = Header::parse(head)?;
    let body = &frame[HEADER_BYTES..];
    let body = body.get(..header.body_len()).ok_or(ErrorCode::TooSlow)?;
    Request::decode(&header, body)
}

#[test]
fn every_request_survives_the_way_there_at_any_address() {
    for (at, request) in requests().into_iter().enumerate() {
        for shift in [0, 1, 7] {
            let mut out = vec![0xAA; shift];
            encode_request(at as u64 + 1, &request, &mut out);
            let (header, body) = split(&out[shift..]);
            assert_eq!(header.correlation, at as u64 + 1);
            assert_eq!(header.kind(), Some(request.kind()));
            assert_eq!(Request::decode(&header, body), Ok(request.clone()));
            let mut buffer = BodyBuffer::for_header(&header);
            buffer.as_mut().copy_from_slice(body);
            assert_eq!(buffer.into_request(&header), Ok(request.clone()));
        }
    }
}

#[test]
fn every_reply_survives_the_way_back() {
    let to = ReplyTo { correlation: 77, op: Op(12), epoch: 3 };
    for reply in replies() {
        let mut out = vec![1, 2, 3];
        encode_reply(to, &reply, &mut out);
        let (header, body) = split(&out[3..]);
        assert_eq!((header.correlation, header.op, header.epoch), (77, 12, 3));
        assert_eq!(Reply::decode(&header, body), Ok(reply));
    }
}

#[test]
fn create_requests_are_received_without_a_copy() {
    let mut out = Vec::new();
    encode_create_transfers(1, &[transfer(1), transfer(2)], &mut out);
    let (header, body) = split(&out);
    let mut buffer = BodyBuffer::for_header(&header);
    assert!(matches!(&buffer, BodyBuffer::Transfers(records) if records.len() == 2));
    buffer.as_mut().copy_from_slice(body);
    buffer.as_mut()[200] ^= 1;
    let error = buffer.into_request(&header).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::BadBodyChecksum));
    assert!(error.closes());
}

#[test]
fn no_flipped_bit_of_a_frame_goes_unnoticed() {
    for request in requests().into_iter().filter(|request| request.events() < 100) {
        let mut out = Vec::new();
        encode_request(5, &request, &mut out);
        for bit in 0..out.len() * 8 {
            out[bit / 8] ^= 1 << (bit % 8);
            let error = receive(&out).expect_err("a flipped bit was not noticed");
            assert!(error.closes(), "bit {bit}: {error}");
            out[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(receive(&out), Ok(request));
    }
}

#[test]
fn no_flipped_bit_of_a_reply_goes_unnoticed() {
    for reply in replies().into_iter().filter(|reply| reply.records_bytes() < 10_000) {
        let mut out = Vec::new();
        encode_reply(ReplyTo { correlation: 5, op: Op(6), epoch: 7 }, &reply, &mut out);
        for bit in 0..out.len() * 8 {
            out[bit / 8] ^= 1 << (bit % 8);
            let (head, body) = out.split_first_chunk().unwrap();
            let decoded = Header::parse(head).map(|header| Reply::decode(&header, body));
            assert!(!matches!(decoded, Ok(Ok(_))), "bit {bit} of {reply:?}");
            out[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn no_truncated_frame_is_taken_for_a_message() {
    for request in requests().into_iter().filter(|request| request.events() < 100) {
        let mut out = Vec::new();
        encode_request(5, &request, &mut out);
        for end in 0..out.len() {
            assert!(receive(&out[..end]).is_err(), "cut at {end}");
            if let Some(head) = out[..end].first_chunk() {
                let header = Header::parse(head).unwrap();
                assert!(Request::decode(&header, &out[HEADER_BYTES..end]).is_err());
            }
        }
    }
}

#[test]
fn garbage_never_panics_and_is_never_a_message() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..64 + random.below(200)).map(|_| random.next() as u8).collect();
        assert!(receive(&bytes).is_err());
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        assert!(receive(&bytes).is_err());
    }
}

#[test]
fn a_well_sealed_header_with_random_fields_never_panics() {
    let mut random = Random(2);
    for _ in 0..20_000 {
        let kind = Kind::ALL[random.below(Kind::ALL.len())];
        let body = vec![random.next() as u8; random.below(300)];
        let mut out = Vec::new();
        let fields = FrameFields {
            flags: u32::from(random.next().is_multiple_of(3)),
            ..FrameFields::request(kind, random.next())
        };
        append_frame(&mut out, fields, &body);
        let (header, body) = split(&out);
        let request = Request::decode(&header, body);
        assert!(!kind.is_reply() || request.is_err());
        if kind != Kind::StatusReply {
            let reply = Reply::decode(&header, body);
            assert!(kind.is_reply() || reply.is_err());
        }
        let answered = Hello::decode(&header, body).map(|hello| {
            hello.accept(&Limits { cluster: 1, in_flight_max: 1, idle_seconds_max: 0 })
        });
        assert!(kind == Kind::Hello || answered.is_err());
    }
}

/// The answer to a header with that kind and size, and whether the connection lives on.
fn refusal(kind: u16, body_bytes: u32, flags: u32) -> RequestError {
    let mut out = Vec::new();
    append_frame(&mut out, FrameFields::request(Kind::Ping, 1), &[]);
    let (mut header, _) = split(&out);
    (header.kind, header.body_bytes, header.flags) = (kind, body_bytes, flags);
    let bytes = header.sealed(&[]);
    match Header::parse(bytemuck::bytes_of(&bytes).try_into().unwrap()) {
        Ok(header) => header.check_request().unwrap_err(),
        Err(error) => error.into(),
    }
}

#[test]
fn a_request_of_the_wrong_size_is_refused_before_its_body_is_read() {
    let transfers = Kind::CreateTransfers.code();
    let ids = Kind::LookupAccounts.code();
    let cases = [
        (transfers, 128 * 8_191, 0, ErrorCode::TooManyEvents),
        (transfers, 128 + 1, 0, ErrorCode::RaggedBody),
        (transfers, (1 << 20) + 1, 0, ErrorCode::BodyTooLarge),
        (transfers, u32::MAX, 0, ErrorCode::BodyTooLarge),
        (transfers, 128, 1, ErrorCode::UnknownFlags),
        (ids, 16 * 8_191, 0, ErrorCode::TooManyEvents),
        (ids, 17, 0, ErrorCode::RaggedBody),
        (Kind::ResolveTransfers.code(), 16, 2, ErrorCode::UnknownFlags),
        (Kind::QueryAccounts.code(), 0, 0, ErrorCode::RaggedBody),
        (Kind::QueryAccounts.code(), 128, 0, ErrorCode::RaggedBody),
        (Kind::Ping.code(), 1, 0, ErrorCode::RaggedBody),
        (0x0FFF, 64, 0, ErrorCode::UnknownOperation),
        (Kind::Pong.code(), 0, 0, ErrorCode::UnknownOperation),
    ];
    for (kind, body_bytes, flags, code) in cases {
        let error = refusal(kind, body_bytes, flags);
        assert_eq!(error.code(), Some(code), "kind {kind:#x}, {body_bytes} bytes");
        assert_eq!(error.closes(), code == ErrorCode::BodyTooLarge);
        let field = ["kind: ", "flags: ", "body_bytes: "];
        let named = error.closes() || field.iter().any(|name| error.detail.starts_with(name));
        assert!(named, "{code:?} without its field: {:?}", error.detail);
    }
}

#[test]
fn resolving_an_impossible_id_names_its_index() {
    for bad in [0, u128::MAX] {
        let mut out = Vec::new();
        let request = Request::ResolveTransfers { ids: vec![1, bad, bad], flags: 1 };
        encode_request(1, &request, &mut out);
        let error = receive(&out).unwrap_err();
        assert_eq!((error.code(), error.index), (Some(ErrorCode::InvalidId), Some(1)));
        assert!(!error.closes() && error.is_definite());
        assert!(error.detail.starts_with("id: must not be "), "{error}");
    }
}

#[test]
fn no_error_is_without_a_text() {
    for &code in ErrorCode::ALL {
        assert_eq!(RequestError::from(code).detail, code.remedy());
    }
}

#[test]
fn a_filter_that_cannot_be_served_is_an_error_with_its_field() {
    let mut out = Vec::new();
    let filter = AccountFilter { account_id: 1, limit: 1, ..Default::default() };
    encode_request(1, &Request::GetAccountBalances(filter), &mut out);
    let error = receive(&out).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::FilterNoSide));
    assert!(error.detail.starts_with("flags:"), "{error}");
}

#[test]
fn a_hello_has_room_for_a_credential_that_nobody_takes_yet() {
    let limits = Limits { cluster: 42, in_flight_max: 16, idle_seconds_max: 60 };
    let read = |announced: u32, sent: usize| {
        let hello = Hello { credential_bytes: announced, ..Hello::new(42, "test") };
        let body = [bytemuck::bytes_of(&hello), &vec![7; sent]].concat();
        let mut out = Vec::new();
        append_frame(&mut out, FrameFields::request(Kind::Hello, 1), &body);
        let header = Header::parse(out.first_chunk().unwrap()).unwrap();
        Hello::decode(&header, &out[HEADER_BYTES..]).and_then(|hello| hello.accept(&limits))
    };
    assert!(read(0, 0).is_ok());
    for (announced, sent) in [(1, 1), (512, 512), (1, 0), (0, 1), (512, 511), (513, 513)] {
        let error = read(announced, sent).unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::HelloInvalid), "{announced} {sent}");
        assert!(error.detail.contains("credential"), "{error}");
    }
    let able = Hello { capabilities: u32::MAX, ..Hello::new(42, "test") };
    assert_eq!(able.accept(&limits), Hello::new(42, "test").accept(&limits));
}

#[test]
fn hello_agrees_or_says_why_not() {
    let limits = Limits { cluster: 42, in_flight_max: 16, idle_seconds_max: 60 };
    let hello = Hello::new(42, "test");
    let reply = hello.accept(&limits).unwrap();
    assert_eq!((reply.version, reply.cluster, reply.in_flight_max), (VERSION, 42, 16));
    assert_eq!(usize::try_from(reply.events_max).unwrap(), EVENTS_PER_REQUEST_MAX);
    let code = |hello: Hello| hello.accept(&limits).unwrap_err().code();
    assert!(Hello::new(0, "any").accept(&limits).is_ok());
    assert_eq!(code(Hello::new(41, "")), Some(ErrorCode::ClusterMismatch));
    let newer = Hello { version_min: 2, version_max: 9, ..hello };
    assert_eq!(code(newer), Some(ErrorCode::VersionMismatch));
    assert_eq!(code(Hello { version_min: 2, ..hello }), Some(ErrorCode::HelloInvalid));
    assert_eq!(code(Hello { body_bytes_max: 1000, ..hello }), Some(ErrorCode::HelloInvalid));
    assert_eq!(Hello { body_bytes_max: 131_072, ..hello }.records_max(), 1_024);

    let mut out = Vec::new();
    hello.encode(3, &mut out);
    let (header, body) = split(&out);
    assert_eq!(Hello::decode(&header, body), Ok(hello));
    assert_eq!(receive(&out).unwrap_err().code(), Some(ErrorCode::HelloRepeated));
    out.clear();
    reply.encode(ReplyTo { correlation: 3, ..Default::default() }, &mut out);
    let (header, body) = split(&out);
    assert_eq!(HelloReply::decode(&header, body), Ok(reply));
    assert_eq!(reply.server.text(), "partita");
}

#[test]
fn a_refused_hello_reaches_the_client_as_the_refusal() {
    let mut out = Vec::new();
    let error = RequestError::new(ErrorCode::ClusterMismatch).with_detail("x".repeat(2_000));
    encode_error(ReplyTo::default(), &error, &mut out);
    let (header, body) = split(&out);
    let got = HelloReply::decode(&header, body).unwrap_err();
    assert_eq!(got.code(), Some(ErrorCode::ClusterMismatch));
    assert!(got.closes() && got.is_definite() && got.detail.len() < 512);
}

#[test]
fn codes_are_one_to_one_and_only_an_interrupted_request_may_have_happened() {
    for &code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_code(code.code()), Some(code));
        assert_eq!(code.is_definite(), code != ErrorCode::Interrupted);
        assert!(!code.remedy().is_empty());
        assert_eq!(code.closes(), code.code() < 100 || code.code() >= 400, "{code}");
    }
}
