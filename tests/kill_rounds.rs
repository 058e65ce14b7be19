//! Rounds of: start, load, `kill -9` at a random moment, restart, check. With real processes and a
//! real disk, since what survives a killed process is what the simulator can only assume.
//!
//! After each restart
//! - every acknowledged transfer is there, as it was sent and with its timestamp;
//! - what was definitely refused is not there;
//! - what was unknown is sent again under the same ids and so settled;
//! - the balances are those of every transfer applied exactly once;
//! - `partita verify` finds nothing wrong.
//!
//! `PARTITA_KILL_ROUNDS` sets the number of rounds for each log writer, `PARTITA_KILL_SEED` what is
//! sent and when is killed (to the millisecond; the rest is up to the machine). scripts/kill-rounds
//! runs it long.
#![expect(clippy::unwrap_used, reason = "any failure here is the test's failure")]
#![expect(clippy::print_stdout, reason = "a long run shows how far it is")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use partita::client::{CallError, Client, ConnectOptions, Pending};
use partita::ledger::{Account, CreateAccountStatus, CreateTransferStatus, Transfer};
use partita::limits::EVENTS_PER_REQUEST_MAX;
use partita::loadgen::{OwnServer, ServerOptions};
use partita::wire::Reply;

const ROUNDS_DEFAULT: u64 = 3;
const SEED_DEFAULT: u64 = 1;
/// A directory's log is replayed and verified whole in every round, so a new one begins now and
/// then.
const ROUNDS_PER_DIRECTORY: u64 = 20;
const LOADERS: u64 = 4;
const IN_FLIGHT: usize = 4;
const EVENTS_MAX: u64 = 64;
const ACCOUNTS: u64 = 20;
/// The kill comes so long after the load began, at most.
const KILL_MS_MAX: u64 = 250;
/// One round of so many also kills a server while it starts.
const KILLED_STARTS_OF: u64 = 3;
const KILLED_START_MS_MAX: u64 = 40;

const PROGRAM: &str = env!("CARGO_BIN_EXE_partita");

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (z ^ (z >> 32)) % bound
    }
}

/// What the clients know of everything that they sent.
#[derive(Default)]
struct Known {
    /// With the timestamp that was acknowledged.
    acknowledged: Vec<(Transfer, u64)>,
    unknown: Vec<Transfer>,
    refused: Vec<Transfer>,
}

impl Known {
    fn absorb(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.unknown.extend(other.unknown);
        self.refused.extend(other.refused);
    }
}

fn connect(address: SocketAddr) -> Client {
    let mut options = ConnectOptions::new(address.to_string());
    // One attempt: a lost reply is to stay lost, or there is nothing to check.
    options.attempts_max = 1;
    options.share_below = 0;
    options.request_deadline = Duration::from_secs(60);
    options.backoff_max = Duration::from_millis(50);
    Client::connect(&options).unwrap()
}

fn create_accounts(client: &Client) {
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    let accounts: Vec<Account> = (1..=u128::from(ACCOUNTS)).map(account).collect();
    for result in client.create_accounts(&accounts).into_result().unwrap().value {
        let status = CreateAccountStatus::from_code(result.status);
        use CreateAccountStatus::{Created, Exists};
        assert!(matches!(status, Some(Created | Exists)), "{status:?}");
    }
}

fn transfers(chance: &mut Chance, next_id: &mut u128) -> Vec<Transfer> {
    let count = 1 + chance.below(EVENTS_MAX);
    let transfer = |_| {
        *next_id += 1;
        let debit = chance.below(ACCOUNTS);
        let credit = (debit + 1 + chance.below(ACCOUNTS - 1)) % ACCOUNTS;
        Transfer {
            id: *next_id,
            debit_account_id: u128::from(debit + 1),
            credit_account_id: u128::from(credit + 1),
            amount: u128::from(1 + chance.below(1_000)),
            ledger: 1,
            code: 1,
            ..Transfer::default()
        }
    };
    (0..count).map(transfer).collect()
}

