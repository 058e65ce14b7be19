//! What is wrong with the text of a mapping, in the words of `docs/import.md`: the key, what stands
//! there, and an example of what belongs there. No word of the libraries that read it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::cli::config::line_of;

/// Characters of a wrong value that a message shows.
const SHOWN_MAX: usize = 40;

/// What belongs where. `*` stands for a name of the user's, `[]` for a place in a list. A key that isn't
/// here is described with the nearest one above it.
const BELONGS: [(&str, &str); 36] = [
    ("name", r#"a text, such as name = "bank""#),
    ("ledger", "a whole number from 1 to 4294967295, such as ledger = 978"),
    ("timestamps", r#""server" or "imported", such as timestamps = "server""#),
    ("input", r#"a table, such as [input] with delimiter = ";""#),
    ("input.delimiter", r#"one ASCII character, such as delimiter = ";""#),
    ("input.quote", r#"one ASCII character or nothing, such as quote = "'" or quote = """#),
    ("input.encoding", r#"the name of an encoding, such as encoding = "windows-1252""#),
    ("input.header", "true or false, such as header = false"),
    ("input.columns", r#"a list of names, such as columns = ["date", "text", "amount"]"#),
    ("input.trim", "true or false, such as trim = false"),
    ("input.multiline", "true or false, such as multiline = true"),
    ("id", r#"a table, such as id = { columns = ["reference"] }"#),
    ("id.columns", r#"a list of columns, such as columns = ["reference"]"#),
    ("amount", r#"a table, such as amount = { column = "amount", scale = 2 }"#),
    ("amount.column", r#"the name of a column, such as column = "amount""#),
    ("amount.scale", "a whole number from 0 to 30, such as scale = 2"),
    ("amount.decimal", r#"one character, such as decimal = ",""#),
    ("amount.grouping", r#"one character, such as grouping = ".""#),
    ("amount.negative", r#""refuse" or "swap", such as negative = "swap""#),
    ("date", r#"a table, such as date = { column = "date", format = "%Y-%m-%d" }"#),
    ("date.column", r#"the name of a column, such as column = "date""#),
    ("date.format", r#"a pattern, such as format = "%Y-%m-%d""#),
    (
        "transfer.*",
        r#"{ value = … }, { column = … }, { hash = … }, { date = … } or { lookup = … }, such as { column = "reference" } or { date = "day" }"#,
    ),
    ("*.*", "a table, such as cash = { id = 900_001, code = 10 }"),
    ("*.*.id", r#"a whole number, in quotes from 2^63 on, such as id = 900_001"#),
    ("families.*.id", r#""number" or "hash", such as id = "hash""#),
    ("*.*.code", "a whole number from 1 to 65535, such as code = 10"),
    ("*.*.flags", r#"a list of flags, such as flags = ["history"]"#),
    ("*.*.column", r#"the name of a column, such as column = "account_id""#),
    ("*.*.min", "a whole number, in quotes from 2^63 on, such as min = 1"),
    ("*.*.max", "a whole number, in quotes from 2^63 on, such as max = 899_999"),
    (
        "lookups.*.entries",
        r#"texts or whole numbers by the content of the column, such as entries = { AB = "bank_ab" }"#,
    ),
    ("lookups.*.otherwise", r#"a text or a whole number, such as otherwise = "bank_unknown""#),
    ("rules", r#"a list, [[rules]], each with debit, credit and code, such as debit = "client""#),
    (
        "rules[].when",
        r#"a table, by column a text, a list of texts or { not = … }, such as when = { type = "CARD" }"#,
    ),
    (
        "rules[].when.*",
        r#"a text, a list of texts, or { not = … }, such as when = { type = ["CARD", "CASH"] } or when = { memo = { not = "" } }; numbers with decimal places go in quotes"#,
    ),
];

/// The same for the other keys of a rule.
const BELONGS_IN_RULES: [(&str, &str); 5] = [
    (
        "rules[].debit",
        r#"a name or a look-up, such as debit = "client" or debit = { lookup = "bank" }"#,
    ),
    (
        "rules[].credit",
        r#"a name or a look-up, such as credit = "client" or credit = { lookup = "bank" }"#,
    ),
    (
        "rules[].code",
        r#"a whole number from 1 to 65535 or a look-up, such as code = 12 or code = { lookup = "purpose" }"#,
    ),
    ("rules[].amount", r#"the name of a column, such as amount = "paid_out""#),
    ("rules[].skip", "true or false, such as skip = true"),
];

/// The line of an error and what to tell about it.
pub(super) fn complaint(text: &str, error: &toml::de::Error) -> (usize, String) {
    let span = error.span().unwrap_or(0..text.len());
    let line = line_of(text, span.start);
    let Ok(table) = DeTable::parse(text) else {
        // No TOML at all: its own words name the character that is wrong.
        return (line, error.message().to_owned());
    };
    let mut nodes = Vec::new();
    collect(table.get_ref(), &Path::default(), &mut nodes);
    let message = error.message();
    if let Some(field) = quoted(message, "missing field `") {
        let place = place_of(&nodes, &span, NodeKind::Value).unwrap_or_default();
        let lacking = place.key(field);
        let belongs = belongs(&lacking.pattern);
        return (line, format!("{} is missing; what belongs here is {belongs}", lacking.shown));
    }
    if let Some(field) = quoted(message, "unknown field `") {
        let place = place_of(&nodes, &span, NodeKind::Key).unwrap_or_default();
        let shown = if place.shown.is_empty() { field } else { &place.shown };
        let known: Vec<_> = message.split('`').skip(3).step_by(2).collect();
        if known.is_empty() {
            return (line, format!("there is no key {shown}"));
        }
        return (line, format!("there is no key {shown}; there are {}", known.join(", ")));
    }
    let place = place_of(&nodes, &span, NodeKind::Value).unwrap_or_default();
    let found = shown(text.get(span).unwrap_or_default());
    (
        line,
        format!(
            "{}: {found} doesn't fit; what belongs here is {}",
            place.shown,
            belongs(&place.pattern)
        ),
    )
}

/// Where something stands: as it is shown, and as [`BELONGS`] has it.
#[derive(Debug, Clone, Default)]
struct Path {
    shown: String,
    pattern: String,
}

impl Path {
    fn key(&self, name: &str) -> Self {
        let dot = if self.shown.is_empty() { "" } else { "." };
        // Names below these are the user's own.
        let own = ["accounts", "families", "lookups", "transfer", "rules[].when"];
        let own = own.contains(&self.pattern.as_str()) || self.pattern.ends_with(".entries");
        let generic = if own { "*" } else { name };
        Self {
            shown: format!("{}{dot}{name}", self.shown),
            pattern: format!("{}{dot}{generic}", self.pattern),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            shown: format!("{}[{}]", self.shown, index + 1),
            pattern: format!("{}[]", self.pattern),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeKind {
    Key,
    Value,
}

struct Node {
    kind: NodeKind,
    span: Range<usize>,
    path: Path,
}

/// Every key and value below a table with its place.
fn collect(table: &DeTable<'_>, path: &Path, nodes: &mut Vec<Node>) {
    for (name, value) in table {
        let own = path.key(name.get_ref());
        nodes.push(Node { kind: NodeKind::Key, span: name.span(), path: own.clone() });
        collect_value(value.get_ref(), value.span(), own, nodes);
    }
}

fn collect_value(value: &DeValue<'_>, span: Range<usize>, path: Path, nodes: &mut Vec<Node>) {
    match value {
        DeValue::Table(table) => collect(table, &path, nodes),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_value(item.get_ref(), item.span(), path.item(index), nodes);
            }
        }
        _ => {}
    }
    nodes.push(Node { kind: NodeKind::Value, span, path });
}

/// The place of exactly this span, else of the smallest around its start.
fn place_of(nodes: &[Node], span: &Range<usize>, kind: NodeKind) -> Option<Path> {
    let nodes = || nodes.iter().filter(|node| node.kind == kind);
    let exact = nodes().find(|node| node.span == *span);
    let around = || {
        let around =
            nodes().filter(|node| node.span.contains(&span.start) && span.end <= node.span.end);
        around.min_by_key(|node| node.span.len())
    };
    exact.or_else(around).map(|node| node.path.clone())
}

/// What belongs at a place, or at the nearest one above that is described.
fn belongs(pattern: &str) -> &'static str {
    let mut pattern = pattern;
    loop {
        let described = |known: &str| {
            // A leading `*` stands for accounts, families and look-ups alike.
            known == pattern
                || known.strip_prefix('*').is_some_and(|rest| {
                    ["accounts", "families", "lookups"]
                        .iter()
                        .any(|kind| pattern.strip_prefix(kind) == Some(rest))
                })
        };
        // The most particular description wins: those that begin with a `*` are the general ones.
        let all = || BELONGS.iter().chain(&BELONGS_IN_RULES).filter(|(known, _)| described(known));
        let particular = all().find(|(known, _)| !known.starts_with('*'));
        if let Some((_, belongs)) = particular.or_else(|| all().next()) {
            return belongs;
        }
        match pattern.rfind(['.', '[']) {
            Some(end) => pattern = &pattern[..end],
            None => return "what docs/import.md shows",
        }
    }
}

/// The name after the beginning of a message.
fn quoted<'a>(message: &'a str, beginning: &str) -> Option<&'a str> {
    message.strip_prefix(beginning)?.split('`').next()
}

/// The beginning of a value, on one line.
fn shown(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;

    const WHOLE: &str = r#"
name = "bank"
ledger = 978
[input]
delimiter = ";"
[id]
columns = ["ref"]
[amount]
column = "amount"
scale = 2
[accounts]
cash = { id = 900_001, code = 10 }
[families.client]
column = "client"
code = 1
[lookups.kind]
column = "kind"
entries = { A = 1 }
[transfer]
user_data_64 = { column = "ref" }
[[rules]]
skip = true
[[rules]]
when = { kind = "A" }
debit = "cash"
credit = "client"
code = 1
"#;

    /// What is changed in the whole mapping, into what, on which line, and what is told about it.
    const MISTAKES: [(&str, &str, usize, &str); 24] = [
        (
            r#"kind = "A""#,
            "kind = 1.00",
            24,
            "rules[2].when.kind: 1.00 doesn't fit; what belongs here is a text, a list of texts, or { not = … }, such as",
        ),
        (
            r#"kind = "A""#,
            "kind = true",
            24,
            "rules[2].when.kind: true doesn't fit; what belongs here is a text",
        ),
        (
            r#"kind = "A""#,
            r#"kind = { is = "x" }"#,
            24,
            r#"rules[2].when.kind: { is = "x" } doesn't fit; what belongs here is a text, a list of texts, or"#,
        ),
        (
            r#"{ kind = "A" }"#,
            r#""A""#,
            24,
            r#"rules[2].when: "A" doesn't fit; what belongs here is a table, by column"#,
        ),
        (
            "ledger = 978",
            "ledger = \"EUR\"",
            3,
            "ledger: \"EUR\" doesn't fit; what belongs here is a whole number",
        ),
        ("ledger = 978", "ledger = -1", 3, "ledger: -1 doesn't fit"),
        ("ledger = 978", "legder = 978", 3, "there is no key legder; there are name, ledger"),
        ("ledger = 978", "", 1, "ledger is missing; what belongs here is a whole number from 1"),
        ("delimiter = \";\"", "delimiter = \";;\"", 5, "input.delimiter: \";;\" doesn't fit"),
        ("delimiter = \";\"", "delimeter = \";\"", 5, "there is no key input.delimeter; there"),
        (
            "columns = [\"ref\"]",
            "columns = \"ref\"",
            7,
            "id.columns: \"ref\" doesn't fit; what belongs here is a list",
        ),
        (
            "columns = [\"ref\"]",
            "",
            6,
            "id.columns is missing; what belongs here is a list of columns",
        ),
        (
            "scale = 2",
            "scale = 2.0",
            10,
            "amount.scale: 2.0 doesn't fit; what belongs here is a whole number from 0",
        ),
        ("scale = 2", "scale = 2\nnegative = \"flip\"", 11, "amount.negative: \"flip\" doesn't"),
        (
            "id = 900_001",
            "id = -3",
            12,
            "accounts.cash.id: -3 doesn't fit; what belongs here is a whole number, in",
        ),
        (
            "id = 900_001",
            "id = 340282366920938463463374607431768211000",
            12,
            "accounts.cash.id: 340282366920938463463374607431768211000 doesn't fit; what belongs here is a whole \
                 number, in quotes from 2^63 on",
        ),
        (
            "id = 900_001, ",
            "",
            12,
            "accounts.cash.id is missing; what belongs here is a whole number",
        ),
        (
            "code = 10",
            "code = 70_000",
            12,
            "accounts.cash.code: 70_000 doesn't fit; what belongs here is a whole",
        ),
        (
            "column = \"client\"",
            "column = \"client\"\nid = 7",
            15,
            "families.client.id: 7 doesn't fit; what belongs here is \"number\" or \"hash\"",
        ),
        (
            "{ A = 1 }",
            "{ A = [1] }",
            18,
            "lookups.kind.entries.A: [1] doesn't fit; what belongs here is texts or whole",
        ),
        (
            "{ column = \"ref\" }",
            "{ colum = \"ref\" }",
            20,
            "transfer.user_data_64: colum doesn't fit; what belongs here is { value = … }",
        ),
        (
            "debit = \"cash\"",
            "debit = 5",
            25,
            "rules[2].debit: 5 doesn't fit; what belongs here is a name or a look-up",
        ),
        (
            "skip = true",
            "skip = \"yes\"",
            22,
            "rules[1].skip: \"yes\" doesn't fit; what belongs here is true or false",
        ),
        ("skip = true", "skpi = true", 22, "there is no key rules[1].skpi; there are when, debit"),
    ];

    #[test]
    fn a_mistake_names_key_value_and_an_example() {
        assert!(Mapping::parse(WHOLE).is_ok());
        for (change, to, line, expected) in MISTAKES {
            assert!(WHOLE.contains(change), "{change}");
            let (at, message) = Mapping::parse(&WHOLE.replacen(change, to, 1)).unwrap_err();
            assert!(message.starts_with(expected), "{to}: {message}");
            assert_eq!(at, line, "{to}: {message}");
            for inside in ["untagged", "variant", "struct", "invalid type", "u32", "serde"] {
                assert!(!message.contains(inside), "{to}: {message}");
            }
        }
    }

    #[test]
    fn a_long_value_is_cut_and_no_toml_keeps_its_own_message() {
        let long = format!("ledger = \"{}\"", "x".repeat(300));
        let (_, message) = Mapping::parse(&WHOLE.replacen("ledger = 978", &long, 1)).unwrap_err();
        assert!(message.contains("xxx…") && message.len() < 200, "{message}");
        let (line, message) =
            Mapping::parse(&WHOLE.replacen("ledger = 978", "ledger = ", 1)).unwrap_err();
        assert_eq!(line, 3, "{message}");
        assert!(!message.is_empty());
    }
}
