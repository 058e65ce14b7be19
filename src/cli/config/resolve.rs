//! Precedence: a flag beats the environment, which beats the file, which beats the default.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::file::ConfigFile;
use super::key::{Flags, Key};
use super::values::{LogFormat, LogWriter, parse_bytes, parse_whole};
use crate::cli::exit::Failure;
use crate::limits::PARTITIONS_MAX;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A line of the configuration file.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File(path, line) => write!(f, "file {}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which setting.
    pub key: Key,
    /// Its value as text; none when the program decides when it runs.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// The cluster that the data or the server must belong to; a new one gets this id.
    pub cluster: Option<u128>,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// `HOST:PORT` that client commands connect to.
    pub connect: String,
    /// Where `connect` came from: some commands take it from the command line only.
    pub connect_origin: Origin,
    /// Core threads; none lets the server choose.
    pub cores: Option<usize>,
    /// How the log reaches the disk.
    pub log_writer: LogWriter,
    /// Bytes of a segment; none is the log's own default.
    pub segment_bytes: Option<u64>,
    /// Accounts that the ledger can hold; none is the engine's own default.
    pub accounts_max: Option<u64>,
    /// Connections at once; none is the server's own default.
    pub connections_max: Option<u64>,
    /// Milliseconds that a client has for a frame; none is the server's own default.
    pub client_timeout_ms: Option<u64>,
    /// The filter of the program's own log; none depends on the command.
    pub log: Option<String>,
    /// Its format.
    pub log_format: LogFormat,
    /// Every setting with its origin, for `config show`.
    pub entries: Vec<Entry>,
}

/// Resolves every setting.
///
/// `environment` answers for one variable, so that tests need not touch the process.
///
/// # Errors
/// A value that can't be read, with the place that it came from.
pub(crate) fn resolve(
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<OsString>,
    file: Option<&ConfigFile>,
) -> Result<Settings, Failure> {
    let mut resolver = Resolver { flags, environment, file, entries: Vec::new() };
    let data = resolver.with_default(Key::Data, "./partita-data", parse_path)?;
    let cluster = resolver.optional(Key::Cluster, parse_cluster)?;
    let listen = resolver.with_default(Key::Listen, "127.0.0.1:7400", parse_listen)?;
    let connect = resolver.with_default(Key::Connect, "127.0.0.1:7400", parse_connect)?;
    let connect_origin =
        resolver.entries.last().map_or(Origin::Default, |entry| entry.origin.clone());
    let cores = resolver.optional(Key::Cores, parse_cores)?;
    let log_writer = resolver.with_default(Key::LogWriter, "direct", LogWriter::parse)?;
    let segment_bytes = resolver.optional(Key::SegmentBytes, parse_bytes)?;
    let accounts_max = resolver.optional(Key::AccountsMax, parse_positive)?;
    let connections_max = resolver.optional(Key::ConnectionsMax, parse_positive)?;
    let client_timeout_ms = resolver.optional(Key::ClientTimeoutMs, parse_positive)?;
    let log = resolver.optional(Key::Log, parse_log)?;
    let log_format = resolver.with_default(Key::LogFormat, "text", LogFormat::parse)?;
    Ok(Settings {
        data,
        cluster,
        listen,
        connect,
        connect_origin,
        cores,
        log_writer,
        segment_bytes,
        accounts_max,
        connections_max,
        client_timeout_ms,
        log,
        log_format,
        entries: resolver.entries,
    })
}

struct Resolver<'a> {
    flags: &'a Flags,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    file: Option<&'a ConfigFile>,
    entries: Vec<Entry>,
}

impl Resolver<'_> {
    fn with_default<T>(
        &mut self,
        key: Key,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let (text, origin) = match self.find(key)? {
            Some(found) => found,
            None => (default.to_owned(), Origin::Default),
        };
        self.read(key, text, origin, &parse)
    }

    fn optional<T>(
        &mut self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Failure> {
        match self.find(key)? {
            Some((text, origin)) => self.read(key, text, origin, &parse).map(Some),
            None => {
                self.entries.push(Entry { key, value: None, origin: Origin::Default });
                Ok(None)
            }
        }
    }

    fn read<T>(
        &mut self,
        key: Key,
        text: String,
        origin: Origin,
        parse: &dyn Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let value = parse(&text).map_err(|why| {
            Failure::usage(format!("{} = {text:?} ({origin}): {why}", key.name()))
        })?;
        self.entries.push(Entry { key, value: Some(text), origin });
        Ok(value)
    }

    fn find(&self, key: Key) -> Result<Option<(String, Origin)>, Failure> {
        if let Some(text) = self.flags.get(key) {
            return Ok(Some((text.to_owned(), Origin::Flag(key.flag()))));
        }
        let variable = key.variable();
        // An empty variable counts as absent: environment files leave such lines.
        if let Some(value) = (self.environment)(&variable).filter(|value| !value.is_empty()) {
            let text = value.into_string().map_err(|_| {
                Failure::usage(format!("environment {variable}: isn't valid UTF-8"))
            })?;
            return Ok(Some((text, Origin::Environment(variable))));
        }
        let Some(file) = self.file else { return Ok(None) };
        Ok(file
            .get(key)
            .map(|(text, line)| (text.to_owned(), Origin::File(file.path.clone(), line))))
    }
}

