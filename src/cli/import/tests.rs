//! Whole imports into the reference model of the ledger.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::ImportArgs;
use super::mapping::Mapping;
use super::run::Prepared;
use crate::cli::args::{Arguments, Command};
use crate::cli::exit::{Exit, Failure};
use crate::cli::remote::{CallError, Target};
use crate::ledger::model::Model;
use crate::ledger::{Account, CreateResult, Timestamp, Transfer};

/// The model behind the border that imports talk to.
struct ModelTarget {
    model: Model,
    clock: u64,
    waiting: VecDeque<Vec<Transfer>>,
    waiting_max: usize,
    fail_after: Option<usize>,
}

impl ModelTarget {
    fn new() -> Self {
        let clock = 1_800_000_000_000_000_000;
        let waiting = VecDeque::new();
        Self { model: Model::new(), clock, waiting, waiting_max: usize::MAX, fail_after: None }
    }

    fn now(&mut self) -> Timestamp {
        self.clock += 1_000_000;
        Timestamp(self.clock)
    }
}

impl Target for ModelTarget {
    fn create_accounts(&mut self, accounts: &[Account]) -> Result<Vec<CreateResult>, CallError> {
        let now = self.now();
        Ok(self.model.create_accounts(accounts, now))
    }

    fn submit_transfers(&mut self, transfers: Vec<Transfer>) -> Result<(), CallError> {
        self.waiting.push_back(transfers);
        assert!(self.waiting.len() <= self.waiting_max);
        Ok(())
    }

    fn collect_transfers(&mut self) -> Result<Vec<CreateResult>, CallError> {
        if let Some(left) = &mut self.fail_after {
            if *left == 0 {
                return Err(CallError::Unknown("the connection broke".into()));
            }
            *left -= 1;
        }
        let now = self.now();
        let transfers = self.waiting.pop_front().unwrap();
        Ok(self.model.create_transfers(&transfers, now))
    }
}

fn arguments(line: &[&str]) -> ImportArgs {
    let line = ["partita", "import", "--json"].iter().chain(line);
    match Arguments::try_parse_from(line).unwrap().command {
        Command::Import(args) => args,
        other => panic!("{other:?}"),
    }
}

fn import(line: &[&str], target: &mut ModelTarget) -> (Result<Exit, Failure>, serde_json::Value) {
    let args = arguments(line);
    let mut out = Vec::new();
    let ended = Prepared::new(&args).and_then(|prepared| prepared.run(&args, target, &mut out));
    let report = serde_json::from_slice(&out).unwrap_or(serde_json::Value::Null);
    (ended, report)
}

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

const SMALL: &str = r#"
name = "small"
ledger = 1
id = { columns = ["key"] }
amount = { column = "amount", scale = 2, negative = "swap" }
date = { column = "day", format = "%Y-%m-%d" }
transfer = { user_data_32 = { date = "day" }, user_data_128 = { hash = ["memo"] } }
families.customer = { column = "customer", max = 999, code = 1 }
accounts.cash = { id = 1000, code = 2, flags = ["history"] }
[[rules]]
when = { memo = "ignore" }
skip = true
[[rules]]
when = { customer = { not = "" } }
debit = "cash"
credit = "customer"
code = 7
"#;

