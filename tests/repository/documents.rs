//! Links of the documents lead somewhere, and the scripts they name exist.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::assert_none;
use crate::tree::{root, text_files};

/// The targets of a document's links, with their lines. Links inside code don't count.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in prose(text) {
        for (start, opening) in line.match_indices("](") {
            let target = &line[start + opening.len()..];
            if let Some(end) = target.find(')') {
                found.push((at, &target[..end]));
            }
        }
    }
    found
}

fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// The anchors that headings make: lower case, blanks as dashes, other signs dropped.
fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Whether a link of the document `from` leads to a file, and to a heading when it names one.
fn leads_somewhere(base: &Path, from: &str, target: &str) -> bool {
    if target.starts_with("https://") || target.starts_with("http://") {
        return true;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let from = base.join(from);
    let file = if path.is_empty() { from } else { from.parent().unwrap().join(path) };
    if anchor.is_empty() {
        return file.exists();
    }
    std::fs::read_to_string(file).is_ok_and(|text| anchors(&text).iter().any(|a| a == anchor))
}

/// Scripts that a document names: words that start with `scripts/` or `.ci/`.
fn scripts(text: &str) -> Vec<&str> {
    let word = |c: char| !c.is_alphanumeric() && !"/._-".contains(c);
    text.split(word)
        .map(|w| w.trim_end_matches('.'))
        .filter(|w| w.strip_prefix("scripts/").is_some_and(|rest| !rest.is_empty()))
        .collect()
}

/// Commands that have subcommands of their own.
const GROUPS: [&str; 2] = ["capacity", "config"];

/// Command lines in fenced blocks that run the program: the subcommand, and its own if it has any, and
/// its flags.
fn commands(text: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let line = line.trim_start_matches("$ ").split(" #").next().unwrap_or_default();
        let rest = line.strip_prefix("partita ").or(line.strip_prefix("cargo run --release -- "));
        if let (true, Some(rest)) = (fenced, rest) {
            let mut words = rest.split_whitespace();
            let mut subcommand = vec![words.next().unwrap_or_default()];
            if GROUPS.contains(&subcommand[0]) {
                subcommand.extend(words.next());
            }
            found.push((subcommand, words.filter(|word| word.starts_with('-')).collect()));
        }
    }
    found
}

fn documents() -> Vec<(String, String)> {
    let files = text_files().into_iter();
    files.filter(|f| f.path.ends_with(".md")).map(|f| (f.path, f.text)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for (at, target) in links(&text) {
            if !leads_somewhere(root(), &path, target) {
                complaints.push(format!("{path}:{at}: {target}"));
            }
        }
    }
    assert_none("dead links", &complaints);
}

#[test]
fn every_named_script_can_be_run() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for script in scripts(&text) {
            let file = std::fs::metadata(root().join(script));
            if !file.is_ok_and(|file| file.permissions().mode() & 0o111 != 0) {
                complaints.push(format!("{path}: {script}"));
            }
        }
    }
    assert_none("scripts that are missing or can't be run", &complaints);
}

#[test]
fn every_command_of_the_documents_exists_with_its_flags() {
    let mut complaints = Vec::new();
    for (path, text) in documents() {
        for (subcommand, flags) in commands(&text) {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_partita"))
                .arg("help")
                .args(&subcommand)
                .output()
                .unwrap();
            let help = String::from_utf8_lossy(&output.stdout);
            let known = |flag: &&str| help.contains(flag.split('=').next().unwrap_or_default());
            let unknown: Vec<&&str> = flags.iter().filter(|flag| !known(flag)).collect();
            if !output.status.success() || !unknown.is_empty() {
                complaints.push(format!("{path}: partita {subcommand:?} {unknown:?}"));
            }
        }
    }
    assert_none("commands that don't exist", &complaints);
}

#[test]
fn the_readme_opens_with_the_two_commands() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let opening: Vec<&str> = text.lines().take(12).collect();
    for command in ["scripts/start", "scripts/test"] {
        assert!(opening.iter().any(|line| line.starts_with(command)), "{command}: {opening:?}");
    }
}

mod samples {
    use super::*;

    #[test]
    fn a_dead_link_is_found() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.md"), "# One, two\n").unwrap();
        let alive = |target| leads_somewhere(directory.path(), "b.md", target);
        assert!(alive("a.md") && alive("a.md#one-two") && alive("https://example.org"));
        assert!(!alive("c.md") && !alive("a.md#three") && !alive("../a.md"));
    }

    #[test]
    fn commands_are_read_from_fenced_blocks() {
        let text =
            "partita x\n```sh\n$ partita bench --batch 3 # --no\npartita config show --json\n```\n";
        let found = [(vec!["bench"], vec!["--batch"]), (vec!["config", "show"], vec!["--json"])];
        assert_eq!(commands(text), found);
    }

    #[test]
    fn links_and_scripts_are_read_from_the_text() {
        assert_eq!(
            links("[x](a.md) [y](b.md#c)\n```\n[z](d)\n```\n"),
            [(1, "a.md"), (1, "b.md#c")]
        );
        assert_eq!(
            scripts("Run `scripts/test`. Not my-scripts/x, not scripts/."),
            ["scripts/test"]
        );
    }
}