fn parse_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn parse_cluster(text: &str) -> Result<u128, String> {
    let wrong = || "must be 32 hexadecimal digits, not all 0".to_owned();
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    u128::from_str_radix(text, 16).ok().filter(|id| *id != 0).ok_or_else(wrong)
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be ADDRESS:PORT, such as 127.0.0.1:7400".to_owned())
}

fn parse_connect(text: &str) -> Result<String, String> {
    let wrong = || "must be HOST:PORT, such as ledger.example:7400".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || port == 0 { Err(wrong()) } else { Ok(text.to_owned()) }
}

fn parse_cores(text: &str) -> Result<usize, String> {
    let cores = usize::try_from(parse_whole(text)?).unwrap_or(usize::MAX);
    if (1..=PARTITIONS_MAX).contains(&cores) {
        Ok(cores)
    } else {
        Err(format!("must be from 1 to {PARTITIONS_MAX}"))
    }
}

fn parse_positive(text: &str) -> Result<u64, String> {
    match parse_whole(text)? {
        0 => Err("must be at least 1".to_owned()),
        number => Ok(number),
    }
}

fn parse_log(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("must be a level or a list of module=level: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CLUSTER: &str = "000000000000000000000000000000FF";

    fn flags(pairs: &[(Key, &str)]) -> Flags {
        let mut flags = Flags::default();
        for (key, value) in pairs {
            flags.put(*key, Some(&(*value).to_owned()));
        }
        flags
    }

    fn entry(settings: &Settings, key: Key) -> &Entry {
        settings.entries.iter().find(|entry| entry.key == key).unwrap()
    }

    #[test]
    fn defaults() {
        let settings = resolve(&Flags::default(), &|_| None, None).unwrap();
        assert_eq!(settings.data, PathBuf::from("./partita-data"));
        assert_eq!(settings.listen, "127.0.0.1:7400".parse().unwrap());
        assert_eq!(settings.log_writer, LogWriter::Direct);
        assert_eq!(settings.cores, None);
        assert_eq!(settings.connect_origin, Origin::Default);
        let keys: Vec<_> = settings.entries.iter().map(|entry| entry.key).collect();
        assert_eq!(keys, Key::ALL);
        assert!(settings.entries.iter().all(|entry| entry.origin == Origin::Default));
    }

    #[test]
    fn each_source_beats_the_next() {
        let file =
            ConfigFile::parse(Path::new("f"), "cores = 3\ndata = \"f\"\nlog = \"warn\"").unwrap();
        let environment = |name: &str| match name {
            "PARTITA_CORES" => Some(OsString::from("2")),
            "PARTITA_DATA" => Some(OsString::from("e")),
            "PARTITA_LISTEN" => Some(OsString::new()),
            _ => None,
        };
        let typed = flags(&[(Key::Cores, "1"), (Key::Connect, "db:1"), (Key::Cluster, CLUSTER)]);
        let settings = resolve(&typed, &environment, Some(&file)).unwrap();
        assert_eq!(settings.cores, Some(1));
        assert_eq!(settings.cluster, Some(0xff));
        assert_eq!(settings.data, PathBuf::from("e"));
        assert_eq!(settings.log.as_deref(), Some("warn"));
        assert_eq!(settings.connect_origin, Origin::Flag("--connect".to_owned()));
        assert_eq!(entry(&settings, Key::Cores).origin.to_string(), "flag --cores");
        assert_eq!(entry(&settings, Key::Data).origin.to_string(), "environment PARTITA_DATA");
        assert_eq!(entry(&settings, Key::Log).origin.to_string(), "file f:3");
        assert_eq!(entry(&settings, Key::Listen).origin, Origin::Default);
    }

    #[test]
    fn wrong_values_name_their_origin() {
        for (key, value) in [
            (Key::Data, ""),
            (Key::Cluster, "1"),
            (Key::Cluster, "00000000000000000000000000000000"),
            (Key::Cluster, "+0000000000000000000000000000001"),
            (Key::Listen, "localhost"),
            (Key::Listen, "127.0.0.1:70000"),
            (Key::Connect, "host"),
            (Key::Connect, ":7400"),
            (Key::Connect, "host:0"),
            (Key::Cores, "0"),
            (Key::Cores, "65"),
            (Key::Cores, "two"),
            (Key::LogWriter, "fast"),
            (Key::SegmentBytes, "1.5GiB"),
            (Key::AccountsMax, "0"),
            (Key::ConnectionsMax, "-1"),
            (Key::Log, "partita=shout"),
            (Key::LogFormat, "xml"),
        ] {
            let failure = resolve(&flags(&[(key, value)]), &|_| None, None).unwrap_err();
            let message = failure.message.unwrap();
            assert!(message.contains(&format!("flag {}", key.flag())), "{message}");
            if value.is_empty() {
                continue;
            }
            let variable = key.variable();
            let failure = resolve(
                &Flags::default(),
                &|name| (name == variable).then(|| OsString::from(value)),
                None,
            )
            .unwrap_err();
            assert!(failure.message.unwrap().contains(&variable));
        }
    }
}
