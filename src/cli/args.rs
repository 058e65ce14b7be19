//! What can be typed. Settings stay text here: `config::resolve` reads them, whatever their source.

use std::path::Path;

use clap::{Parser, Subcommand};

use super::config::{Flags, Key};
use super::flags::CommonFlags;
use super::{
    bench, capacity, completions, config_show, import, init, inspect, shell, simulate, start,
    status,
};
use super::{verify, version};

const AFTER_HELP: &str = "\
Settings come from flags, then the environment (PARTITA_DATA, PARTITA_LISTEN, …), then a TOML file
(--config, PARTITA_CONFIG, ./partita.toml or /etc/partita/partita.toml), then defaults:
`partita config show` prints each with its origin.

Exit statuses: 0 done · 1 failed · 2 wrong usage · 3 refused by a rule · 4 outcome unknown ·
5 unavailable · 6 damaged data · 70 and above: the server stopped itself.";

/// A ledger appliance: durable double-entry transfers at the speed of the disk.
#[derive(Debug, Parser)]
#[command(name = "partita", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a data directory.
    Init(init::InitArgs),
    /// Serve the ledger; creates the data directory on first use.
    Start(start::StartArgs),
    /// Show how a running server is doing.
    Status(status::StatusArgs),
    /// Talk to a running server: interactively, or with -c.
    Shell(shell::ShellArgs),
    /// Bring in foreign data by a mapping file.
    Import(import::ImportArgs),
    /// Show how much room the ledger has, or make more.
    Capacity {
        /// What to do with it.
        #[command(subcommand)]
        command: capacity::CapacityCommand,
    },
    /// Measure throughput and latency.
    Bench(bench::BenchArgs),
    /// Check a stopped or copied data directory from end to end.
    Verify(verify::VerifyArgs),
    /// Look into a data directory: segments, frames, one account, one transfer.
    Inspect(inspect::InspectArgs),
    /// Run the simulator from a seed.
    Simulate(simulate::SimulateArgs),
    /// Look at the configuration.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the versions of the program, the protocol and the log format.
    Version(version::VersionArgs),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting with its value and its origin.
    Show(config_show::ConfigShowArgs),
}

impl Command {
    /// Whether the command works without any setting.
    pub(crate) const fn ignores_configuration(&self) -> bool {
        matches!(self, Self::Version(_) | Self::Completions(_) | Self::Simulate(_))
    }

    /// Whether stdout gets JSON, errors too.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Status(args) => args.json,
            Self::Shell(args) => args.json,
            Self::Import(args) => args.json,
            Self::Capacity { command } => command.wants_json(),
            Self::Bench(args) => args.json.as_deref() == Some(Path::new("-")),
            Self::Verify(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Config { command: ConfigCommand::Show(args) } => args.json,
            Self::Version(args) => args.json,
            Self::Init(_) | Self::Start(_) | Self::Simulate(_) | Self::Completions(_) => false,
        }
    }
}

impl Arguments {
    /// Every setting that was typed.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.put(Key::Cluster, self.common.cluster.as_ref());
        flags.put(Key::Log, self.common.log.as_ref());
        flags.put(Key::LogFormat, self.common.log_format.as_ref());
        match &self.command {
            Command::Init(args) => {
                args.data.put(&mut flags);
                args.capacity.put(&mut flags);
            }
            Command::Start(args) => {
                args.data.put(&mut flags);
                args.server.put(&mut flags);
            }
            Command::Status(args) => args.connect.put(&mut flags),
            Command::Shell(args) => args.connect.put(&mut flags),
            Command::Import(args) => args.connect.put(&mut flags),
            Command::Capacity { command } => command.connect().put(&mut flags),
            Command::Bench(args) => {
                flags.put(Key::Connect, args.connect.as_ref());
                args.server.put(&mut flags);
            }
            Command::Verify(args) => args.data.put(&mut flags),
            Command::Inspect(args) => flags.put(Key::Data, args.data.as_ref()),
            Command::Config { command: ConfigCommand::Show(args) } => {
                args.data.put(&mut flags);
                args.connect.put(&mut flags);
                args.server.put(&mut flags);
            }
            Command::Simulate(_) | Command::Version(_) | Command::Completions(_) => {}
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag() {
        let mut line = vec!["partita".to_owned(), "config".to_owned(), "show".to_owned()];
        for key in Key::ALL {
            line.push(key.flag());
            line.push(if key == Key::LogWriter { "mapped".to_owned() } else { "1".to_owned() });
        }
        let flags = Arguments::try_parse_from(line).unwrap().flags();
        for key in Key::ALL {
            assert!(flags.get(key).is_some(), "{}", key.name());
        }
    }
}
