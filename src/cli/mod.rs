//! The command line: one file per subcommand, configuration, exit statuses.
//!
//! Data goes to stdout, everything said about the work to stderr. A command gets its resolved
//! settings and a writer, and answers with an [`Exit`] or a failure; only [`main`]
//! turns that into the process's status.

mod args;
mod bench;
mod capacity;
mod completions;
mod config;
mod config_show;
mod dates;
mod exit;
mod flags;
mod hangup;
mod import;
mod init;
mod inspect;
mod json;
mod log_view;
mod logging;
mod missing_meta;
mod remote;
mod say;
mod shell;
mod simulate;
mod start;
mod status;
mod status_page;
mod table;
mod tied;
mod verify;
mod version;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use config::LogWriter;
pub use exit::Exit;
pub use start::StartConfig;

use args::{Arguments, Command, ConfigCommand};
use config::{ConfigFile, Settings};
use exit::Failure;
use say::say;

/// Runs the program: reads the command line, does what it says, answers with the exit status.
#[must_use]
pub fn main() -> ExitCode {
    crate::fatal::end_on_panic();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // `--help` and `--version` come this way too, and belong on stdout with status 0.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return match error.print() {
                Ok(()) => exit.into(),
                Err(error) => Failure::from(error).exit.into(),
            };
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let ended = run(&arguments, &|name| std::env::var_os(name), &mut out);
    let ended = ended.and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure.message.is_some() && arguments.command.wants_json() {
                let _ = writeln!(out, "{}", json::error(&failure)).and_then(|()| out.flush());
            }
            if let Some(message) = &failure.message {
                say(message);
            }
            failure.exit.into()
        }
    }
}

fn run(
    arguments: &Arguments,
    environment: &dyn Fn(&str) -> Option<OsString>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let settings = settings(arguments, environment)?;
    let default_level =
        if matches!(arguments.command, Command::Start(_)) { "info" } else { "warn" };
    logging::start(&settings, default_level, environment)?;
    match &arguments.command {
        Command::Init(args) => init::run(args, &settings, out),
        Command::Start(args) => {
            args.tied.watch()?;
            hangup::watch(reload(arguments, environment, default_level))?;
            start::run(&StartConfig::from_settings(&settings, args), out)
        }
        Command::Status(args) => status::run(args, &settings, out),
        Command::Shell(args) => shell::run(args, &settings, out),
        Command::Import(args) => import::run(args, &settings, out),
        Command::Capacity { command } => capacity::run(command, &settings, out),
        Command::Bench(args) => bench::run(args, &settings, out),
        Command::Verify(args) => verify::run(args, &settings, out),
        Command::Inspect(args) => inspect::run(args, &settings, out),
        Command::Simulate(args) => simulate::run(args, out),
        Command::Config { command: ConfigCommand::Show(args) } => {
            config_show::run(args, &settings, out)
        }
        Command::Version(args) => version::run(args, out),
        Command::Completions(args) => completions::run(args, &mut Arguments::command(), out),
    }
}

/// Reads the settings again for a running server: what it can change while it runs is its log.
fn reload(
    arguments: &Arguments,
    environment: &dyn Fn(&str) -> Option<OsString>,
    default_level: &'static str,
) -> impl Fn() -> Result<String, Failure> + Send + 'static {
    let flags = arguments.flags();
    let asked = asked_file(arguments, environment);
    move || {
        let file = ConfigFile::find(asked.as_deref())?;
        let settings = config::resolve(&flags, &|name| std::env::var_os(name), file.as_ref())?;
        logging::reload(&settings, default_level)
    }
}

/// The configuration file that was asked for.
fn asked_file(
    arguments: &Arguments,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    arguments.common.config.clone().or_else(|| {
        let path = environment("PARTITA_CONFIG")?;
        (!path.is_empty()).then(|| path.into())
    })
}

/// Commands that need no configuration don't fail over a broken file.
fn settings(
    arguments: &Arguments,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Settings, Failure> {
    let flags = arguments.flags();
    if arguments.command.ignores_configuration() {
        return config::resolve(&flags, &|_| None, None);
    }
    let file = ConfigFile::find(asked_file(arguments, environment).as_deref())?;
    config::resolve(&flags, environment, file.as_ref())
}
