//! How answers are written: as tables, field by field, as CSV, or as JSON; in one piece or in pages.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::pages::Next;
use super::show::{Body, Shown};
use crate::cli::dates::format_timestamp;
use crate::cli::json;
use crate::cli::say;
use crate::cli::status_page;
use crate::cli::table::{Field, json_row, write_csv, write_table, write_within};
use crate::ledger::Op;
use crate::wire::StatusReport;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables; one field a line where a table is wider than that.
    Table {
        /// Characters of a line; none for as many as it takes.
        width: Option<usize>,
    },
    /// Comma-separated values.
    Csv,
    /// A line of JSON for each statement.
    Json,
}

/// One answer being written. It is never held as a whole: rows go out page by page.
pub(super) struct Writing<'a> {
    out: &'a mut dyn Write,
    format: Format,
    operation: &'static str,
    rows: u64,
    pages: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn new(out: &'a mut dyn Write, format: Format, operation: &'static str) -> Self {
        Self { out, format, operation, rows: 0, pages: 0 }
    }

    /// Writes a page of the answer.
    pub(super) fn page(&mut self, shown: &Shown) -> io::Result<()> {
        let Self { out, format, .. } = self;
        match (&shown.body, *format) {
            (Body::Rows(rows), Format::Json) => {
                if self.pages == 0 {
                    write!(out, "{{\"operation\":\"{}\",\"results\":[", self.operation)?;
                }
                for (index, row) in rows.iter().enumerate() {
                    let comma = if self.rows == 0 && index == 0 { "" } else { "," };
                    write!(out, "{comma}{}", json_row(row))?;
                }
            }
            (Body::Rows(rows), Format::Csv) => write_csv(out, rows, self.rows == 0)?,
            // A page behind the last record is no answer of its own.
            (Body::Rows(rows), _) if self.pages > 0 && rows.is_empty() => {}
            (Body::Rows(rows), Format::Table { width: None }) => {
                write_table(out, rows, shown.empty)?;
            }
            (Body::Rows(rows), Format::Table { width: Some(width) }) => {
                write_within(out, rows, shown.empty, width)?;
            }
            (Body::Status(report), Format::Json) => {
                let report = json::value(report);
                write!(out, "{{\"operation\":\"{}\",\"results\":[{report}", self.operation)?;
            }
            (Body::Status(report), Format::Csv) => write_csv(out, &members(report), true)?,
            (Body::Status(report), Format::Table { .. }) => status_page::write(report, out)?,
        }
        self.rows += shown.rows() as u64;
        self.pages += 1;
        Ok(())
    }

    /// Ends an answer that is true at `op`, and says whether there is more behind it.
    pub(super) fn end(self, op: Op, more: Option<Next>) -> io::Result<()> {
        match (self.format, more) {
            (Format::Json, more) => {
                write!(self.out, "],\"op\":\"{}\"", op.0)?;
                if let Some(Next { field, timestamp }) = more {
                    write!(self.out, ",\"more\":{}", json!({ field: timestamp.to_string() }))?;
                }
                writeln!(self.out, "}}")
            }
            (_, None) => Ok(()),
            (Format::Csv, Some(next)) => {
                self.out.flush()?;
                say(&marker(self.operation, self.rows, next));
                Ok(())
            }
            (_, Some(next)) => writeln!(self.out, "{}", marker(self.operation, self.rows, next)),
        }
    }

    /// Ends an answer that failed, maybe after some pages.
    pub(super) fn fail(self, error: &Value) -> io::Result<()> {
        if self.format != Format::Json {
            return self.out.flush();
        }
        if self.pages == 0 {
            writeln!(self.out, "{{\"operation\":\"{}\",\"error\":{error}}}", self.operation)?;
        } else {
            writeln!(self.out, "],\"error\":{error}}}")?;
        }
        self.out.flush()
    }
}

/// What a person is told when there is more.
fn marker(operation: &str, rows: u64, next: Next) -> String {
    let Next { field, timestamp } = next;
    let time = format_timestamp(timestamp);
    format!("… there is more after {rows}: {operation} … {field}={time}, a larger limit=, or --all")
}

/// The members of a report, one in each row.
fn members(report: &StatusReport) -> Vec<Vec<Field>> {
    let all = json::value(report);
    let row = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        vec![Field::text("name", name), Field::text("value", text)]
    };
    let counters = all["counters"].as_object().into_iter().flatten();
    let plain = all.as_object().into_iter().flatten().filter(|(_, value)| !value.is_object());
    plain.chain(counters).map(row).collect()
}