/// The net of each account of the bank file by nothing but splitting and adding.
fn berka_nets() -> BTreeMap<u128, i128> {
    let file = std::fs::File::open(repository("tests/data/berka/trans.asc.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut nets = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(';').collect();
        if fields.len() < 10 {
            continue;
        }
        let minor: i128 = fields[5].replace('.', "").parse().unwrap();
        let sign = if fields[3] == "\"PRIJEM\"" { 1 } else { -1 };
        *nets.entry(fields[1].parse().unwrap()).or_default() += sign * minor;
    }
    nets
}

fn net(account: &Account) -> i128 {
    i128::try_from(account.credits_posted).unwrap() - i128::try_from(account.debits_posted).unwrap()
}

#[test]
fn the_bank_file_arrives_exactly_once() {
    let mapping = repository("docs/examples/berka.toml");
    let input = repository("tests/data/berka/trans.asc.gz");
    let line = ["--mapping", &mapping, "--allow-refused", "1", &input];
    let mut target = ModelTarget::new();
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Ok));
    assert_eq!(report["transfers"]["created"], 49_102);
    assert_eq!(report["accounts_by_code"]["1"]["created"], 1_229);
    assert_eq!(report["unreadable"], 1);
    assert_eq!(report["problems"][0]["line"], 49_104);

    let nets = berka_nets();
    assert_eq!(nets.len(), 1_229);
    let ids: Vec<_> = nets.keys().copied().collect();
    let accounts = target.model.lookup_accounts(&ids);
    assert_eq!(accounts.len(), nets.len());
    for account in &accounts {
        assert_eq!(Some(&net(account)), nets.get(&account.id), "account {}", account.id);
    }
    target.model.assert_balanced();

    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Ok));
    assert_eq!(report["transfers"]["created"], 0);
    assert_eq!(report["transfers"]["existed"], 49_102);
    assert_eq!(report["accounts"]["created"], 0);
    assert_eq!(target.model.transfers().count(), 49_102);
}

#[test]
fn the_bank_file_with_its_own_dates_as_timestamps() {
    let mapping = repository("docs/examples/berka.toml");
    let input = repository("tests/data/berka/trans.asc.gz");
    let line = ["--mapping", &mapping, "--timestamps", "imported", &input];
    let mut target = ModelTarget::new();
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Refused), "the cut line is not allowed for here");
    assert_eq!(report["transfers"]["created"], 49_102);
    let first = target.model.transfers().next().unwrap();
    assert_eq!((first.user_data_32, first.user_data_64), (19_930_101, 695_247));
    assert_eq!(first.timestamp / 1_000_000_000, 725_846_400);
    let (_, report) = import(&line, &mut target);
    assert_eq!(report["transfers"]["existed"], 49_102);
    assert_eq!(report["transfers"]["refused"], 0);
}

#[test]
fn good_lines_go_in_and_bad_ones_are_named() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let text = "key,day,customer,amount,memo\n\
                a,2026-01-05,1,10.00,x\n\
                b,2026-01-05,2,-2.5,\n\
                c,2026-01-05,3,ten,\n\
                d,2026-01-35,3,1,\n\
                e,2026-01-06,1000,1,\n\
                f,2026-01-06,,1,\n\
                g,2026-01-06,1,1\n\
                h,2026-01-06,1,1,ignore\n\
                ,2026-01-06,1,1,\n\
                i,2026-01-07,1,0.50,\"open\n\
                j,2026-01-07,2,1,\n";
    let input = files.write("in.csv", text);
    let csv = files.write("report.csv", "");
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &mapping, "--report", &csv, &input], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["transfers"]["created"], 3);
    assert_eq!(report["skipped"], 1);
    let details: Vec<_> = (report["problems"].as_array().unwrap().iter())
        .map(|p| (p["line"].as_u64().unwrap(), p["detail"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        (4, "column amount: has 't' at position 1, where a digit belongs"),
        (5, "column day: there is no day 35"),
        (6, "column customer: 1000 lies outside of the account numbers 1 to 999"),
        (7, "no rule of the mapping applies"),
        (8, "has 4 fields where 5 belong"),
        (10, "column key: is empty: no key for the id"),
        (11, "a quoted field isn't closed"),
    ];
    let expected: Vec<_> = expected.map(|(line, text)| (line, text.to_owned())).into();
    assert_eq!(details, expected);
    let accounts = target.model.lookup_accounts(&[1, 2, 1000]);
    assert_eq!(accounts.iter().map(net).collect::<Vec<_>>(), [1000, 100 - 250, 250 - 1100]);
    let written = std::fs::read_to_string(&csv).unwrap();
    assert_eq!(written.lines().count(), 12);
    assert!(written.contains("in.csv,4,,unreadable,,,\"column amount"), "{written}");
}

#[test]
fn a_last_line_without_newline_is_booked_with_a_warning_or_unreadable() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let text = "key,day,customer,amount,memo\na,2026-01-05,1,1,\nb,2026-01-05,1,12";
    let cut = files.write("cut.csv", text);
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &mapping, &cut], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!((&report["unreadable"], &report["problems"][0]["line"]), (&1.into(), &3.into()));
    let whole = files.write("whole.csv", &format!("{text},"));
    let (ended, report) = import(&["--mapping", &mapping, &whole], &mut target);
    assert_eq!(ended, Ok(Exit::Ok));
    assert_eq!(report["transfers"]["created"], 1);
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(report["warnings"][0]["line"], 3);
}

