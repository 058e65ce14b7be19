//! Keeps `docs/wire-protocol.md` true: its frames, numbers and example are those of this build.

use std::fmt::Write as _;

use super::*;
use crate::ledger::{
    Account, AccountFilter, Capacity, Command, CommandResult, CommandStatus, CreateAccountStatus,
    CreateResult, CreateTransferStatus, Op, ResolveResult, Transfer,
};

const DOCUMENT: &str = include_str!("../../docs/wire-protocol.md");
const EXAMPLE: &str = include_str!("../../docs/examples/client.py");

enum Message {
    Hello(Hello),
    HelloReply(Box<HelloReply>),
    Request(Request),
    Reply(Reply),
}

/// Every frame of the document: its name, correlation and content.
fn frames() -> Vec<(&'static str, u64, Message)> {
    let accounts = [
        Account { id: 1, ledger: 700, code: 10, ..Default::default() },
        Account { id: 2, ledger: 700, code: 10, flags: 8, ..Default::default() },
    ];
    let transfer = Transfer {
        id: 100,
        debit_account_id: 1,
        credit_account_id: 2,
        amount: 125,
        ledger: 700,
        code: 1,
        ..Default::default()
    };
    let base = 1_700_000_000_000_000_000;
    let limits = Limits {
        cluster: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
        in_flight_max: 32,
        idle_seconds_max: 0,
    };
    let hello = Hello::new(0, "example.py");
    let created = |slot| CreateResult { timestamp: base + slot, status: u32::MAX, reserved: 0 };
    let refused = CreateResult { timestamp: base + 3, status: 54, reserved: 0 };
    let stored = Account { timestamp: base + 1, ..accounts[0] };
    let fenced = ResolveResult { timestamp: 0, outcome: 3, reserved: 0 };
    let found = ResolveResult { timestamp: base + 4, outcome: 1, reserved: 0 };
    let filter = AccountFilter { account_id: 1, limit: 10, flags: 7, ..Default::default() };
    let capacity = Capacity { accounts_max: 2_000_000, holds_max: 0 };
    let command = Command::RaiseCapacity(capacity);
    let raised = Capacity { holds_max: 1_000_000, ..capacity };
    let done = CommandResult::of_capacity(base + 5, CommandStatus::Done.code(), raised);
    let error = RequestError::new(ErrorCode::InvalidId).at(1).with_detail("id: must not be zero");
    let request = |name, correlation, request| (name, correlation, Message::Request(request));
    let reply = |name, correlation, reply| (name, correlation, Message::Reply(reply));
    vec![
        ("hello", 1, Message::Hello(hello)),
        ("hello_reply", 1, Message::HelloReply(Box::new(hello_reply(hello, &limits)))),
        request("create_accounts", 2, Request::CreateAccounts(accounts.to_vec())),
        reply("create_accounts_results", 2, Reply::CreateResults(vec![created(1), created(2)])),
        request("create_transfers", 3, Request::CreateTransfers(vec![transfer])),
        reply("create_transfers_results", 3, Reply::CreateResults(vec![refused])),
        request("lookup_accounts", 4, Request::LookupAccounts(vec![1])),
        reply("accounts", 4, Reply::Accounts(vec![stored])),
        request("get_account_transfers", 5, Request::GetAccountTransfers(filter)),
        request("resolve_transfers", 6, Request::ResolveTransfers { ids: vec![100, 7], flags: 1 }),
        reply("resolve_results", 6, Reply::ResolveResults(vec![found, fenced])),
        request("ping", 7, Request::Ping),
        reply("pong", 7, Reply::Pong),
        request("command", 9, Request::Command { command, reason: "onboarding".into() }),
        reply("command_result", 9, Reply::Command(done)),
        reply("error", 8, Reply::Error(error)),
    ]
}

fn hello_reply(hello: Hello, limits: &Limits) -> HelloReply {
    let reply = hello.accept(limits).unwrap();
    HelloReply { server_version: Name::new("0.1.0"), ..reply }
}

