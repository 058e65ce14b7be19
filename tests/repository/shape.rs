//! Sizes of files and functions, and where `unsafe` may stand.

use crate::assert_none;
use crate::tree::{TextFile, rust_files};

/// Beyond this a file must be split.
const FILE_LINES_MAX: usize = 1_000;
/// Beyond this a file needs a reason in [`LONG_FILES`].
const FILE_LINES_ASK: usize = 500;
/// Files longer than [`FILE_LINES_ASK`] that may stay so, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// Beyond this a function doesn't fit a screen, whatever it does.
const FUNCTION_LINES_MAX: usize = 100;
/// Where `unsafe` may stand.
const UNSAFE_HOME: &str = "src/io/";

fn length_complaint(path: &str, lines: usize) -> Option<String> {
    let excused = LONG_FILES.iter().any(|(long, _)| *long == path);
    let limit = if excused { FILE_LINES_MAX } else { FILE_LINES_ASK };
    (lines > limit).then(|| format!("{path}: {lines} lines, {limit} allowed"))
}

/// The functions of a formatted file with their lengths: from `fn` to the brace that closes at the
/// same indentation.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if code.starts_with("//") || !(code.starts_with("fn ") || code.contains(" fn ")) {
            continue;
        }
        let closes = |l: &&str| l.len() > indent && &l[indent..] == "}" && l[..indent].trim() == "";
        let ends_at_once = |l: &&str| l.trim_end().ends_with(';') || l.trim_end().ends_with("}");
        if ends_at_once(line) {
            continue;
        }
        if let Some(length) = lines[at..].iter().position(closes) {
            found.push((at + 1, length + 1));
        }
    }
    found
}

/// Line numbers of the word `unsafe` outside comments.
fn unsafe_lines(text: &str) -> Vec<usize> {
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    text.lines()
        .enumerate()
        .filter(|(_, line)| {
            let code = line.split("//").next().unwrap_or_default();
            code.split(word).any(|w| w == concat!("un", "safe"))
        })
        .map(|(at, _)| at + 1)
        .collect()
}

fn over_all(rule: impl Fn(&TextFile) -> Vec<String>) -> Vec<String> {
    rust_files().iter().flat_map(rule).collect()
}

#[test]
fn files_stay_short() {
    let complaints = over_all(|file| {
        length_complaint(&file.path, file.text.lines().count()).into_iter().collect()
    });
    assert_none("file length", &complaints);
}

#[test]
fn functions_fit_a_screen() {
    let complaints = over_all(|file| {
        functions(&file.text)
            .into_iter()
            .filter(|(_, lines)| *lines > FUNCTION_LINES_MAX)
            .map(|(at, lines)| format!("{}:{at}: a function of {lines} lines", file.path))
            .collect()
    });
    assert_none("function length", &complaints);
}

#[test]
fn unsafe_stands_only_in_io() {
    let complaints = over_all(|file| {
        if file.path.starts_with(UNSAFE_HOME) || !file.path.starts_with("src/") {
            return Vec::new();
        }
        unsafe_lines(&file.text).iter().map(|at| format!("{}:{at}", file.path)).collect()
    });
    assert_none("unsafe outside src/io", &complaints);
}

mod samples {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        assert!(length_complaint("src/a.rs", 501).is_some());
        assert!(length_complaint("src/a.rs", 500).is_none());
    }

    #[test]
    fn a_function_is_measured_to_its_closing_brace() {
        let text = "impl A {\n    pub fn f(\n        a: u8,\n    ) {\n        if a {\n        }\n    }\n}\n";
        assert_eq!(functions(text), [(2, 6)]);
        assert_eq!(functions("fn f() {\n}\n// fn g() {\ntrait T {\n    fn h();\n}\n"), [(1, 2)]);
    }

    #[test]
    fn the_word_unsafe_is_found_and_its_relatives_are_not() {
        let text = "#![deny(unsafe_code)]\n// unsafe\nlet x = unsafe { y };\n";
        assert_eq!(unsafe_lines(text), [3]);
    }
}
