//! The program's own log: on stderr, filtered by `--log` or `PARTITA_LOG`.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::config::{LogFormat, Settings};
use super::exit::Failure;

/// Starts logging for the rest of the process. A second call changes nothing.
pub(crate) fn start(settings: &Settings, default_level: &str) -> Result<(), Failure> {
    let filter = settings.log.as_deref().unwrap_or(default_level);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::usage(format!("log = {filter:?}: {error}")))?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    let started = match settings.log_format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    drop(started);
    Ok(())
}
