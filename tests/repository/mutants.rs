//! `tests/mutants.list`: each fault can be put where it says.

use std::collections::BTreeSet;

use super::assert_none;
use super::tree::{TextFile, text_files};

const LIST: &str = "tests/mutants.list";

/// What is wrong with a list of faults. `lines_of` gives the text of a file.
fn complaints(list: &str, text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut names = BTreeSet::new();
    let mut lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(head) = lines.next() {
        let Some((name, file)) = head.split_once(' ') else {
            complaints.push(format!("{head}: not a name and a file"));
            continue;
        };
        if !names.insert(name) {
            complaints.push(format!("{name}: there are two"));
        }
        let before = lines.next().and_then(|line| line.strip_prefix('-'));
        let after = lines.next().and_then(|line| line.strip_prefix('+'));
        let (Some(before), Some(after)) = (before, after) else {
            complaints.push(format!("{name}: a line with - and one with + must follow"));
            continue;
        };
        let Some(text) = text_of(file) else {
            complaints.push(format!("{name}: there is no {file}"));
            continue;
        };
        let count = text.lines().filter(|line| *line == before).count();
        if count != 1 {
            complaints.push(format!("{name}: its line stands {count} times in {file}"));
        }
        if before == after {
            complaints.push(format!("{name}: it changes nothing"));
        }
    }
    complaints
}

#[test]
fn a_fault_that_does_not_fit_is_noticed() {
    let found = |list: &str| {
        complaints(list, |file| (file == "a.rs").then(|| "one\ntwo\ntwo\n".to_owned()))
    };
    assert_eq!(found("# note\n\nfine a.rs\n-one\n+1\n"), [""; 0]);
    assert_eq!(found("gone a.rs\n-on\n+1\n"), ["gone: its line stands 0 times in a.rs"]);
    assert_eq!(found("twice a.rs\n-two\n+2\n"), ["twice: its line stands 2 times in a.rs"]);
    assert_eq!(found("same a.rs\n-one\n+one\n"), ["same: it changes nothing"]);
    assert_eq!(found("no b.rs\n-one\n+1\n"), ["no: there is no b.rs"]);
    assert_eq!(found("half a.rs\n-one\n"), ["half: a line with - and one with + must follow"]);
    assert_eq!(found("alone\n"), ["alone: not a name and a file"]);
    assert_eq!(found("a a.rs\n-one\n+1\na a.rs\n-one\n+2\n"), ["a: there are two"]);
}

#[test]
fn every_fault_of_the_list_fits_the_tree() {
    let files = text_files();
    let text_of = |path: &str| {
        let found: Option<&TextFile> = files.iter().find(|file| file.path == path);
        found.map(|file| file.text.clone())
    };
    let list = text_of(LIST).unwrap();
    assert!(list.lines().filter(|line| line.starts_with('+')).count() >= 20);
    assert_none(LIST, &complaints(&list, text_of));
}
