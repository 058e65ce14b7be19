//! The frame of the command line: exit statuses, streams, configuration and its origins.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn partita(directory: &Path, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.current_dir(directory).args(args).env_clear().stdin(Stdio::null());
    for (name, value) in environment {
        command.env(name, value);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_and_version_go_to_stdout_with_status_0() {
    let directory = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["help", "import"], &["version"]] {
        let output = partita(directory.path(), args, &[]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty(), "{args:?}");
        assert!(output.stderr.is_empty(), "{args:?}");
    }
    let output = partita(directory.path(), &["version", "--json"], &[]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn wrong_usage_is_status_2_and_says_so_on_stderr() {
    let directory = tempfile::tempdir().unwrap();
    for args in [
        &[][..],
        &["strat"],
        &["start", "--log-writer", "fast"],
        &["start", "--cores", "0"],
        &["config", "show", "--listen", "here"],
        &["completions", "powershell6"],
    ] {
        let output = partita(directory.path(), args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn config_show_names_every_origin() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("partita.toml"),
        "\nlisten = \"127.0.0.1:1\"\ncores = 2\n",
    )
    .unwrap();
    let output = partita(
        directory.path(),
        &["config", "show", "--json", "--data", "d"],
        &[("PARTITA_CORES", "3")],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["data"]["value"], "d");
    assert_eq!(value["data"]["origin"]["name"], "--data");
    assert_eq!(value["cores"]["value"], "3");
    assert_eq!(value["cores"]["origin"]["kind"], "environment");
    assert_eq!(value["listen"]["origin"]["line"], 2);
    assert_eq!(value["log_writer"]["origin"]["kind"], "default");
    assert_eq!(value["segment_bytes"]["value"], serde_json::Value::Null);

    let output = partita(directory.path(), &["config", "show"], &[]);
    let shown = text(&output.stdout);
    assert!(shown.contains("file ./partita.toml:3"), "{shown}");
}

#[test]
fn a_file_of_ones_own_choice_by_flag_or_environment() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.toml"), "data = \"a\"\n").unwrap();
    std::fs::write(directory.path().join("b.toml"), "data = \"b\"\n").unwrap();
    let environment = [("PARTITA_CONFIG", "a.toml")];
    let output = partita(directory.path(), &["config", "show"], &environment);
    assert!(text(&output.stdout).contains("file a.toml:1"));
    let output = partita(directory.path(), &["config", "show", "--config", "b.toml"], &environment);
    assert!(text(&output.stdout).contains("file b.toml:1"));
}

#[test]
fn an_unknown_key_names_file_line_and_key_and_stops_only_what_needs_settings() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("partita.toml"), "data = \"a\"\nlisten_on = \"x\"\n")
        .unwrap();
    let output = partita(directory.path(), &["config", "show"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("./partita.toml:2: unknown key `listen_on`"), "{said}");
    let output = partita(directory.path(), &["version"], &[]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn completions_for_each_shell() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = partita(directory.path(), &["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("partita"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_partita"))
        .current_dir(directory.path())
        .args(["completions", "bash"])
        .stdout(Stdio::from(writer))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn a_server_that_isn_t_there_is_status_5() {
    let directory = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    for args in [&["status"][..], &["shell", "-c", "status"]] {
        let line = [args, &["--connect", &address]].concat();
        let output = partita(directory.path(), &line, &[]);
        assert_eq!(output.status.code(), Some(5), "{args:?}");
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains(&address), "{}", text(&output.stderr));
    }
}

#[test]
fn a_script_with_a_typing_error_does_nothing_and_shows_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let output = partita(directory.path(), &["shell", "-c", "status; create-acounts id=1"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert!(said.contains("did you mean create-accounts?") && said.contains("^^^^"), "{said}");
}

#[test]
fn a_dry_run_of_an_import_needs_no_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let line = [
        "import",
        "--dry-run",
        "--json",
        "--mapping",
        "docs/examples/berka.toml",
        "tests/data/berka/trans.asc.gz",
    ];
    let output = partita(root, &line, &[]);
    assert_eq!(output.status.code(), Some(3), "the last line is cut off");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["transfers"]["created"], 49_102);
    assert_eq!(report["problems"][0]["line"], 49_104);
}
