//! The prompt: history, completion, and statements that may run over several lines.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::ShellHelper;
use super::execute::{Connect, Next, Session, Style};
use super::{parser, random_id};
use crate::cli::exit::{Exit, Failure};
use crate::cli::say;

/// Lines that the history keeps.
const HISTORY_LINES: usize = 10_000;

/// Talks until the person leaves. Whatever was refused meanwhile, the person saw it: status 0.
///
/// # Errors
/// The terminal fails.
pub(crate) fn run(
    style: Style,
    connect: Connect<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let failed =
        |error: ReadlineError| Failure::new(Exit::Failed, format!("the terminal: {error}"));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_LINES)
        .map_err(failed)?
        .history_ignore_space(true)
        .build();
    let mut editor: Editor<ShellHelper, FileHistory> =
        Editor::with_config(config).map_err(failed)?;
    editor.set_helper(Some(ShellHelper));
    let history = history_file();
    if let Some(path) = &history {
        // The first time there is none, and without one the shell works all the same.
        let _ = editor.load_history(path);
    }
    let mut new_id = random_id()?;
    let mut session = Session::new(connect, style);
    writeln!(out, "partita {} · help explains, exit leaves", env!("CARGO_PKG_VERSION"))?;
    out.flush()?;
    loop {
        let line = match editor.readline("partita> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                say("the terminal sent bytes that aren't UTF-8; the line was dropped");
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(error)),
        };
        if !line.trim().is_empty() {
            let _ = editor.add_history_entry(line.as_str());
        }
        let leave = run_line(&line, &mut new_id, &mut session, out)?;
        out.flush()?;
        if leave {
            break;
        }
    }
    if let Some(path) = &history
        && let Err(error) = editor.save_history(path)
    {
        say(&format!("can't keep the history in {}: {error}", path.display()));
    }
    Ok(Exit::Ok)
}

/// Runs the statements of one input. Answers whether to leave.
fn run_line(
    line: &str,
    new_id: &mut dyn FnMut() -> u128,
    session: &mut Session<'_>,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let statements = match parser::parse(line, new_id) {
        Ok(statements) => statements,
        Err(error) => {
            say(&error.render(line));
            return Ok(false);
        }
    };
    for statement in &statements {
        let (exit, next) = session.run(statement, out)?;
        if next == Next::Leave {
            // A lost server ends what was typed, but not the conversation.
            return Ok(exit == Exit::Ok);
        }
    }
    Ok(false)
}

/// `PARTITA_HISTORY`, else a file among the user's state; none keeps no history.
fn history_file() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PARTITA_HISTORY") {
        return (!path.is_empty()).then(|| path.into());
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".local/state"))
    })?;
    let directory = state.join("partita");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}
