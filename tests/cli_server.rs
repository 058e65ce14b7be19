//! The commands that talk to a server, against a real one: shell, import, status; then `inspect`
//! and `verify` on what it left.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A server in a directory of its own, killed when the test ends.
struct Server {
    child: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if let ["--cluster", cluster] = flags {
            let init = ["init", "--segment-bytes", "16MiB", "--cluster", cluster];
            let made = partita(directory.path(), &init, NOBODY, "");
            assert!(made.status.success(), "{made:?}");
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_partita"))
            .current_dir(directory.path())
            .args(["start", "--listen", "127.0.0.1:0", "--segment-bytes", "16MiB", "--cores", "1"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{line:?}"));
        Self { address: address.to_owned(), child, directory }
    }

    /// Runs a client command from the root of the repository.
    fn run(&self, args: &[&str]) -> Output {
        partita(Path::new(env!("CARGO_MANIFEST_DIR")), args, &self.address, "")
    }

    fn shell(&self, script: &str) -> (Option<i32>, Vec<Value>) {
        let output = self.run(&["shell", "--json", "-c", script]);
        let lines = text(&output.stdout);
        let values = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code(), values)
    }

    /// Stops it as an operator would, and gives the directory for a look.
    fn stop(mut self) -> tempfile::TempDir {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn partita(directory: &Path, args: &[&str], connect: &str, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_partita"))
        .current_dir(directory)
        .env("PARTITA_CONNECT", connect)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn number(value: &Value) -> i128 {
    value.as_str().unwrap().parse().unwrap()
}

/// An address for commands that need no server.
const NOBODY: &str = "127.0.0.1:1";

const BOOK: &str = "create-accounts id=1 ledger=700 code=10 flags=history, id=2 ledger=700 code=10
    create-transfers id=1 debit_account_id=1 credit_account_id=2 amount=10 ledger=700 code=1,
                     id=2 debit_account_id=1 credit_account_id=2 amount=5 ledger=700 code=1 flags=pending";

#[test]
fn a_shell_script_creates_reads_and_settles() {
    let server = Server::start(&[]);
    let (code, answers) = server.shell(&format!(
        "{BOOK}
        lookup-accounts 1 2
        get-account-transfers account_id=2 flags=credits
        get-account-balances account_id=1
        query-accounts ledger=700 code=10
        query-transfers pending_status=pending
        resolve-transfers 1 9
        fence 9
        status"
    ));
    assert_eq!(code, Some(0), "{answers:?}");
    assert_eq!(answers[0]["results"][1]["status"], "created");
    assert_eq!(answers[2]["results"][1]["credits_posted"], "10");
    assert_eq!(answers[2]["results"][1]["credits_pending"], "5");
    assert_eq!(answers[3]["results"].as_array().unwrap().len(), 2);
    assert_eq!(answers[4]["results"][1]["debits_pending"], "5");
    assert_eq!(answers[5]["results"].as_array().unwrap().len(), 2);
    assert_eq!(answers[6]["results"][0]["id"], "2");
    assert_eq!(answers[7]["results"][1]["outcome"], "unknown");
    assert_eq!(answers[8]["results"][0]["outcome"], "fenced");
    let (code, answers) = server.shell(
        "create-transfers id=9 debit_account_id=1 credit_account_id=2 amount=1 ledger=700 code=1",
    );
    assert_eq!(code, Some(3));
    assert_eq!(answers[0]["results"][0]["status"], "id_fenced");
    let (code, answers) = server.shell("get-account-balances account_id=2; lookup-accounts 1");
    assert_eq!(code, Some(3), "{answers:?}");
    assert!(answers[0]["error"]["message"].as_str().unwrap().contains("history"));
    assert_eq!(answers[1]["results"][0]["id"], "1", "a refused filter leaves the connection");

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let piped = partita(root, &["shell"], &server.address, "lookup-accounts 1 # from stdin\n");
    assert_eq!(piped.status.code(), Some(0));
    assert!(text(&piped.stdout).contains("debits_posted"));

    let data = server.stop();
    let offline = |args: &[&str]| -> Value {
        let output = partita(data.path(), args, NOBODY, "");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let account = offline(&["inspect", "account", "1", "--json"]);
    assert_eq!(
        (&account["debits_posted"], &account["debits_pending"]),
        (&"10".into(), &"5".into())
    );
    let events = offline(&["inspect", "transfer", "9", "--json"]);
    assert_eq!(events["events"][1]["status"], "id_fenced");
    let frames = offline(&["inspect", "frames", "--json"]);
    assert_eq!(frames[0]["kind"], "genesis");
}

#[test]
fn the_bank_file_by_an_independent_sum() {
    let server = Server::start(&[]);
    let report = server.directory.path().join("report.csv");
    let import = |more: &[&str]| {
        let line = ["import", "--json", "--mapping", "docs/examples/berka.toml"];
        let output = server.run(&[&line, more, &["tests/data/berka/trans.asc.gz"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (code, first) = import(&["--report", report.to_str().unwrap()]);
    assert_eq!(code, Some(3), "the last line of the file is cut off");
    assert_eq!(first["transfers"]["created"], 49_102);
    assert_eq!(first["accounts_by_code"]["1"]["created"], 1_229);
    assert_eq!(first["problems"][0]["line"], 49_104);
    assert_eq!(std::fs::read_to_string(&report).unwrap().lines().count(), 1 + 49_103);
    let (code, second) = import(&["--allow-refused", "1"]);
    assert_eq!(code, Some(0));
    assert_eq!(second["transfers"]["created"], 0);
    assert_eq!(second["transfers"]["existed"], 49_102);
    assert_eq!(second["accounts"]["created"], 0);

    let (_, answers) = server.shell("query-accounts ledger=203 limit=8190");
    let accounts = answers[0]["results"].as_array().unwrap();
    let net =
        |account: &Value| number(&account["credits_posted"]) - number(&account["debits_posted"]);
    assert_eq!(accounts.iter().map(net).sum::<i128>(), 0, "the trial balance");
    let clients: BTreeMap<i128, i128> = (accounts.iter())
        .filter(|account| account["code"] == 1)
        .map(|account| (number(&account["id"]), net(account)))
        .collect();
    assert_eq!(clients, independent_nets());
}

/// The nets as a script computes them that knows nothing of Partita.
fn independent_nets() -> BTreeMap<i128, i128> {
    let output = Command::new("python3")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["scripts/berka-balances", "tests/data/berka/trans.asc.gz"])
        .output()
        .expect("python3 is needed for the independent sum");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let nets: BTreeMap<_, _> = text(&output.stdout)
        .lines()
        .map(|line| {
            let (account, net) = line.split_once(';').unwrap();
            (account.parse().unwrap(), net.parse().unwrap())
        })
        .collect();
    assert_eq!(nets.len(), 1_229);
    nets
}

#[test]
fn a_cluster_is_kept_apart_from_others() {
    let mine = "000000000000000000000000000000aa";
    let server = Server::start(&["--cluster", mine]);
    let status = server.run(&["status", "--json", "--cluster", mine]);
    let report: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(report["cluster"], mine);
    assert_eq!(report["state"], "serving");
    let other = server.run(&["status", "--cluster", "000000000000000000000000000000bb"]);
    assert_eq!(other.status.code(), Some(5));
    assert!(text(&other.stderr).contains("cluster"), "{}", text(&other.stderr));

    let data = server.stop();
    let again = partita(data.path(), &["init"], NOBODY, "");
    assert_ne!(again.status.code(), Some(0), "a directory is made once");
    let start =
        ["start", "--listen", "127.0.0.1:0", "--cluster", "000000000000000000000000000000bb"];
    let wrong = partita(data.path(), &start, NOBODY, "");
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
    assert!(text(&wrong.stderr).contains(mine), "{}", text(&wrong.stderr));
}

#[test]
fn init_makes_what_start_serves() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = "000000000000000000000000000000cc";
    let line = ["init", "--data", "d", "--cluster", cluster, "--segment-bytes", "16MiB"];
    let made = partita(directory.path(), &line, NOBODY, "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains(cluster));
    let data = directory.path().join("d");
    let server = Server::start(&["--data", data.to_str().unwrap(), "--cluster", cluster]);
    assert_eq!(server.shell(BOOK).0, Some(0));
    drop(server.stop());
    let verified = partita(directory.path(), &["verify", "--data", "d"], NOBODY, "");
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
}
