//! Examples of a page: commands in fenced blocks, and what they answer.

/// A command with what the page says that it prints.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// Line of the page, from 1 on.
    pub(crate) line: usize,
    pub(crate) command: String,
    /// Nothing if the page doesn't show any output.
    pub(crate) output: Vec<String>,
}

/// The examples of a page: all lines of a block `sh`, and of a block `console` what follows a `$`.
pub(crate) fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut block = "";
    let mut is_open = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("```") {
            block = if block.is_empty() { name } else { "" };
            assert!(!is_open, "line {at}: a quote isn't closed");
            continue;
        }
        let begins = match block {
            "sh" => Some(line),
            "console" => line.strip_prefix("$ "),
            _ => continue,
        };
        if is_open {
            let command = &mut found.last_mut().unwrap().command;
            command.push('\n');
            command.push_str(line);
        } else if let Some(command) = begins {
            let (command, output) = (command.to_owned(), Vec::new());
            found.push(Example { line: at + 1, command, output });
        } else if let Some(example) = found.last_mut() {
            example.output.push(line.to_owned());
        }
        is_open = found.last().is_some_and(|e| e.command.matches('"').count() % 2 == 1);
    }
    for example in &mut found {
        while example.output.last().is_some_and(String::is_empty) {
            example.output.pop();
        }
    }
    found
}

/// Whether a command said what the page shows. What differs from run to run counts as equal: times, long
/// hexadecimal numbers, and the frames of a log. A line `…` stands for any lines.
pub(crate) fn fits(shown: &[String], said: &str) -> bool {
    let said: Vec<String> = said.trim_end().lines().map(normal).collect();
    let shown: Vec<String> = shown.iter().map(|line| normal(line)).collect();
    fits_lines(&shown, &said)
}

fn fits_lines(shown: &[String], said: &[String]) -> bool {
    match (shown, said) {
        ([], []) => true,
        ([any, rest @ ..], _) if any == "…" => {
            (0..=said.len()).any(|skipped| fits_lines(rest, &said[skipped..]))
        }
        ([one, shown @ ..], [other, said @ ..]) => one == other && fits_lines(shown, said),
        _ => false,
    }
}

fn normal(line: &str) -> String {
    // How the ledger cut the same work into frames.
    if line.starts_with("log  ") {
        let letters = line.chars().filter(|letter| !letter.is_ascii_digit());
        return letters.collect();
    }
    let words = line.trim_end().split(' ').map(|word| {
        let is_time = word.len() >= 20 && word.ends_with('Z') && word.contains('T');
        let is_hash = word.len() >= 16
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_alphabetic());
        if is_time {
            "TIME"
        } else if is_hash {
            "HASH"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn commands_and_outputs_are_told_apart() {
    let page = "```sh\npartita a   # why\npartita b \"x\n y\"\n```\n\n```console\n$ partita c\nout\n\n$ partita d\n```\n";
    let found = examples(page);
    let commands: Vec<_> = found.iter().map(|e| (e.line, e.command.as_str())).collect();
    let expected =
        [(2, "partita a   # why"), (3, "partita b \"x\n y\""), (8, "partita c"), (11, "partita d")];
    assert_eq!(commands, expected);
    assert_eq!(found[2].output, ["out"]);
    assert!(found[3].output.is_empty());
}

#[test]
fn what_differs_from_run_to_run_counts_as_equal() {
    let shown = ["1  created  2026-11-22T18:52:08.609699782Z", "…", "chain  505d8443a2df03f8"];
    let shown = shown.map(str::to_owned);
    let said = "1  created  2027-01-02T03:04:05.6Z\nanything\nat all\nchain  0123456789abcdef\n";
    assert!(fits(&shown, said));
    assert!(!fits(&shown, &said.replace("created", "exists")));
    assert!(!fits(&shown, &format!("{said}more")));
    assert!(!fits(&shown[..1], said));
}
