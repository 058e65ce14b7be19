//! The manual and the service know every reason to stop, every exit status and every setting.

use crate::tree::root;

/// Names and numbers of match arms: `Self::Name => 70,`.
fn arms(source: &str) -> Vec<(&str, &str)> {
    source
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("Self::")?.strip_suffix(',')?.split_once(" => ")
        })
        .filter(|(_, status)| status.chars().all(|c| c.is_ascii_digit()))
        .collect()
}

/// Environment variables that a text names.
fn variables(text: &str) -> Vec<&str> {
    let word = |c: char| !c.is_ascii_uppercase() && c != '_';
    text.split(word).filter(|w| w.strip_prefix("PARTITA_").is_some_and(|w| !w.is_empty())).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn fatal_statuses_prevent_a_restart_if_data_is_in_doubt_and_stand_in_the_manual() {
    // Starting again mends it or does no harm.
    const NOTHING_IN_DOUBT: [&str; 2] = ["NetworkFailed", "OutOfMemory"];
    let source = read("src/fatal.rs");
    let reasons = arms(&source);
    assert!(reasons.len() >= 4, "{reasons:?}");
    let unit = read("systemd/partita.service");
    let listed = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let in_doubt = reasons.iter().filter(|(name, _)| !NOTHING_IN_DOUBT.contains(&&**name));
    let statuses: Vec<&str> = in_doubt.map(|(_, status)| *status).collect();
    assert!(statuses.len() < reasons.len());
    assert_eq!(listed.unwrap().split(' ').collect::<Vec<_>>(), statuses);
    let manual = read("docs/operating.md");
    for (name, status) in reasons {
        assert!(manual.contains(&format!("| {status} | `{name}`")), "{status} {name}");
    }
}

#[test]
fn exit_statuses_stand_in_the_manual() {
    let source = read("src/cli/exit.rs");
    let statuses = arms(&source);
    assert!(statuses.len() >= 5, "{statuses:?}");
    let manual = read("docs/operating.md");
    for (name, status) in statuses {
        assert!(
            manual.lines().any(|l| l.starts_with(&format!("| {status} | "))),
            "{name} {status}"
        );
    }
}

#[test]
fn variables_of_the_manual_are_settings_of_the_program() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_partita"))
        .args(["config", "show", "--json"])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    let manual = read("docs/operating.md");
    let named = variables(&manual);
    assert!(named.len() >= 5, "{named:?}");
    for variable in named {
        let key = variable.trim_start_matches("PARTITA_").to_lowercase();
        assert!(shown.contains(&format!("\"{key}\"")), "{variable}");
    }
}

#[test]
fn arms_and_variables_are_read_from_the_text() {
    assert_eq!(arms("  Self::A => 70,\n  Self::B => other(),\n"), [("A", "70")]);
    assert_eq!(
        variables("`PARTITA_DATA`, PARTITA_ and PARTITA_LOG_WRITER=x"),
        ["PARTITA_DATA", "PARTITA_LOG_WRITER"]
    );
}