#[test]
fn with_limits_one_request_waits_for_the_other() {
    let files = Files::new();
    let limited =
        SMALL.replace("code = 1 }", "code = 1, flags = [\"credits_must_not_exceed_debits\"] }");
    assert!(!Mapping::parse(SMALL).unwrap().has_limits());
    let mapping = files.write("m.toml", &limited);
    let mut text = "key,day,customer,amount,memo\n".to_owned();
    for line in 0..50 {
        // Each pays back what the one before brought: in any other order some would be refused.
        text.push_str(&format!(
            "{line},2026-01-05,1,{},\n",
            if line % 2 == 0 { "-1" } else { "1" }
        ));
    }
    let input = files.write("in.csv", &text);
    let mut target = ModelTarget::new();
    target.waiting_max = 1;
    let line = ["--mapping", &mapping, "--batch", "1", "--in-flight", "8", &input];
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Ok), "{report}");
    assert_eq!(report["transfers"]["created"], 50);
}

#[test]
fn a_line_that_changed_is_refused_and_several_inputs_are_one_import() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let head = "key,day,customer,amount,memo\n";
    let one = files.write("1.csv", &format!("{head}a,2026-01-05,1,10.00,\n"));
    let two = files.write("2.csv", &format!("{head}b,2026-01-05,1,1.00,\na,2026-01-05,1,10.01,\n"));
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &mapping, &one, &two], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["transfers"]["created"], 2);
    assert_eq!(report["statuses"]["exists_with_different_amount"], 1);
    assert_eq!(report["problems"][0]["line"], 3);
    assert!(report["problems"][0]["input"].as_str().unwrap().ends_with("2.csv"));
}

#[test]
fn lines_of_a_refused_account_are_not_sent_and_can_follow_later() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let input = files
        .write("in.csv", "key,day,customer,amount,memo\na,2026-01-05,1,1,\nb,2026-01-05,2,1,\n");
    let mut target = ModelTarget::new();
    let other = Account { id: 1, ledger: 1, code: 9, ..Account::default() };
    target.create_accounts(&[other]).unwrap();
    let (ended, report) = import(&["--mapping", &mapping, &input], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["transfers"]["created"], 1);
    assert_eq!(report["problems"][0]["status"], "exists_with_different_code");
    assert_eq!(report["problems"][0]["detail"], "account 1 was refused");

    let corrected = SMALL.replace("max = 999, code = 1", "max = 999, code = 9");
    let mapping = files.write("m.toml", &corrected.replace("accounts.cash", "accounts.till"));
    let text = std::fs::read_to_string(&mapping).unwrap().replace("\"cash\"", "\"till\"");
    let mapping = files.write("m.toml", &text);
    let only = files.write("only.csv", "key,day,customer,amount,memo\na,2026-01-05,1,1,\n");
    let (ended, report) = import(&["--mapping", &mapping, &only], &mut target);
    assert_eq!(ended, Ok(Exit::Ok), "{report}");
    assert_eq!(report["transfers"]["created"], 1);
}

