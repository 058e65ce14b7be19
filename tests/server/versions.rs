//! A log of format version 1, written by the last program that wrote it, kept in `tests/data`.
//!
//! What that program said about it is written down here: reading it must give the same for ever.

use std::path::{Path, PathBuf};
use std::process::Command;

use partita::client::{Client, ConnectOptions, Outcome};
use partita::ledger::{CreateTransferStatus as Status, Transfer, TransferFlags};
use serde_json::Value;

use crate::process::{Launch, PARTITA};

/// What version 1 said of its own log.
const STATE_DIGEST: &str = "71dcb5439b8b85cd";
const CHAIN: &str = "2b3a04aec3ab576feb1de405be80ce0c7df3ddc6ca2a7967f4dacbe4e42268a7";
const END: &str = "184320";
const SEGMENT_BYTES: u64 = 4 << 20;

/// A copy of it to work with. In the repository the zeros at the end of its segment are left out.
fn copy_of_version_1(home: &Path) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/log-version-1");
    let data = home.join("data");
    for directory in ["log", "quarantine"] {
        std::fs::create_dir_all(data.join(directory)).unwrap();
    }
    std::fs::copy(kept.join("meta"), data.join("meta")).unwrap();
    let segment = "log/000000000000.segment";
    std::fs::copy(kept.join(segment), data.join(segment)).unwrap();
    let file = std::fs::File::options().write(true).open(data.join(segment)).unwrap();
    file.set_len(SEGMENT_BYTES).unwrap();
    data
}

fn json(command: &[&str], data: &Path) -> Value {
    let output =
        Command::new(PARTITA).args(command).arg("--json").arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_log_of_version_1_is_read_as_it_always_was() {
    let home = tempfile::tempdir().unwrap();
    let data = copy_of_version_1(home.path());
    for partitions in ["1", "2", "3", "8"] {
        let verified = json(&["verify", "--partitions", partitions], &data);
        assert_eq!(verified["state_digest"], STATE_DIGEST);
        assert_eq!(verified["chain"], CHAIN);
        assert_eq!(verified["position"], END);
        assert_eq!((&verified["frames"], &verified["transfers"]), (&"29".into(), &"312".into()));
        assert_eq!((&verified["holds"], &verified["refused"]), (&"3".into(), &"312".into()));
        assert_eq!(verified["ledgers"][0]["debits_posted"], "2887");
    }
    let frames = json(&["inspect", "frames"], &data);
    let frames = frames.as_array().unwrap();
    assert!(frames.iter().all(|frame| frame["version"] == "1"), "{frames:?}");
    let requests: u64 = frames
        .iter()
        .map(|frame| frame["requests"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(requests > 250, "{requests}");
    for kind in ["genesis", "create_accounts", "create_transfers", "fence", "expire", "epoch"] {
        assert!(frames.iter().any(|frame| frame["kind"] == kind), "no {kind}");
    }
    let chain = json(&["inspect", "frame", "18"], &data);
    let statuses: Vec<_> =
        chain["events"].as_array().unwrap().iter().map(|e| &e["status"]).collect();
    assert_eq!(
        statuses[..3],
        ["linked_event_failed", "credit_account_not_found", "linked_event_failed"]
    );
    assert_eq!(json(&["inspect", "transfer", "8"], &data)["events"][1]["event"], "expired");
    assert_eq!(json(&["inspect", "account", "1"], &data)["flags"][0], "history");
}

#[test]
fn a_server_goes_on_in_the_new_version_where_the_old_one_ended() {
    let home = tempfile::tempdir().unwrap();
    let data = copy_of_version_1(home.path());
    for round in 0..2_u128 {
        let server = Launch::new(&data).segment("4MiB").flags(&["--accept-clock"]).start();
        let client = Client::connect(&ConnectOptions::new(server.address.to_string())).unwrap();
        let old = Transfer {
            id: 1,
            debit_account_id: 1,
            credit_account_id: 2,
            amount: 500,
            ledger: 7,
            code: 1,
            ..Transfer::default()
        };
        let new = Transfer { id: 900_000 + round, amount: 1, ..old };
        // What was held in version 1 is posted once, in version 2.
        let post = Transfer {
            id: 910_000 + round,
            amount: u128::MAX,
            pending_id: 10,
            flags: TransferFlags::POST_PENDING_TRANSFER,
            ledger: 0,
            code: 0,
            ..Transfer::default()
        };
        let Outcome::Definite(answer) = client.create_transfers(&[old, new, post]) else {
            panic!("the server decides");
        };
        let posted =
            if round == 0 { Status::Created } else { Status::PendingTransferAlreadyPosted };
        let statuses: Vec<u32> = answer.value.iter().map(|result| result.status).collect();
        let expected = [Status::Exists, Status::Created, posted].map(|status| status.code());
        assert_eq!(statuses, expected);
        drop(client);
        server.stop();
    }
    let frames = json(&["inspect", "frames"], &data);
    let versions: Vec<_> =
        frames.as_array().unwrap().iter().map(|frame| frame["version"].as_str().unwrap()).collect();
    assert_eq!(versions.len(), 31);
    assert!(versions[..29].iter().all(|version| *version == "1"));
    assert!(versions[29..].iter().all(|version| *version == "2"));
    assert_eq!(frames[29]["position"], END);
    for partitions in ["1", "3"] {
        let verified = json(&["verify", "--partitions", partitions], &data);
        assert_eq!((&verified["frames"], &verified["transfers"]), (&"31".into(), &"315".into()));
        assert_eq!(verified["ledgers"][0]["debits_posted"], "2892");
    }
}
