//! The program's own log: on stderr, filtered by `--log` or `PARTITA_LOG`.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

use super::config::{LogFormat, Settings};
use super::exit::{Exit, Failure};

/// Puts another filter into the log that runs.
type Replace = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

static REPLACE: OnceLock<Replace> = OnceLock::new();

/// Starts logging for the rest of the process. A second call changes nothing.
pub(crate) fn start(
    settings: &Settings,
    default_level: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(), Failure> {
    let filter = filter_of(settings, default_level)?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.log_format {
        LogFormat::Text => {
            let colored = has_color(io::stderr().is_terminal(), environment);
            registry.with(lines.with_ansi(colored)).try_init()
        }
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    if started.is_ok() {
        let _ = REPLACE.set(Box::new(move |filter| handle.reload(filter)));
    }
    Ok(())
}

/// Logs by these settings from now on, and answers what the filter is.
pub(super) fn reload(settings: &Settings, default_level: &str) -> Result<String, Failure> {
    let filter = filter_of(settings, default_level)?;
    let text = filter.to_string();
    let Some(replace) = REPLACE.get() else { return Ok(text) };
    replace(filter).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(text)
}

fn filter_of(settings: &Settings, default_level: &str) -> Result<EnvFilter, Failure> {
    let filter = settings.log.as_deref().unwrap_or(default_level);
    EnvFilter::try_new(filter).map_err(|error| Failure::usage(format!("log = {filter:?}: {error}")))
}

/// Colour is for terminals, unless the user says no: see <https://no-color.org>.
fn has_color(is_terminal: bool, environment: &dyn Fn(&str) -> Option<OsString>) -> bool {
    is_terminal && environment("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_holds_for_the_log() {
        assert!(has_color(true, &|_| None));
        assert!(has_color(true, &|_| Some(OsString::new())), "an empty value doesn't count");
        assert!(!has_color(true, &|name| (name == "NO_COLOR").then(|| OsString::from("1"))));
        assert!(!has_color(false, &|_| None));
    }
}