#[test]
fn a_lost_answer_ends_with_unknown_and_a_second_run_settles_it() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let mut text = "key,day,customer,amount,memo\n".to_owned();
    for line in 0..100 {
        text.push_str(&format!("{line},2026-01-05,{},1,\n", line % 7 + 1));
    }
    let input = files.write("in.csv", &text);
    let line = ["--mapping", &mapping, "--batch", "10", "--in-flight", "2", &input];
    let mut target = ModelTarget::new();
    target.fail_after = Some(3);
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended.unwrap_err().exit, Exit::Unknown);
    assert_eq!(report["transfers"]["created"], 30);
    assert_eq!(report["unknown"], 20);
    target.fail_after = None;
    target.waiting.clear();
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Ok));
    assert_eq!(
        (&report["transfers"]["existed"], &report["transfers"]["created"]),
        (&30.into(), &70.into())
    );
}

#[test]
fn imported_timestamps_need_lines_in_the_order_of_their_dates() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let text = "key,day,customer,amount,memo\n\
                a,2026-01-05,1,1,\nb,2026-01-05,1,2,\nc,2026-01-04,1,3,\nd,2026-01-06,1,4,\n";
    let input = files.write("in.csv", text);
    let line = ["--mapping", &mapping, "--timestamps", "imported", &input];
    let mut target = ModelTarget::new();
    let (ended, report) = import(&line, &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["transfers"]["created"], 3);
    assert_eq!(report["problems"][0]["line"], 4);
    let amounts: Vec<_> = target.model.transfers().map(|t| t.amount).collect();
    assert_eq!(amounts, [100, 200, 400]);
}

#[test]
fn wrong_mappings_name_their_place() {
    for (change, to, expected) in [
        ("ledger = 1", "ledger = 0", "ledger: must not be 0"),
        ("ledger = 1", "ledger = 1\nlegder = 2", ":4: there is no key legder; there are name"),
        ("ledger = 1", "", "ledger is missing; what belongs here is a whole"),
        ("\"%Y-%m-%d\"", "\"%Y-%m\"", "date.format: must name year, month and day"),
        ("debit = \"cash\"", "debit = \"csh\"", "rules[2].debit: there is no account or family"),
        ("debit = \"cash\"", "debit = { lookup = \"x\" }", "there is no look-up table \"x\""),
        ("code = 7", "", "rules[2]: needs debit, credit and code"),
        ("code = 7", "code = 0", "rules[2].code: 0 is no code"),
        ("id = 1000", "id = 999", "accounts.cash.id: lies among the numbers of family customer"),
        ("\"history\"", "\"linked\"", "accounts.cash.flags: \"linked\" is no flag"),
        ("\"history\"", "\"histroy\"", "accounts.cash.flags: \"histroy\" is no flag"),
        ("column = \"amount\"", "column = \"amuont\"", "there is no column \"amuont\""),
        ("scale = 2", "scale = 31", "amount.scale"),
        ("scale = 2", "scale = 2, grouping = \".\"", "amount.grouping: '.' is the decimal sign"),
        ("name = \"small\"", "name = \"\"", "name: must not be empty"),
        ("[\"key\"]", "[]", "id.columns"),
    ] {
        let files = Files::new();
        assert!(SMALL.contains(change), "{change}");
        let mapping = files.write("m.toml", &SMALL.replacen(change, to, 1));
        let input = files.write("in.csv", "key,day,customer,amount,memo\n");
        let (ended, _) = import(&["--mapping", &mapping, &input], &mut ModelTarget::new());
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{change} → {to}");
        let message = failure.message.unwrap();
        assert!(message.contains(expected), "{change} → {to}: {message}");
    }
}

#[test]
fn inputs_that_cannot_be_imported_at_all_are_wrong_usage() {
    let files = Files::new();
    let mapping = files.write("m.toml", SMALL);
    let empty = files.write("empty.csv", "");
    let double = files.write("double.csv", "key,key,day,customer,amount,memo\n");
    let lacking = files.write("lacking.csv", "key,day,customer,memo\n");
    for (input, expected) in [
        (empty.as_str(), "is empty, without a header"),
        (double.as_str(), "two columns have the name \"key\""),
        (lacking.as_str(), "there is no column \"amount\""),
        ("/nonexistent", "can't read /nonexistent"),
    ] {
        let (ended, _) = import(&["--mapping", &mapping, input], &mut ModelTarget::new());
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.as_ref().unwrap().contains(expected), "{failure:?}");
    }
}

