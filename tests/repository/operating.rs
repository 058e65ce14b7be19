//! Every reason to stop is known to systemd and explained in the manual.

use crate::tree::root;

/// Names and exit statuses: `Self::Name => 70,`.
fn reasons(source: &str) -> Vec<(&str, &str)> {
    source
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("Self::")?.strip_suffix(',')?.split_once(" => ")
        })
        .filter(|(_, status)| status.chars().all(|c| c.is_ascii_digit()))
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn fatal_statuses_prevent_a_restart_and_stand_in_the_manual() {
    let source = read("src/fatal.rs");
    let reasons = reasons(&source);
    assert!(reasons.len() >= 4, "{reasons:?}");
    let unit = read("systemd/partita.service");
    let listed = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let statuses: Vec<&str> = reasons.iter().map(|(_, status)| *status).collect();
    assert_eq!(listed.unwrap().split(' ').collect::<Vec<_>>(), statuses);
    let manual = read("docs/operating.md");
    for (name, status) in reasons {
        assert!(manual.contains(&format!("| {status} | `{name}`")), "{status} {name}");
    }
}

#[test]
fn reasons_are_read_from_the_source() {
    assert_eq!(reasons("  Self::A => 70,\n  Self::B => other(),\n"), [("A", "70")]);
}
