//! `partita shell`: statements in, tables or JSON out.
//!
//! text → `lexer` → `parser` (statements, with positions for errors) → `execute` → `table`/`json`.
//! A script is parsed whole before its first statement runs, so a typing error in it does nothing.

mod complete;
mod execute;
pub(crate) mod fields;
mod help;
mod interactive;
mod lexer;
mod operations;
mod output;
mod pages;
mod parser;
mod show;
mod suggest;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Read, Write};

use clap::Args;

use self::execute::Style;
use self::output::Format;
use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::ConnectFlags;
use super::remote::{Remote, Server};

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Run these statements and end: `OPERATION FIELD=VALUE …, FIELD=VALUE …; …`. Without it,
    /// statements come from the terminal or from stdin.
    #[arg(short = 'c', long = "command", value_name = "STATEMENTS")]
    pub command: Option<String>,
    /// Print JSON, one object for each statement.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print comma-separated values with a line of names, for spreadsheets.
    #[arg(long)]
    pub csv: bool,
    /// Print one field a line, as is done anyway where a table is wider than the terminal.
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub vertical: bool,
    /// Page through everything where a statement sets no limit.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub connect: ConnectFlags,
}

/// Runs a script or talks to a person.
pub(crate) fn run(
    args: &ShellArgs,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let script = match &args.command {
        Some(text) => Some(text.clone()),
        None if std::io::stdin().is_terminal() => None,
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
                Failure::usage(format!("can't read the statements from stdin: {error}"))
            })?;
            Some(decode(&bytes)?)
        }
    };
    let style = style(args);
    let mut connect = || Ok(Box::new(Server::connect(settings)?) as Box<dyn Remote>);
    match script {
        None => interactive::run(style, &mut connect, out),
        Some(text) => {
            let statements = parser::parse(&text, &mut random_id()?)
                .map_err(|error| Failure::usage(error.render(&text)))?;
            execute::run_script(&statements, style, &mut connect, out)
        }
    }
}

/// How answers look: as the flags say, and to a terminal no wider than it is.
fn style(args: &ShellArgs) -> Style {
    let format = match args {
        ShellArgs { json: true, .. } => Format::Json,
        ShellArgs { csv: true, .. } => Format::Csv,
        ShellArgs { vertical: true, .. } => Format::Table { width: Some(0) },
        _ => Format::Table { width: terminal_columns() },
    };
    Style { format, all: args.all }
}

/// How wide the terminal is that stdout goes to, if it goes to one.
fn terminal_columns() -> Option<usize> {
    let stdout = std::io::stdout();
    let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The text of a script. Bytes that aren't UTF-8 do no harm in a comment; in a statement they are a
/// typing error, shown at its place.
fn decode(bytes: &[u8]) -> Result<String, Failure> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Failure::usage("the script is UTF-16: save it as UTF-8"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Makes ids for `id=auto`: milliseconds, then 80 random bits, so that they are ordered by time.
fn random_id() -> Result<impl FnMut() -> u128, Failure> {
    use crate::io::{Clock, SystemClock};
    let unavailable =
        |error| Failure::new(Exit::Failed, format!("can't read random numbers: {error}"));
    let mut random = std::fs::File::open("/dev/urandom").map_err(unavailable)?;
    let mut seed = [0; 32];
    random.read_exact(&mut seed).map_err(unavailable)?;
    let mut output = blake3::Hasher::new_keyed(&seed).finalize_xof();
    let clock = SystemClock::new();
    Ok(move || {
        let mut bytes = [0; 16];
        output.fill(&mut bytes);
        let milliseconds = u128::from(clock.now().unix_ns / 1_000_000);
        (milliseconds << 80) | (u128::from_le_bytes(bytes) >> 48)
    })
}
