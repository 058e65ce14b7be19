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
mod parser;
mod show;
mod suggest;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Read, Write};

use clap::Args;

use super::config::Settings;
use super::exit::{Exit, Failure};
use super::flags::ConnectFlags;
use super::remote::{Remote, Server};
use crate::wire::{Reply, Request};

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Run these statements and end: `OPERATION FIELD=VALUE …, FIELD=VALUE …; …`. Without it,
    /// statements come from the terminal or from stdin.
    #[arg(short = 'c', long = "command", value_name = "STATEMENTS")]
    pub command: Option<String>,
    /// Print JSON, one object for each statement.
    #[arg(long)]
    pub json: bool,
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
    let mut connect = || Ok(Box::new(Server::connect(settings)?) as Box<dyn Remote>);
    match script {
        None => interactive::run(args.json, &mut connect, out),
        Some(text) => {
            let statements = parser::parse(&text, &mut random_id()?)
                .map_err(|error| Failure::usage(error.render(&text)))?;
            execute::run_script(&statements, args.json, &mut connect, out)
        }
    }
}

/// The text of a script. Bytes that aren't UTF-8 do no harm in a comment; in a statement they are a
/// typing error, shown at its place.
fn decode(bytes: &[u8]) -> Result<String, Failure> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Failure::usage("the script is UTF-16: save it as UTF-8"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Writes an answer as a table, as the shell does.
pub(crate) fn write_reply(
    request: &Request,
    reply: &Reply,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    match show::Shown::new(request, reply) {
        Some(shown) => shown.write_table(out),
        None => Ok(()),
    }
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
