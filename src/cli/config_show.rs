//! `partita config show`: every setting with its value and its origin.

use std::io::Write;

use clap::Args;

use super::config::{Entry, Origin, Settings};
use super::exit::{Exit, Failure};
use super::flags::{ConnectFlags, DataFlags, ServerFlags};

/// Arguments of `config show`. Takes every flag, to show what it would do.
#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub connect: ConnectFlags,
    #[command(flatten)]
    pub server: ServerFlags,
}

/// Prints the settings.
pub(crate) fn run(
    args: &ConfigShowArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if args.json {
        let all: serde_json::Map<_, _> = settings
            .entries
            .iter()
            .map(|entry| (entry.key.name().to_owned(), json(entry)))
            .collect();
        writeln!(out, "{:#}", serde_json::Value::Object(all))?;
    } else {
        for entry in &settings.entries {
            let value = entry.value.as_deref().unwrap_or("(decided when it runs)");
            writeln!(out, "{:<16} {value:<24} {}", entry.key.name(), entry.origin)?;
        }
    }
    Ok(Exit::Ok)
}

fn json(entry: &Entry) -> serde_json::Value {
    let mut value = serde_json::json!({ "value": entry.value });
    let origin = match &entry.origin {
        Origin::Flag(flag) => serde_json::json!({ "kind": "flag", "name": flag }),
        Origin::Environment(name) => serde_json::json!({ "kind": "environment", "name": name }),
        Origin::File(path, line) => {
            serde_json::json!({ "kind": "file", "path": path.display().to_string(), "line": line })
        }
        Origin::Default => serde_json::json!({ "kind": "default" }),
    };
    value["origin"] = origin;
    value
}
