//! A module uses only modules that stand above it in `lib.rs`.

use crate::assert_none;
use crate::tree::{TextFile, root, rust_files};

/// The modules of `lib.rs`, in their order.
fn order_of(lib: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    lib.lines().filter_map(name).collect()
}

/// The module that a file belongs to, and how deep below the crate's root the file's module lies.
fn place_of(path: &str) -> Option<(&str, usize)> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let top = inner.split('/').next()?;
    Some((top, inner.split('/').count()))
}

/// The first names after each `crate::`, those in braces too: `crate::{io, log::Position}`.
fn used_in(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &line[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(top_of_group(group)),
            None => names.push(identifier(rest)),
        }
    }
    names
}

fn top_of_group(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0_usize, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !c.is_whitespace() => {
                names.push(identifier(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Joins a `use crate::{` that rustfmt broke over several lines, and drops comments.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        match found.last_mut() {
            Some((_, statement)) if open => statement.push_str(line),
            _ => found.push((number + 1, line.to_owned())),
        }
        open = found.last().is_some_and(|(_, s)| s.contains("use crate::{") && !s.ends_with(';'));
    }
    found
}

/// Complaints about one file: a use of a module that stands below, or a climb above the root.
fn complaints_of(order: &[String], file: &TextFile) -> Vec<String> {
    let Some((module, depth)) = place_of(&file.path) else { return Vec::new() };
    let Some(own) = order.iter().position(|name| name == module) else { return Vec::new() };
    let mut complaints = Vec::new();
    for (number, statement) in statements(&file.text) {
        for used in used_in(&statement) {
            if order.iter().position(|name| name == used).is_some_and(|at| at > own) {
                complaints.push(format!("{}:{number}: {module} uses {used}", file.path));
            }
        }
        // An inline module (`mod tests`) adds one level; so the climb is allowed one step more.
        if statement.contains(&"super::".repeat(depth + 1)) {
            complaints.push(format!("{}:{number}: climbs to the root; say crate::", file.path));
        }
    }
    complaints
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = order_of(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    assert!(order.len() > 10 && order[0] == "limits", "{order:?}");
    let complaints: Vec<_> =
        rust_files().iter().flat_map(|file| complaints_of(&order, file)).collect();
    assert_none("module order", &complaints);
}

#[test]
fn every_module_of_the_source_stands_in_the_order() {
    let order = order_of(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let unlisted: Vec<_> = rust_files()
        .iter()
        .filter_map(|file| place_of(&file.path).map(|(module, _)| module.to_owned()))
        .filter(|module| module != "lib" && module != "main" && !order.contains(module))
        .collect();
    assert_none("modules that lib.rs does not list", &unlisted);
}

#[cfg(test)]
mod samples {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let order = ["limits", "io", "log", "server"].map(str::to_owned);
        complaints_of(&order, &TextFile { path: path.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_use_of_a_lower_module_is_found_however_it_is_written() {
        for text in [
            "use crate::server::Listener;\n",
            "let x = crate::server::start();\n",
            "use crate::{limits::{A, B}, server::Listener};\n",
            "use crate::{\n    limits::{A, B},\n    server,\n};\n",
        ] {
            assert_eq!(complaints("src/log/writer.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn uses_of_upper_and_of_own_modules_and_comments_pass() {
        let text = "//! [`crate::server`]\nuse crate::limits::A;\nuse crate::{io, log::B};\n";
        assert_eq!(complaints("src/log/mod.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_climb_to_the_root_is_found() {
        assert_eq!(complaints("src/log/writer.rs", "use super::super::super::server;\n").len(), 1);
        assert_eq!(complaints("src/log/mod.rs", "use super::super::server;\n").len(), 1);
    }

    #[test]
    fn the_order_is_that_of_lib_rs() {
        assert_eq!(order_of("//! pub mod x;\npub mod a;\nmod b;\npub mod c;\n"), ["a", "c"]);
    }
}