/// Sends until the server is gone; then says what is known.
fn load(client: &Client, mut chance: Chance, mut next_id: u128) -> Known {
    let mut known = Known::default();
    let mut in_flight: VecDeque<(Vec<Transfer>, Pending)> = VecDeque::new();
    let mut alive = true;
    while alive || !in_flight.is_empty() {
        while alive && in_flight.len() < IN_FLIGHT {
            let events = transfers(&mut chance, &mut next_id);
            let pending = client.submit_transfers(&events);
            in_flight.push_back((events, pending));
        }
        let Some((events, pending)) = in_flight.pop_front() else { break };
        match pending.wait() {
            Ok(answer) => {
                let Reply::CreateResults(results) = answer.value else { panic!("another reply") };
                assert_eq!(results.len(), events.len());
                for (event, result) in events.into_iter().zip(results) {
                    assert_eq!(result.status, CreateTransferStatus::Created.code());
                    known.acknowledged.push((event, result.timestamp));
                }
            }
            Err(CallError::Refused(_)) => {
                known.refused.extend(events);
                alive = false;
            }
            Err(CallError::Unknown(_)) => {
                known.unknown.extend(events);
                alive = false;
            }
        }
    }
    known
}

fn kill_under_load(server: OwnServer, chance: &mut Chance, round: u64) -> Known {
    let address = server.address();
    create_accounts(&connect(address));
    let loaders: Vec<_> = (0..LOADERS)
        .map(|loader| {
            let client = connect(address);
            let own = Chance(chance.below(u64::MAX));
            let first_id = u128::from(round) << 96 | u128::from(loader + 1) << 64;
            std::thread::spawn(move || load(&client, own, first_id))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(chance.below(KILL_MS_MAX)));
    server.kill();
    let mut known = Known::default();
    for loader in loaders {
        known.absorb(loader.join().unwrap());
    }
    known
}

/// Starts a server on the directory and kills it, perhaps before it is ready.
fn kill_while_starting(data: &Path, flags: &[String], chance: &mut Chance) {
    let mut child = Command::new(PROGRAM)
        .args(["start", "--listen", "127.0.0.1:0", "--log", "error", "--data"])
        .arg(data)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(chance.below(KILLED_START_MS_MAX)));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn check_acknowledged(client: &Client, acknowledged: &[(Transfer, u64)]) {
    for chunk in acknowledged.chunks(EVENTS_PER_REQUEST_MAX) {
        let ids: Vec<u128> = chunk.iter().map(|(transfer, _)| transfer.id).collect();
        let found = client.lookup_transfers(&ids).unwrap().value;
        let expected = chunk.iter().map(|&(t, timestamp)| Transfer { timestamp, ..t });
        let missing = ids.len() - found.len();
        assert_eq!(missing, 0, "{missing} acknowledged transfers are lost");
        assert!(found.into_iter().eq(expected), "a transfer isn't as acknowledged");
    }
}

fn check_absent(client: &Client, refused: &[Transfer]) {
    let ids: Vec<u128> = refused.iter().map(|transfer| transfer.id).collect();
    let found = client.lookup_transfers(&ids).unwrap().value;
    assert!(found.is_empty(), "{} refused transfers happened all the same", found.len());
}

/// Sends what is unknown again; all of it has happened then, once. Answers how much had already.
fn settle(client: &Client, known: &mut Known) -> usize {
    let mut existed = 0;
    for chunk in std::mem::take(&mut known.unknown).chunks(EVENTS_PER_REQUEST_MAX) {
        let results = client.create_transfers(chunk).into_result().unwrap().value;
        for (transfer, result) in chunk.iter().zip(results) {
            match CreateTransferStatus::from_code(result.status) {
                Some(CreateTransferStatus::Created) => {}
                Some(CreateTransferStatus::Exists) => existed += 1,
                status => panic!("{status:?} for a transfer of unknown outcome"),
            }
            known.acknowledged.push((*transfer, result.timestamp));
        }
    }
    existed
}

/// Sends the newest acknowledged transfers again: each exists since its own timestamp.
fn check_repeats(client: &Client, acknowledged: &[(Transfer, u64)]) {
    let newest = &acknowledged[acknowledged.len().saturating_sub(EVENTS_PER_REQUEST_MAX)..];
    let events: Vec<Transfer> = newest.iter().map(|(transfer, _)| *transfer).collect();
    let results = client.create_transfers(&events).into_result().unwrap().value;
    for ((transfer, timestamp), result) in newest.iter().zip(results) {
        assert_eq!(result.status, CreateTransferStatus::Exists.code(), "{}", transfer.id);
        assert_eq!(result.timestamp, *timestamp, "{}", transfer.id);
    }
}

fn check_balances(client: &Client, acknowledged: &[(Transfer, u64)]) {
    let mut expected: BTreeMap<u128, (u128, u128)> = BTreeMap::new();
    let mut timestamps = BTreeSet::new();
    for (transfer, timestamp) in acknowledged {
        assert!(timestamps.insert(*timestamp), "timestamp {timestamp} was given twice");
        expected.entry(transfer.debit_account_id).or_default().0 += transfer.amount;
        expected.entry(transfer.credit_account_id).or_default().1 += transfer.amount;
    }
    let ids: Vec<u128> = (1..=u128::from(ACCOUNTS)).collect();
    for account in client.lookup_accounts(&ids).unwrap().value {
        let sums = expected.remove(&account.id).unwrap_or_default();
        assert_eq!((account.debits_posted, account.credits_posted), sums, "{}", account.id);
        assert_eq!((account.debits_pending, account.credits_pending), (0, 0), "{}", account.id);
    }
    assert!(expected.is_empty(), "accounts are missing: {expected:?}");
}

fn verify(data: &Path) {
    let output = Command::new(PROGRAM).arg("verify").arg("--data").arg(data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "verify: {}: {said}", output.status);
}

/// A directory that outlives a failed test, to be looked into.
struct KeptOnFailure(tempfile::TempDir);

impl Drop for KeptOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.disable_cleanup(true);
            println!("the failed round's data stays in {}", self.0.path().display());
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn run_rounds(log_writer: &str) {
    let rounds = number("PARTITA_KILL_ROUNDS", ROUNDS_DEFAULT);
    let mut chance = Chance(number("PARTITA_KILL_SEED", SEED_DEFAULT));
    // Small segments, so that rounds end in the middle of all that happens to a segment.
    let flags = ["--log-writer", log_writer, "--segment-bytes", "4MiB"].map(str::to_owned);
    let options = ServerOptions { flags: flags.to_vec() };
    let start = |data: &Path| OwnServer::start_in(Path::new(PROGRAM), data, &options).unwrap();
    let (mut acknowledged, mut unknown, mut existed) = (0, 0, 0);
    for first in (0..rounds).step_by(ROUNDS_PER_DIRECTORY.try_into().unwrap()) {
        let directory = KeptOnFailure(tempfile::tempdir().unwrap());
        let data = directory.0.path().join("data");
        let mut all = Vec::new();
        for round in first..rounds.min(first + ROUNDS_PER_DIRECTORY) {
            let mut known = kill_under_load(start(&data), &mut chance, round);
            (acknowledged, unknown) =
                (acknowledged + known.acknowledged.len(), unknown + known.unknown.len());
            if chance.below(KILLED_STARTS_OF) == 0 {
                kill_while_starting(&data, &flags, &mut chance);
            }
            let server = start(&data);
            let client = connect(server.address());
            all.append(&mut known.acknowledged);
            check_acknowledged(&client, &all);
            check_absent(&client, &known.refused);
            existed += settle(&client, &mut known);
            all.append(&mut known.acknowledged);
            check_repeats(&client, &all);
            check_balances(&client, &all);
            drop(client);
            server.stop().unwrap();
            verify(&data);
            println!("{log_writer}: round {round} holds, {} transfers so far", all.len());
        }
    }
    println!(
        "{log_writer}: {rounds} rounds; {acknowledged} transfers acknowledged before a kill, all \
         there; {unknown} unknown, of which {existed} had happened"
    );
    assert!(acknowledged > 0 && unknown > 0, "the rounds put nothing at risk");
}

#[test]
fn nothing_acknowledged_is_lost_with_the_direct_writer() {
    run_rounds("direct");
}

#[test]
fn nothing_acknowledged_is_lost_with_the_mapped_writer() {
    run_rounds("mapped");
}
