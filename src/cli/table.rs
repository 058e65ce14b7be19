//! Records as tables for people and as JSON for programs.

use std::io::{self, Write};

use serde_json::Value;

use super::dates::format_timestamp;

/// Columns that are shown even if all their values are 0.
const ALWAYS: [&str; 12] = [
    "id",
    "op",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "debits_posted",
    "credits_posted",
    "ledger",
    "code",
    "entries",
    "segment",
    "index",
];

/// A field with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value for a person, readable by a statement.
    pub text: String,
    /// Its value for a program. Integers of more than 32 bits are strings, since many readers of
    /// JSON would round them.
    pub json: Value,
    /// Whether it is zero.
    pub is_zero: bool,
}

impl Field {
    /// A text.
    pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { name, json: Value::String(text.clone()), text, is_zero: false }
    }

    /// A number, which JSON gets as a string.
    pub(crate) fn number(name: &'static str, number: impl Into<u128>) -> Self {
        let number = number.into();
        let is_zero = number == 0;
        Self { is_zero, ..Self::text(name, number.to_string()) }
    }

    /// A moment in nanoseconds, 0 for none.
    pub(crate) fn time(timestamp: u64) -> Self {
        let text = if timestamp == 0 { String::new() } else { format_timestamp(timestamp) };
        let json = Value::String(timestamp.to_string());
        Self { name: "timestamp", text, json, is_zero: timestamp == 0 }
    }
}

/// Writes rows of the same fields as a table. Columns that are 0 in every row are left out.
pub(crate) fn write_table(out: &mut dyn Write, rows: &[Vec<Field>], empty: &str) -> io::Result<()> {
    let Some(first) = rows.first() else { return writeln!(out, "{empty}") };
    let mut columns = Vec::new();
    for (index, field) in first.iter().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.get(index));
        if ALWAYS.contains(&field.name) || cells().any(|cell| !cell.is_zero) {
            let width = cells().map(|cell| cell.text.chars().count()).max().unwrap_or(0);
            columns.push((index, field.name, width.max(field.name.len())));
        }
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut line = |cell: &dyn Fn(usize, &'static str) -> String| {
        let mut text = String::new();
        for (index, name, width) in &columns {
            let cell = cell(*index, name);
            text.push_str(&if is_number(&cell) {
                format!("{cell:>width$}  ")
            } else {
                format!("{cell:<width$}  ")
            });
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&|_, name| name.to_owned())?;
    for row in rows {
        line(&|index, _| row.get(index).map_or_else(String::new, |cell| cell.text.clone()))?;
    }
    Ok(())
}

/// Rows as JSON objects.
pub(crate) fn json_rows(rows: &[Vec<Field>]) -> Value {
    rows.iter().map(|row| json_row(row)).collect()
}

/// One row as a JSON object.
pub(crate) fn json_row(row: &[Field]) -> Value {
    row.iter().map(|field| (field.name.to_owned(), field.json.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_empty_columns_fall_away() {
        let row = |id: u64, zero: u64, word: &str| {
            vec![Field::number("id", id), Field::number("zero", zero), Field::text("word", word)]
        };
        let mut out = Vec::new();
        write_table(&mut out, &[row(1, 0, "a"), row(100, 0, "längst")], "none").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "id   word\n  1  a\n100  längst\n");
        let mut out = Vec::new();
        write_table(&mut out, &[row(1, 2, "")], "none").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "id  zero  word\n 1     2\n");
        let mut out = Vec::new();
        write_table(&mut out, &[], "none").unwrap();
        assert_eq!(out, b"none\n");
        let json = json_rows(&[row(u64::MAX, 0, "a")]);
        assert_eq!(json[0]["id"], "18446744073709551615");
        assert_eq!(json[0]["zero"], "0");
    }
}
