//! The configuration file: flat TOML, every key known, every value with its line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::key::Key;
use crate::cli::exit::Failure;

/// A configuration file, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// Where it lies.
    pub path: PathBuf,
    values: BTreeMap<Key, (String, usize)>,
}

impl ConfigFile {
    /// Reads the file that was asked for, or else the first of the usual places that has one.
    ///
    /// A file that was asked for must exist; the usual places may be empty.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Option<Self>, Failure> {
        if let Some(path) = asked {
            return Self::load(path).map(Some);
        }
        for place in ["./partita.toml", "/etc/partita/partita.toml"] {
            let path = Path::new(place);
            if path.is_file() {
                return Self::load(path).map(Some);
            }
        }
        Ok(None)
    }

    fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::unreadable(&path.display(), &error))?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Failure::usage(format!("{}:{line}: {}", path.display(), error.message()))
        })?;
        let mut values = BTreeMap::new();
        for (name, value) in table.get_ref() {
            let line = line_of(text, name.span().start);
            let at = |what: String| Failure::usage(format!("{}:{line}: {what}", path.display()));
            let key = Key::from_name(name.get_ref()).ok_or_else(|| {
                let known: Vec<_> = Key::ALL.iter().map(|key| key.name()).collect();
                at(format!("unknown key `{}`; known are {}", name.get_ref(), known.join(", ")))
            })?;
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                other => {
                    let found = other.type_str();
                    return Err(at(format!(
                        "`{}` must be a string or a decimal whole number, not {found}",
                        key.name()
                    )));
                }
            };
            values.insert(key, (text, line));
        }
        Ok(Self { path: path.to_owned(), values })
    }

    /// The value of a setting as text, with its line.
    pub(super) fn get(&self, key: Key) -> Option<(&str, usize)> {
        self.values.get(&key).map(|(text, line)| (text.as_str(), *line))
    }
}

/// The line, from 1, of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("p.toml"), text).map_err(|f| f.message.unwrap_or_default())
    }

    #[test]
    fn values_keep_their_lines() {
        let file = parse("# where\ndata = \"/var/ledger\"\n\ncores = 2\n").unwrap();
        assert_eq!(file.get(Key::Data), Some(("/var/ledger", 2)));
        assert_eq!(file.get(Key::Cores), Some(("2", 4)));
        assert_eq!(file.get(Key::Listen), None);
    }

    #[test]
    fn an_unknown_key_names_file_line_and_key() {
        let message = parse("data = \"x\"\nlogwriter = \"direct\"\n").unwrap_err();
        assert!(message.starts_with("p.toml:2: unknown key `logwriter`"), "{message}");
        assert!(message.contains("log_writer"), "{message}");
        let message = parse("[server]\ndata = \"x\"\n").unwrap_err();
        assert!(message.starts_with("p.toml:1: unknown key `server`"), "{message}");
    }

    #[test]
    fn wrong_types_and_broken_syntax_name_the_line() {
        for (text, start) in [
            ("\ncores = 1.5\n", "p.toml:2: `cores` must be"),
            ("cores = [1]\n", "p.toml:1: `cores` must be"),
            ("cores = 0x10\n", "p.toml:1: `cores` must be"),
            ("data = \"a\"\ncores = = 3\n", "p.toml:2: "),
            ("data = \"a\"\ndata = \"b\"\n", "p.toml:2: duplicate key"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(start), "{text:?}: {message}");
        }
    }

    #[test]
    fn a_file_that_was_asked_for_must_exist() {
        let error = ConfigFile::find(Some(Path::new("/nonexistent/p.toml"))).unwrap_err();
        assert_eq!(error.exit, crate::cli::exit::Exit::Unavailable);
    }
}
