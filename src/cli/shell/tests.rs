//! Statements good and bad, and whole scripts against the reference model.

use serde_json::Value;

use super::execute::{Style, run_script};
use super::fields::Fields;
use super::output::Format;
use super::parser::{Statement, parse};
use crate::cli::exit::Exit;
use crate::cli::remote::{CallError, Cause, Remote};
use crate::ledger::model::Model;
use crate::ledger::{
    Account, AccountFilter, AccountFlags, Op, PendingStatus, QueryAccountsFilter,
    QueryTransfersFilter, ResolveFlags, Timestamp, Transfer, TransferFlags,
};
use crate::wire::{Reply, Request};

fn statements(text: &str) -> Vec<Statement> {
    let mut last = 1_000;
    let mut new_id = || {
        last += 1;
        last
    };
    parse(text, &mut new_id).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

fn request(text: &str) -> Request {
    match statements(text).pop() {
        Some(Statement::Request(request) | Statement::Open(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn rendered(text: &str) -> String {
    parse(text, &mut || 1).unwrap_err().render(text)
}

#[test]
fn events_with_every_form_of_value() {
    let account = Account {
        id: 1,
        user_data_128: u128::MAX,
        ledger: 700,
        code: 10,
        flags: AccountFlags::HISTORY | AccountFlags::LINKED,
        ..Account::default()
    };
    let second = Account { id: 1_001, ledger: 0xff, code: 1, ..Account::default() };
    let text = "create-accounts id=1 ledger=700 code=10 flags=history|linked user_data_128=max, \
                id=auto ledger=0xff code=1;";
    assert_eq!(request(text), Request::CreateAccounts(vec![account, second]));
    let transfer = Transfer {
        id: 1_001,
        amount: 1_000_000,
        flags: TransferFlags::PENDING | 1 << 15,
        timestamp: 60_000_000_000,
        ..Transfer::default()
    };
    let text =
        "CREATE_TRANSFERS id = - amount=1_000_000 flags=0x8002 timestamp=1970-01-01T00:01:00Z";
    assert_eq!(request(text), Request::CreateTransfers(vec![transfer]));
}

#[test]
fn reads_take_ids_or_filters_with_sensible_defaults() {
    let ids = vec![1, 2, 0x10, 4];
    assert_eq!(request("lookup-accounts 1, id=2 0x10 4"), Request::LookupAccounts(ids.clone()));
    assert_eq!(request("lookup-transfers 1 2,0x10 4"), Request::LookupTransfers(ids.clone()));
    let fence = Request::ResolveTransfers { ids: ids.clone(), flags: ResolveFlags::FENCE };
    assert_eq!(request("fence 1 2 16 4"), fence);
    assert_eq!(request("resolve-transfers 1 2 16 4"), Request::ResolveTransfers { ids, flags: 0 });
    let filter = AccountFilter { account_id: 7, limit: 100, flags: 3, ..AccountFilter::default() };
    assert_eq!(request("get-account-transfers account_id=7"), Request::GetAccountTransfers(filter));
    let filter = AccountFilter { flags: 5, limit: 1, ..filter };
    let text = "get-account-balances account_id=7 flags=debits|reversed limit=1";
    assert_eq!(request(text), Request::GetAccountBalances(filter));
    let filter = QueryTransfersFilter {
        pending_status: PendingStatus::Voided as u16,
        limit: 100,
        timestamp_min: 86_400_000_000_000,
        ..QueryTransfersFilter::default()
    };
    let text = "query-transfers pending_status=voided timestamp_min=1970-01-02";
    assert_eq!(request(text), Request::QueryTransfers(filter));
    let filter = QueryAccountsFilter { limit: 100, flags: 1, ..QueryAccountsFilter::default() };
    assert_eq!(request("query-accounts flags=reversed"), Request::QueryAccounts(filter));
}

#[test]
fn several_statements_on_one_line_or_many() {
    let text = "status; # comment; with ; signs\n\n;help fence\nlookup-accounts 1,\n 2\nexit";
    let expected = [
        Statement::Request(Request::Status),
        Statement::Help(Some("fence".to_owned())),
        Statement::Request(Request::LookupAccounts(vec![1, 2])),
        Statement::Exit,
    ];
    assert_eq!(statements(text), expected);
    assert_eq!(statements(" \n;; # nothing"), []);
}

#[test]
fn mistakes_are_shown_at_their_place() {
    assert_eq!(
        rendered("status\ncreate-accounts id=1 ledgr=700; status"),
        "line 2, character 22: unknown field ledgr; did you mean ledger?\n  \
         create-accounts id=1 ledgr=700; status\n                       ^^^^^"
    );
    for (text, message, carets) in [
        (
            "creat-accounts id=1",
            "unknown operation creat-accounts; did you mean create-accounts?",
            "^^^^^^^^^^^^^^",
        ),
        ("frobnicate", "unknown operation frobnicate; help shows them all", "^^^^^^^^^^"),
        ("create-accounts", "a field belongs here, such as id=1", "^"),
        ("create-accounts id=1,", "a field belongs here, such as id=1", "^"),
        ("create-accounts id", "= and a value belong after id", "^^"),
        ("create-accounts id=", "a value of id belongs here", "^"),
        ("create-accounts id=1 id=2", "the field id is set twice", "^^"),
        ("create-accounts =1", "a field belongs before =", "^"),
        ("create-accounts id=1 =2", "a field belongs before =", "^"),
        ("create-accounts id=x", "id: \"x\" is no whole number", "^"),
        ("create-accounts id=+1", "id: \"+1\" is no whole number", "^^"),
        ("create-accounts id=1.5", "id: \"1.5\" is no whole number", "^^^"),
        ("create-accounts code=65536", "code: 65536 is too large: at most 65535", "^^^^^"),
        (
            "create-accounts flags=histroy",
            "flags: \"histroy\" is no flag, did you mean history?",
            "^^^^^^^",
        ),
        ("create-accounts timestamp=now", "timestamp: must be nanoseconds or a time", "^^^"),
        ("query-transfers pending_status=gone", "pending_status: \"gone\" is none of", "^^^^"),
        ("lookup-accounts", "an id belongs here", "^"),
        ("lookup-accounts 1 x", "\"x\" is no whole number", "^"),
        ("lookup-accounts 1,;", "an id belongs here", "^"),
        ("lookup-accounts ,1", "an id belongs here", "^"),
        ("lookup-accounts 1,,2", "an id belongs here", "^"),
        ("get-account-transfers account_id=1, limit=2", "nothing more belongs here", "^"),
        ("status now", "nothing more belongs here", "^^^"),
        ("help frobnicate", "unknown operation frobnicate", "^^^^^^^^^^"),
        ("= 1", "an operation belongs here", "^"),
        (", status", "an operation belongs here", "^"),
    ] {
        let shown = rendered(text);
        assert!(shown.starts_with(message), "{text}: {shown}");
        let last = shown.lines().last().unwrap();
        assert_eq!(last.trim(), carets, "{text}: {shown}");
    }
}

#[test]
fn a_request_has_room_for_so_many_events() {
    let most = vec!["1"; crate::limits::EVENTS_PER_REQUEST_MAX].join(" ");
    assert!(parse(&format!("lookup-accounts {most}"), &mut || 1).is_ok());
    assert!(rendered(&format!("lookup-accounts {most} 1")).contains("at most 8190 events"));
}

#[test]
fn an_error_in_a_long_statement_is_shown_in_few_words() {
    let many: Vec<String> = (0..2_000).map(|i| format!("id={} ledger=978 code=1", i + 1)).collect();
    let long = format!("create-accounts {}", many.join(", "));
    let typo = format!("status\n{long}, id=5 leger=978, id=6; status");
    let shown = rendered(&typo);
    assert!(shown.len() < 400, "{} bytes", shown.len());
    let column = typo.lines().nth(1).unwrap().find("leger").unwrap() + 1;
    let start = format!("line 2, character {column}: unknown field leger; did you mean ledger?\n");
    assert!(shown.starts_with(&start), "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    let marked: Vec<char> = lines[1].chars().collect();
    let from = lines[2].chars().position(|c| c == '^').unwrap();
    assert_eq!(marked[from..from + 5].iter().collect::<String>(), "leger", "{shown}");
    assert!(lines[1].ends_with("id=6; status"), "{shown}");
    // One event too many, far beyond column 65,535.
    let room: Vec<String> = (0..8_191).map(|i| format!("id={} ledger=978 code=1", i + 1)).collect();
    let shown = rendered(&format!("create-accounts {}", room.join(", ")));
    assert!(shown.len() < 400 && shown.contains("at most 8190 events"), "{shown}");
    // A word without an end, in every place where a word can stand.
    let word = "é".repeat(100_000);
    for text in [
        word.clone(),
        format!("create-accounts {word}"),
        format!("create-accounts {word}=1"),
        format!("create-accounts id={word}"),
        format!("create-accounts id=1{}", "0".repeat(100_000)),
        format!("create-accounts flags={word}"),
        format!("create-accounts timestamp={word}"),
        format!("create-accounts timestamp=2026-01-01{word}"),
        format!("query-transfers pending_status={word}"),
        format!("lookup-accounts {word}"),
        format!("help {word}"),
        format!("status {word}"),
    ] {
        let shown = rendered(&text);
        assert!(shown.len() < 1_000, "{}: {} bytes", &text[..20], shown.len());
    }
}

#[test]
fn an_amount_that_was_not_typed() {
    let amounts = |text: &str| match request(text) {
        Request::CreateTransfers(events) => events.iter().map(|e| e.amount).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let text = "create-transfers id=1 pending_id=9 flags=post_pending_transfer, \
                id=2 pending_id=9 flags=post_pending_transfer amount=0, \
                id=3 pending_id=9 flags=void_pending_transfer, \
                id=4 amount=0, id=5 amount=max flags=balancing_debit";
    assert_eq!(amounts(text), [u128::MAX, 0, 0, 0, u128::MAX]);
    let plain = rendered("create-transfers id=1 amount=1, id=2 debit_account_id=1");
    assert!(plain.starts_with("amount is missing: add amount=…"), "{plain}");
    assert!(plain.lines().last().unwrap().trim_start().starts_with('^'), "{plain}");
    let balancing = rendered("create-transfers id=2 flags=balancing_credit|pending");
    assert!(balancing.contains("amount=max sets no bound"), "{balancing}");
}

#[test]
fn bytes_that_are_no_text_are_a_typing_error_at_most() {
    let read = |bytes: &[u8]| super::decode(bytes).map(|text| statements(&text));
    let expected = Ok(vec![Statement::Request(Request::Status)]);
    assert_eq!(read(b"\xef\xbb\xbfstatus\n"), expected);
    assert_eq!(read(b"status # caf\xe9"), expected);
    let text = super::decode(b"lookup-accounts 1\xff2").unwrap();
    assert!(rendered(&text).starts_with("\"1\u{fffd}2\" is no whole number"));
    assert!(super::decode(b"\xff\xfes\0").unwrap_err().message.unwrap().contains("UTF-16"));
}

/// A record as the fields of a statement.
fn as_statement<T: Fields>(record: &T) -> String {
    let fields = record.get().into_iter();
    fields.map(|field| format!("{}={}", field.name, field.text)).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_shown_can_be_typed() {
    let mut random = blake3::Hasher::new().finalize_xof();
    for _ in 0..500 {
        let mut bytes = [0; 128];
        random.fill(&mut bytes);
        let mut account: Account = bytemuck::cast(bytes);
        account.flags &= AccountFlags::ALL;
        account.timestamp >>= 1;
        let text = format!("create-accounts {}", as_statement(&account));
        assert_eq!(request(&text), Request::CreateAccounts(vec![account]), "{text}");
        random.fill(&mut bytes);
        let transfer: Transfer = bytemuck::cast(bytes);
        let text = format!("create-transfers {}", as_statement(&transfer));
        assert_eq!(request(&text), Request::CreateTransfers(vec![transfer]), "{text}");
        let filter = AccountFilter {
            account_id: transfer.id,
            timestamp_max: transfer.timestamp,
            flags: u32::from(transfer.flags & 7),
            limit: transfer.ledger,
            ..AccountFilter::default()
        };
        let text = format!("get-account-balances {}", as_statement(&filter));
        assert_eq!(request(&text), Request::GetAccountBalances(filter), "{text}");
    }
}

const TABLE: Style = Style { format: Format::Table { width: None }, all: false };

/// The model as a server.
struct ModelRemote {
    model: Model,
    op: u64,
    lose_after: u64,
}

impl ModelRemote {
    fn boxed(lose_after: u64) -> Box<dyn Remote> {
        Box::new(Self { model: Model::new(), op: 0, lose_after })
    }
}

impl Remote for ModelRemote {
    fn call(&mut self, request: &Request) -> Result<(Op, Reply), CallError> {
        self.op += 1;
        if self.op > self.lose_after {
            return Err(CallError::Unknown("the connection broke".into()));
        }
        let now = Timestamp(self.op * 1_000_000_000);
        let rejected = |error: crate::ledger::FilterError| {
            let refusal = crate::wire::RequestError::from(error);
            let message = refusal.to_string();
            CallError::Rejected(Cause { message, refusal: Some(Box::new(refusal)) })
        };
        let model = &mut self.model;
        let reply = match request {
            Request::CreateAccounts(events) => {
                Reply::CreateResults(model.create_accounts(events, now))
            }
            Request::CreateTransfers(events) => {
                Reply::CreateResults(model.create_transfers(events, now))
            }
            Request::LookupAccounts(ids) => Reply::Accounts(model.lookup_accounts(ids)),
            Request::LookupTransfers(ids) => Reply::Transfers(model.lookup_transfers(ids)),
            Request::ResolveTransfers { ids, flags } => Reply::ResolveResults(
                model.resolve_transfers(ids, *flags == ResolveFlags::FENCE, now),
            ),
            Request::GetAccountTransfers(filter) => {
                Reply::Transfers(model.get_account_transfers(filter).map_err(rejected)?)
            }
            Request::GetAccountBalances(filter) => {
                Reply::Balances(model.get_account_balances(filter).map_err(rejected)?)
            }
            Request::QueryAccounts(filter) => {
                Reply::Accounts(model.query_accounts(filter).map_err(rejected)?)
            }
            Request::QueryTransfers(filter) => {
                Reply::Transfers(model.query_transfers(filter).map_err(rejected)?)
            }
            Request::Command { command, .. } => Reply::Command(model.command(command, now)),
            Request::Status => Reply::Status(Box::default()),
            Request::Ping => Reply::Pong,
        };
        Ok((Op(self.op), reply))
    }
}

fn script(text: &str, json: bool, lose_after: u64) -> (Exit, String) {
    let mut out = Vec::new();
    let mut connect = || Ok(ModelRemote::boxed(lose_after));
    let format = if json { Format::Json } else { Format::Table { width: None } };
    let style = Style { format, all: false };
    let exit = run_script(&statements(text), style, &mut connect, &mut out).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

const BOOK: &str = "create-accounts id=1 ledger=700 code=10 flags=history, id=2 ledger=700 code=10;
    create-transfers id=1 debit_account_id=1 credit_account_id=2 amount=10 ledger=700 code=1;";

#[test]
fn tables_show_what_matters() {
    let (exit, shown) = script(&format!("{BOOK} lookup-accounts 1 2 3"), false, u64::MAX);
    assert_eq!(exit, Exit::Ok);
    let expected = "\
id  status   timestamp
1   created  1970-01-01T00:00:01.000000001Z
2   created  1970-01-01T00:00:01.000000002Z
id  status   timestamp
1   created  1970-01-01T00:00:02.000000001Z
id  debits_posted  credits_posted  ledger  code  flags    timestamp
 1             10               0     700    10  history  1970-01-01T00:00:01.000000001Z
 2              0              10     700    10  0        1970-01-01T00:00:01.000000002Z
";
    let squeeze = |text: &str| {
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(squeeze(&shown), squeeze(expected));
    assert_eq!(
        script("query-accounts ledger=9", false, u64::MAX),
        (Exit::Ok, "no accounts\n".into())
    );
}

#[test]
fn json_is_one_object_for_each_statement() {
    let text = format!("{BOOK} get-account-balances account_id=1; resolve-transfers 1 5; status");
    let (exit, shown) = script(&text, true, u64::MAX);
    assert_eq!(exit, Exit::Ok);
    let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let operations: Vec<_> = lines.iter().map(|line| line["operation"].as_str().unwrap()).collect();
    let expected = [
        "create-accounts",
        "create-transfers",
        "get-account-balances",
        "resolve-transfers",
        "status",
    ];
    assert_eq!(operations, expected);
    assert_eq!(lines[1]["op"], "2");
    assert_eq!(lines[1]["results"][0]["id"], "1");
    assert_eq!(lines[1]["results"][0]["timestamp"], "2000000001");
    assert_eq!(lines[2]["results"][0]["debits_posted"], "10");
    assert_eq!(lines[3]["results"][0]["outcome"], "created");
    assert_eq!(lines[3]["results"][1]["outcome"], "unknown");
}

#[test]
fn the_status_of_a_script_is_that_of_its_worst_statement() {
    let again = format!("{BOOK} {BOOK}");
    assert_eq!(script(&again, false, u64::MAX).0, Exit::Ok, "exists is as good as created");
    let refused = format!("create-transfers id=9 amount=0 ledger=1 code=1; {BOOK}");
    let (exit, shown) = script(&refused, false, u64::MAX);
    assert_eq!(exit, Exit::Refused);
    assert!(shown.contains("debit_account_id_must_not_be_zero") && shown.contains("created"));
    let filter = format!("get-account-balances account_id=2 flags=0; {BOOK}");
    let (exit, shown) = script(&filter, true, u64::MAX);
    assert_eq!(exit, Exit::Refused);
    assert!(shown.contains("choose debits, credits or both"), "{shown}");
    assert_eq!(shown.lines().count(), 3, "what follows a refusal still runs");
    let (exit, shown) = script(&refused, true, 1);
    assert_eq!(exit, Exit::Unknown);
    assert_eq!(shown.lines().count(), 2, "nothing runs after a lost server");
    assert!(shown.contains(r#""ids":["1","2"]"#), "the ids in doubt are named: {shown}");
    assert_eq!(script(&format!("{BOOK} exit; create-accounts id=0"), false, u64::MAX).0, Exit::Ok);
}

#[test]
fn without_a_server_only_help_works() {
    let mut connect = || Err(CallError::Unavailable("nobody listens".into()));
    let mut out = Vec::new();
    let exit =
        run_script(&statements("help; help fence; status; help"), TABLE, &mut connect, &mut out);
    assert_eq!(exit, Ok(Exit::Unavailable));
    let shown = String::from_utf8(out).unwrap();
    assert_eq!(shown.matches("get-account-balances").count(), 1);
    assert!(shown.contains("fence 7 8"));
}

#[test]
fn every_operation_has_help_with_an_example_that_parses() {
    for (operation, _) in super::operations::OPERATIONS {
        let mut out = Vec::new();
        super::help::write(Some(operation), &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let example = shown.lines().find_map(|line| line.strip_prefix("e.g.    ")).unwrap();
        assert_eq!(statements(example).len(), 1, "{example}");
        assert!(example.starts_with(operation));
    }
}

#[test]
fn help_explains_every_status_and_error() {
    for name in super::help::codes() {
        let text = format!("help {name}");
        assert_eq!(statements(&text), [Statement::Help(Some(name.to_owned()))]);
        let mut out = Vec::new();
        super::help::write(Some(name), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("to do:"), "{name}");
    }
    let (_, shown) = script("help exceeds_credits", false, u64::MAX);
    assert!(shown.starts_with("exceeds_credits (54 of create-transfers, burns the id)\n"));
    assert!(shown.contains("Pending credits are not funds.") && shown.contains("new id"));
    let (_, shown) = script("help exists", false, u64::MAX);
    assert!(
        shown.contains("(46 of create-transfers)") && shown.contains("(21 of create-accounts)")
    );
    assert!(rendered("help exceed_credits").contains("did you mean exceeds_credits?"));
}
