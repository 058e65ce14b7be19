//! Words that don't belong in the repository: unfinished marks, switched-off tests, machine paths.

use crate::assert_none;
use crate::tree::text_files;

/// Each written in two parts, so that this file passes its own rule.
const MARKS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
];

/// Paths of the machine on which something was written.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/tmp", "/wt"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

fn hits(text: &str, words: &[&str]) -> Vec<(usize, String)> {
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(at, line)| {
            words
                .iter()
                .filter(|word| line.contains(**word))
                .map(move |word| (at + 1, (*word).to_owned()))
        })
        .collect()
}

fn over_all(words: &[&str]) -> Vec<String> {
    text_files()
        .iter()
        .flat_map(|file| {
            hits(&file.text, words)
                .into_iter()
                .map(|(at, word)| format!("{}:{at}: {word}", file.path))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn nothing_is_marked_unfinished_or_switched_off() {
    assert_none("unfinished marks", &over_all(&MARKS));
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    assert_none("machine paths", &over_all(&MACHINE_PATHS));
}

mod samples {
    use super::*;

    #[test]
    fn a_mark_is_found_with_its_line() {
        let text = format!("fine\n// {} later\n", MARKS[0]);
        assert_eq!(hits(&text, &MARKS), [(2, MARKS[0].to_owned())]);
        assert!(hits("nothing here\n", &MARKS).is_empty());
    }
}
