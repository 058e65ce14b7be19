//! What the pages show can be done: all examples run one after the other on one server, and so does a
//! person's first hour.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod examples;
mod house;

use std::path::Path;

use examples::{Example, examples, fits};
use house::House;

/// Commands that examples show and a test of pages doesn't run, with the reason.
const NOT_RUN: [(&str, &str); 4] = [
    ("start", "the server runs already"),
    ("init", "the server has its directory"),
    ("bench", "what it prints are figures of a machine"),
    ("simulate", "has tests of its own"),
];

/// Pages in the order of a reader, and how many of their examples must have run at least.
const PAGES: [(&str, usize); 6] = [
    ("README.md", 5),
    ("docs/shell.md", 2),
    ("docs/modelling.md", 20),
    ("docs/operating.md", 2),
    ("docs/import.md", 1),
    ("docs/json.md", 0),
];

fn is_run(example: &Example) -> bool {
    let mut words = example.command.split_whitespace();
    match (words.next(), words.next()) {
        (Some("sleep"), _) => true,
        (Some("partita"), Some(name)) => NOT_RUN.iter().all(|(left_out, _)| name != *left_out),
        _ => false,
    }
}

fn complain(house: &mut House, example: &Example) -> Option<String> {
    let needs_the_directory = example.command.starts_with("partita verify");
    let output = if needs_the_directory {
        house.without_server(|house| house.run(&example.command))
    } else {
        house.run(&example.command)
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let shown = &example.output;
    let code = output.status.code();
    // A refusal is an example of something; it must be seen, then.
    let right = code == Some(0) || code == Some(3) && !shown.is_empty();
    let same = shown.is_empty() || fits(shown, &said);
    (!right || !same).then(|| {
        let wrong = String::from_utf8_lossy(&output.stderr);
        format!("{}\nended with {code:?} and said:\n{said}{wrong}", example.command)
    })
}

#[test]
fn every_example_of_the_pages_does_what_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut house = House::new();
    for (page, at_least) in PAGES {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let examples: Vec<_> = examples(&text).into_iter().filter(is_run).collect();
        assert!(examples.len() >= at_least, "{page}: {} examples", examples.len());
        for example in examples {
            if let Some(complaint) = complain(&mut house, &example) {
                panic!("{page}:{}: {complaint}", example.line);
            }
        }
    }
    let client = house.run("python3 docs/examples/client.py $PARTITA_CONNECT");
    assert!(client.status.success(), "{client:?}");
}

#[test]
fn every_page_is_read_or_has_no_examples() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<String> = Vec::new();
    for directory in ["", "docs", "docs/decisions"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(Path::new(directory).join(name).display().to_string());
            }
        }
    }
    assert!(pages.len() >= 10, "{pages:?}");
    for page in pages.iter().filter(|page| PAGES.iter().all(|(read, _)| page != read)) {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let left: Vec<_> = examples(&text).into_iter().filter(is_run).collect();
        assert!(left.is_empty(), "{page} isn't among the pages that are tested: {left:?}");
    }
}

#[test]
fn a_first_hour_takes_two_commands_a_job_and_can_be_had_again() {
    let house = House::new();
    for _ in 0..2 {
        let done = house.run("scripts/first-hour");
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        assert!(said.ends_with("11 jobs done\n"), "{said}");
        for job in said.split("\n# ").skip(1) {
            let commands = job.lines().filter(|line| line.starts_with("$ ")).count();
            assert!((1..=2).contains(&commands), "{job}");
        }
    }
}
