//! An operator raises the capacity of a ledger that is in use.

use std::process::Command;

use partita::client::{Client, ConnectOptions, Outcome, Refusal};
use partita::ledger::{Account, Capacity, CommandResult, CommandStatus as Status, CreateResult};
use partita::limits::HOLDS_MAX;
use partita::wire::ErrorCode;

use crate::process::{Launch, PARTITA};

fn create(client: &Client, ids: std::ops::Range<u128>) -> Outcome<Vec<CreateResult>> {
    let account = |id| Account { id, ledger: 1, code: 1, ..Account::default() };
    client.create_accounts(&ids.map(account).collect::<Vec<_>>())
}

fn raise(client: &Client, accounts_max: u64, holds_max: u64) -> CommandResult {
    match client.raise_capacity(Capacity { accounts_max, holds_max }, "more customers") {
        Outcome::Definite(answer) => answer.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_ledger_takes_more_once_its_capacity_was_raised_and_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let launch = Launch::new(&data).flags(&["--accounts-max", "10"]);
    let server = launch.start();
    let client = Client::connect(&ConnectOptions::new(server.address.to_string())).unwrap();
    assert!(matches!(create(&client, 1..11), Outcome::Definite(_)));
    let Outcome::Refused(error) = create(&client, 11..12) else { panic!("there is no room") };
    assert!(error.to_string().contains("10 of 10 accounts"), "{error}");

    let refused = raise(&client, 9, 0);
    assert_eq!(refused.status, Status::AccountsMaxMustNotShrink.code());
    assert_eq!(refused.capacity().accounts_max, 10);
    // More than any machine has: nothing is ordered.
    let most = Capacity { accounts_max: 0, holds_max: HOLDS_MAX };
    let op = client.status().unwrap().value.op;
    let Outcome::Refused(Refusal::Server(error)) = client.raise_capacity(most, "all there is")
    else {
        panic!("no machine has as much memory")
    };
    assert_eq!(error.code(), Some(ErrorCode::CapacityTooLarge), "{error}");
    assert!(error.to_string().contains("MiB"), "{error}");
    assert_eq!(client.status().unwrap().value.op, op);

    let done = raise(&client, 20, 0);
    assert_eq!((done.status, done.capacity().accounts_max), (Status::Done.code(), 20));
    assert_eq!(raise(&client, 20, 0).status, Status::CapacityUnchanged.code());
    assert!(matches!(create(&client, 11..16), Outcome::Definite(_)));
    drop(client);
    server.stop();

    let verified =
        Command::new(PARTITA).args(["verify", "--partitions", "3", "--data"]).arg(&data).output();
    assert!(verified.unwrap().status.success());
    let server = Launch::new(&data).start();
    let client = Client::connect(&ConnectOptions::new(server.address.to_string())).unwrap();
    let report = client.status().unwrap().value;
    assert_eq!((report.accounts, report.accounts_max), (15, 20));
    assert!(matches!(create(&client, 16..21), Outcome::Definite(_)));
    assert!(matches!(create(&client, 21..22), Outcome::Refused(_)));
    drop(client);
    server.stop();
}