fn encode(correlation: u64, message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    let op = match correlation {
        1 => 41,
        2 => 42,
        _ => 43,
    };
    let to = ReplyTo { correlation, op: Op(op), epoch: 1 };
    match message {
        Message::Hello(hello) => hello.encode(correlation, &mut out),
        Message::HelloReply(reply) => reply.encode(to, &mut out),
        Message::Request(request) => encode_request(correlation, request, &mut out),
        Message::Reply(reply) => encode_reply(to, reply, &mut out),
    }
    out
}

fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        write!(text, "{:04x} ", line * 16).unwrap();
        for byte in chunk {
            write!(text, " {byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// The content of the fenced block with that opening.
fn block(opening: &str) -> &'static str {
    let marker = format!("\n```{opening}\n");
    let start = DOCUMENT.find(&marker).unwrap_or_else(|| panic!("no block {opening}"));
    let rest = &DOCUMENT[start + marker.len()..];
    &rest[..rest.find("```").unwrap()]
}

fn undump(text: &str) -> Vec<u8> {
    text.lines()
        .flat_map(|line| line[4..].split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

#[test]
fn the_frames_of_the_document_are_those_of_the_encoder() {
    let mut wrong = String::new();
    for (name, correlation, message) in frames() {
        let expected = dump(&encode(correlation, &message));
        if block(&format!("frame {name}")) != expected {
            write!(wrong, "\n```frame {name}\n{expected}```\n").unwrap();
        }
    }
    assert_eq!(DOCUMENT.matches("\n```frame ").count(), frames().len());
    assert!(wrong.is_empty(), "these frames should stand in the document:\n{wrong}");
}

#[test]
fn the_frames_of_the_document_decode_to_what_it_says() {
    for (name, correlation, message) in frames() {
        let bytes = undump(block(&format!("frame {name}")));
        let (head, body) = bytes.split_first_chunk().unwrap();
        let header = Header::parse(head).unwrap();
        assert_eq!(header.correlation, correlation, "{name}");
        match message {
            Message::Hello(hello) => assert_eq!(Hello::decode(&header, body), Ok(hello)),
            Message::HelloReply(reply) => {
                assert_eq!(HelloReply::decode(&header, body), Ok(*reply));
            }
            Message::Request(request) => assert_eq!(Request::decode(&header, body), Ok(request)),
            Message::Reply(reply) => assert_eq!(Reply::decode(&header, body), Ok(reply)),
        }
    }
}

#[test]
fn the_tables_of_numbers_are_complete() {
    let rows: Vec<&str> = DOCUMENT.lines().collect();
    let count = |start: &str| rows.iter().filter(|row| row.starts_with(start)).count();
    for code in ErrorCode::ALL {
        let start = format!("| {} | `{}` | ", code.code(), code.name());
        assert_eq!(count(&start), 1, "{start}");
        assert!(rows.iter().any(|row| row.starts_with(&start) && row.contains(code.remedy())));
    }
    for status in CreateAccountStatus::ALL {
        assert!(count(&format!("| {} | `{status}` |", status.code())) >= 1, "{status}");
    }
    for status in CommandStatus::ALL {
        assert_eq!(count(&format!("| {} | `{status}` |", status.code())), 1, "{status}");
    }
    for status in CreateTransferStatus::ALL {
        let burns = if status.burns_id() { " yes |" } else { " |" };
        let row = format!("| {} | `{status}` |{burns}", status.code());
        assert_eq!(count(&row), 1, "{row}");
    }
    for kind in Kind::ALL {
        let (number, name) = (format!("{:#06x}", kind.code()), kind.name());
        let upper = number.to_uppercase().replace("0X", "0x");
        let named = [format!("| {upper} | `{name}`"), format!("{upper} `{name}`")];
        assert!(rows.iter().any(|row| named.iter().any(|text| row.contains(text))), "{kind}");
    }
}

#[test]
fn the_example_in_the_document_is_the_file() {
    assert_eq!(block("python"), EXAMPLE);
}
