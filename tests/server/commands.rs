//! The commands and the example client against a real server: their exit statuses.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use crate::process::{PARTITA, served};

fn partita(args: &[&str]) -> Output {
    Command::new(PARTITA).args(args).output().unwrap()
}

fn shell(address: SocketAddr, script: &str) -> Output {
    partita(&["shell", "--connect", &address.to_string(), "-c", script])
}

#[track_caller]
fn expect(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
}

#[test]
fn the_example_client_of_the_protocol_works_against_the_server() {
    let (_home, server) = served(&[]);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/client.py");
    for _ in 0..2 {
        let output = Command::new("python3")
            .arg(&example)
            .arg(server.address.to_string())
            .output()
            .expect("python3 runs the example client");
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(said.contains("debits 125 credits 0"), "{said}");
        assert!(said.contains("debits 0 credits 125"), "{said}");
    }
    server.stop();
}

#[test]
fn exit_statuses_tell_what_happened() {
    let (home, server) = served(&["--cluster", &"ab".repeat(16)]);
    let address = server.address;
    expect(&shell(address, "create-accounts id=1 ledger=700 code=10"), 0);
    expect(&shell(address, "create-accounts id=2 ledger=700 code=10"), 0);
    let create = |id: u32, debit: u32| {
        format!(
            "create-transfers id={id} debit_account_id={debit} credit_account_id=2 amount=5 \
             ledger=700 code=1"
        )
    };
    expect(&shell(address, &create(1, 1)), 0);
    let again = shell(address, &create(1, 1));
    assert!(String::from_utf8_lossy(&again.stdout).contains("exists"), "{again:?}");
    expect(&shell(address, &create(2, 77)), 3);
    expect(&shell(address, "no-such-statement"), 2);
    expect(&partita(&["status", "--connect", &address.to_string()]), 0);
    let other = "cd".repeat(16);
    let wrong = partita(&["status", "--connect", &address.to_string(), "--cluster", &other]);
    expect(&wrong, 5);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("cluster"), "{wrong:?}");
    server.stop();
    expect(&shell(address, "status"), 5);

    let data = home.path().join("data");
    let data = data.to_str().unwrap();
    expect(&partita(&["verify", "--data", data]), 0);
    expect(&partita(&["inspect", "--data", data, "segments"]), 0);
    expect(&partita(&["verify", "--data", home.path().join("none").to_str().unwrap()]), 5);
    expect(&partita(&["init", "--data", data]), 3);
}
