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

    /// Its value for a spreadsheet: the largest number in digits, too.
    fn plain(&self) -> &str {
        if self.text == "max" { self.json.as_str().unwrap_or(&self.text) } else { &self.text }
    }

    /// A moment in nanoseconds, 0 for none.
    pub(crate) fn time(timestamp: u64) -> Self {
        let text = if timestamp == 0 { String::new() } else { format_timestamp(timestamp) };
        let json = Value::String(timestamp.to_string());
        Self { name: "timestamp", text, json, is_zero: timestamp == 0 }
    }
}

/// A column: the index of its field, its name, its width.
type Column = (usize, &'static str, usize);

/// The columns of a table: those that are 0 in every row are left out.
fn columns(rows: &[Vec<Field>]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (index, field) in rows.first().into_iter().flatten().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.get(index));
        if ALWAYS.contains(&field.name) || cells().any(|cell| !cell.is_zero) {
            let width = cells().map(|cell| cell.text.chars().count()).max().unwrap_or(0);
            columns.push((index, field.name, width.max(field.name.len())));
        }
    }
    columns
}

/// Writes rows of the same fields as a table. Columns that are 0 in every row are left out.
pub(crate) fn write_table(out: &mut dyn Write, rows: &[Vec<Field>], empty: &str) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "{empty}");
    }
    write_columns(out, rows, &columns(rows))
}

/// The same, or one field a line where the table is wider than that many characters.
pub(crate) fn write_within(
    out: &mut dyn Write,
    rows: &[Vec<Field>],
    empty: &str,
    width: usize,
) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "{empty}");
    }
    let columns = columns(rows);
    let needed: usize = columns.iter().map(|(_, _, width)| width + 2).sum();
    if needed <= width + 2 {
        return write_columns(out, rows, &columns);
    }
    let name_width = columns.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        for (index, name, _) in &columns {
            let text = row.get(*index).map_or("", |cell| &cell.text);
            writeln!(out, "{}", format!("{name:<name_width$}  {text}").trim_end())?;
        }
    }
    Ok(())
}

/// Writes rows as CSV (RFC 4180, but for the ends of lines), all columns of them, and before them
/// their names if `head`.
pub(crate) fn write_csv(out: &mut dyn Write, rows: &[Vec<Field>], head: bool) -> io::Result<()> {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    if let Some(first) = rows.first().filter(|_| head) {
        let names: Vec<_> = first.iter().map(|field| field.name).collect();
        writeln!(out, "{}", names.join(","))?;
    }
    for row in rows {
        let cells: Vec<_> = row.iter().map(|field| quoted(field.plain())).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

fn write_columns(out: &mut dyn Write, rows: &[Vec<Field>], columns: &[Column]) -> io::Result<()> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mut line = |cell: &dyn Fn(usize, &'static str) -> String| {
        let mut text = String::new();
        for (index, name, width) in columns {
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
    fn a_table_that_is_too_wide_is_written_field_by_field() {
        let row = |id: u64, zero: u64, word: &str| {
            vec![Field::number("id", id), Field::number("zero", zero), Field::text("word", word)]
        };
        let shown = |width| {
            let mut out = Vec::new();
            write_within(&mut out, &[row(1, 0, "a"), row(100, 0, "längst")], "none", width)
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(11), "id   word\n  1  a\n100  längst\n");
        assert_eq!(shown(10), "id    1\nword  a\n\nid    100\nword  längst\n");
    }

    #[test]
    fn csv_has_every_column_and_quotes_what_needs_it() {
        let row = |word: &str| vec![Field::number("zero", 0_u64), Field::text("word", word)];
        let mut out = Vec::new();
        write_csv(&mut out, &[row("a"), row("b, \"c\"")], true).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "zero,word\n0,a\n0,\"b, \"\"c\"\"\"\n");
    }

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