#[test]
fn an_empty_input_is_wrong_usage_without_a_header_too() {
    let files = Files::new();
    let bare = "input = { header = false, columns = [\"key\", \"day\", \"customer\", \"amount\", \"memo\"] }";
    let mapping =
        files.write("m.toml", &SMALL.replace("ledger = 1", &format!("ledger = 1\n{bare}")));
    for (name, content) in [("empty.csv", ""), ("mark.csv", "\u{feff}")] {
        let input = files.write(name, content);
        let (ended, _) = import(&["--mapping", &mapping, &input], &mut ModelTarget::new());
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.as_ref().unwrap().contains("is empty"), "{failure:?}");
    }
    let input = files.write("one.csv", "a,2026-01-05,1,10.00,x\n");
    let (ended, report) = import(&["--mapping", &mapping, &input], &mut ModelTarget::new());
    assert_eq!((ended, &report["transfers"]["created"]), (Ok(Exit::Ok), &1.into()));
}

#[test]
fn references_that_differ_by_a_leading_zero_are_never_one_account() {
    let files = Files::new();
    let head = "key,day,customer,amount,memo\n";
    let text = format!(
        "{head}a,2026-01-05,7,1.00,\nb,2026-01-05,007,1.00,\nc,2026-01-05,+7,1.00,\n\
         d,2026-01-05,07,1.00,\n"
    );
    let input = files.write("in.csv", &text);
    let numbers = files.write("m.toml", SMALL);
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &numbers, &input], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["transfers"]["created"], 1);
    let details: Vec<_> = (report["problems"].as_array().unwrap().iter())
        .map(|problem| problem["detail"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(details.len(), 3);
    assert!(details.iter().all(|d| d.contains("families.customer.id = \"hash\"")), "{details:?}");

    let hashed = SMALL.replace("max = 999", "id = \"hash\"");
    let hashed = files.write("h.toml", &hashed);
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &hashed, &input], &mut target);
    assert_eq!(ended, Ok(Exit::Ok), "{report}");
    assert_eq!(report["accounts_by_code"]["1"]["created"], 4);
}

#[test]
fn hashed_accounts_separate_columns_and_look_ups_by_number() {
    let text = r#"
name = "statement"
ledger = 978
id = { columns = ["Ref"] }
amount = { column = "In", scale = 2, decimal = ",", grouping = "." }
input = { delimiter = "\t", header = false, columns = ["Ref", "IBAN", "In", "Out", "Kind"] }
families.iban = { column = "IBAN", id = "hash", code = 1 }
accounts.bank = { id = "340282366920938463463374607431768211000", code = 2 }
lookups.kind = { column = "Kind", entries = { 1 = 11, 2 = "12" } }
[[rules]]
when = { Out = "" }
debit = "bank"
credit = "iban"
code = { lookup = "kind" }
[[rules]]
amount = "Out"
debit = "iban"
credit = "bank"
code = { lookup = "kind" }
"#;
    assert!(Mapping::parse(text).is_ok());
    let files = Files::new();
    let mapping = files.write("m.toml", text);
    let input = files.write("in.tsv", "1\tDE1\t1.234,56\t\t1\n2\tDE1\t\t0,06\t2\n3\tDE1\t1\t\t3\n");
    let mut target = ModelTarget::new();
    let (ended, report) = import(&["--mapping", &mapping, &input], &mut target);
    assert_eq!(ended, Ok(Exit::Refused));
    assert_eq!(report["problems"][0]["line"], 3);
    assert_eq!(
        report["problems"][0]["detail"],
        "column Kind: the look-up table has no entry for \"3\""
    );
    let bank = target.model.lookup_accounts(&[340_282_366_920_938_463_463_374_607_431_768_211_000]);
    assert_eq!(net(&bank[0]), 6 - 123_456);
    let codes: Vec<_> = target.model.transfers().map(|t| t.code).collect();
    assert_eq!(codes, [11, 12]);
}
