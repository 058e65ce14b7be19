//! The paths that a Rust file uses, read from its text.

/// A path with the braces of its `use` resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedPath {
    pub(crate) segments: Vec<String>,
    /// The name that it has afterwards.
    pub(crate) name: String,
    /// Whether a `pub use` gives it on.
    pub(crate) is_public: bool,
}

/// Every path of a file's code; what stands in its inline tests and comments doesn't count.
pub(crate) fn paths_of(text: &str) -> Vec<UsedPath> {
    let code = without_tests_and_comments(text);
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = next_use(rest) {
        found.extend(paths_of_expressions(&rest[..at.start]));
        let end = rest[at.tree..].find(';').map_or(rest.len(), |end| at.tree + end);
        let mut leaves = Vec::new();
        leaves_of(&rest[at.tree..end], &[], &mut leaves);
        found.extend(leaves.into_iter().map(|leaf| UsedPath { is_public: at.is_public, ..leaf }));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    found.extend(paths_of_expressions(rest));
    found
}

struct UseAt {
    start: usize,
    tree: usize,
    is_public: bool,
}

/// The next `use` statement at the beginning of a line.
fn next_use(code: &str) -> Option<UseAt> {
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        for opening in ["use ", "pub use ", "pub(crate) use ", "pub(super) use "] {
            if words.starts_with(opening) {
                let is_public = opening != "use ";
                return Some(UseAt { start, tree: start + indent + opening.len(), is_public });
            }
        }
        start += line.len();
    }
    None
}

/// The paths of a tree such as `super::{a::B, c::{self, D as E}}`.
fn leaves_of(tree: &str, before: &[String], leaves: &mut Vec<UsedPath>) {
    let (head, inner) = match tree.split_once('{') {
        Some((head, inner)) => (head, inner.rsplit_once('}').map(|(inner, _)| inner)),
        None => (tree, None),
    };
    let (path, renamed) = head.split_once(" as ").unwrap_or((head, ""));
    let words = path.split("::").map(str::trim).filter(|word| !word.is_empty());
    // `c::{self}` is `c`; a `self` in front is the module itself.
    let words = words.filter(|word| *word != "self" || before.is_empty());
    let segments = [before, &words.map(str::to_owned).collect::<Vec<_>>()].concat();
    if let Some(inner) = inner {
        branches(inner).into_iter().for_each(|branch| leaves_of(branch, &segments, leaves));
    } else if let Some(last) = segments.last() {
        let name = if renamed.is_empty() { last.clone() } else { renamed.trim().to_owned() };
        leaves.push(UsedPath { segments, name, is_public: false });
    }
}

fn branches(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inner[start..]);
    found.into_iter().filter(|branch| !branch.trim().is_empty()).collect()
}

/// Paths of two or more segments outside of `use`.
fn paths_of_expressions(code: &str) -> Vec<UsedPath> {
    let word = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
    code.split(word)
        .filter(|path| path.contains("::") && !path.starts_with(':'))
        .map(|path| path.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect())
        .filter(|segments: &Vec<String>| segments.len() > 1)
        .map(|segments| UsedPath { name: segments[0].clone(), segments, is_public: false })
        .collect()
}

fn without_tests_and_comments(text: &str) -> String {
    let mut code = String::new();
    let mut in_tests = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'))
        {
            in_tests = true;
        }
        if !in_tests {
            code.push_str(line.split("//").next().unwrap_or_default());
            code.push('\n');
        }
        in_tests &= line != "}";
    }
    code
}

mod samples {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        paths_of(text).iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn trees_of_use_are_spread_out() {
        assert_eq!(
            texts("use super::{\n    a::B,\n    c::{self, D as E},\n};\nfn f() { g::h(1) }\n"),
            ["super::a::B", "super::c", "super::c::D", "g::h"]
        );
        let given = paths_of("pub(crate) use a::{B as C};\n");
        assert!(given[0].is_public && given[0].name == "C", "{given:?}");
    }

    #[test]
    fn comments_and_inline_tests_don_t_count() {
        let text = "//! [`a::B`]\n#[cfg(test)]\nmod tests {\n    use super::c::D;\n}\nuse e::F;\n";
        assert_eq!(texts(text), ["e::F"]);
    }
}
