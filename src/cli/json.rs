//! JSON as all commands write it: one rule for integers, one shape for errors.
//!
//! Integers of 64 bits and more are strings of digits, since many readers of JSON would round them;
//! smaller ones are numbers. The type decides, not the value, so a member never changes its form.
//! `docs/json.md` is the page about it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use serde_json::{Serializer, Value, json};

use super::exit::Failure;

/// Writes integers of 64 bits and more as strings, and leaves the rest to another formatter.
struct WideAsText<F>(F);

macro_rules! wide {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, out: &mut W, value: $type) -> io::Result<()> {
            write!(out, "\"{value}\"")
        }
    )*};
}

macro_rules! as_before {
    ($($method:ident($($argument:ident: $type:ty)?),)*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $argument: $type)?) -> io::Result<()> {
            self.0.$method(out $(, $argument)?)
        }
    )*};
}

impl<F: Formatter> Formatter for WideAsText<F> {
    wide! { write_i64: i64, write_u64: u64, write_i128: i128, write_u128: u128, }

    as_before! {
        begin_array(), end_array(), begin_array_value(first: bool), end_array_value(),
        begin_object(), end_object(), begin_object_key(first: bool), end_object_key(),
        begin_object_value(), end_object_value(),
    }
}

/// Writes a value over several lines, and ends the last one.
pub(crate) fn write(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, WideAsText(PrettyFormatter::new()));
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// The same as a value, to be put into another one. Don't put numbers of 64 bits into that one.
pub(crate) fn value(value: &impl Serialize) -> Value {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, WideAsText(CompactFormatter));
    // Plain structs with text keys have a JSON form, and memory takes all that is written to it.
    let _ = value.serialize(&mut serializer);
    serde_json::from_slice(&text).unwrap_or(Value::Null)
}

/// What a failed command has to say: `{"error": …}`.
pub(crate) fn error(failure: &Failure) -> Value {
    let Failure { exit, message, code } = failure;
    let code = code.as_deref().unwrap_or_else(|| exit.name());
    json!({ "error": { "code": code, "exit": exit.code(), "message": message } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[derive(Serialize)]
    struct Everything {
        small: u32,
        wide: u64,
        wider: u128,
        signed: i64,
        size: usize,
        measured: f64,
        maybe: Option<u64>,
        list: Vec<u64>,
    }

    #[test]
    fn the_type_of_an_integer_decides_about_its_form() {
        let all = Everything {
            small: 7,
            wide: 7,
            wider: u128::MAX,
            signed: -7,
            size: 7,
            measured: 0.5,
            maybe: None,
            list: vec![1],
        };
        let expected = json!({
            "small": 7, "wide": "7", "wider": u128::MAX.to_string(), "signed": "-7", "size": "7",
            "measured": 0.5, "maybe": null, "list": ["1"],
        });
        assert_eq!(value(&all), expected);
        let mut out = Vec::new();
        write(&mut out, &all).unwrap();
        assert!(out.starts_with(b"{\n  \"small\": 7,\n  \"wide\": \"7\",\n"));
        assert!(out.ends_with(b"\n}\n"));
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
    }

    #[test]
    fn an_error_has_a_code() {
        let plain = error(&Failure::new(Exit::Unavailable, "nobody listens"));
        assert_eq!(plain["error"]["code"], "unavailable");
        assert_eq!(plain["error"]["exit"], 5);
        assert_eq!(plain["error"]["message"], "nobody listens");
        let coded = error(&Failure::new(Exit::Refused, "text").coded("filter_no_side"));
        assert_eq!(coded["error"]["code"], "filter_no_side");
    }
}
