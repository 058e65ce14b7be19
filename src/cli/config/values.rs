//! The values of settings that have a form of their own.

/// How the log reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogWriter {
    /// Writes around the page cache, each durable when it returns.
    Direct,
    /// Stores into a mapped segment, made durable by a sync.
    Mapped,
}

impl LogWriter {
    /// The name, as in flags and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Mapped => "mapped",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "direct" => Ok(Self::Direct),
            "mapped" => Ok(Self::Mapped),
            _ => Err("must be direct or mapped".to_owned()),
        }
    }
}

/// How the program logs about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One line of text each.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }
}

/// A size in bytes: digits, optionally with `_`, and one of the units KiB, MiB, GiB.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number = parse_whole(digits)?;
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}: use KiB, MiB or GiB")),
    };
    number.checked_mul(factor).ok_or_else(|| "is too large".to_owned())
}

/// A whole number of decimal digits, optionally grouped with `_`.
pub(super) fn parse_whole(text: &str) -> Result<u64, String> {
    let digits: String = text.trim().chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("must be a whole number".to_owned());
    }
    digits.parse().map_err(|_| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_and_without_units() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("67_108_864"), Ok(64 << 20));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1 GiB"), Ok(1 << 30));
        for bad in ["", "MiB", "-1", "1.5MiB", "64MB", "99999999999999999999", "17179869184GiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_round_trip() {
        for writer in [LogWriter::Direct, LogWriter::Mapped] {
            assert_eq!(LogWriter::parse(writer.name()), Ok(writer));
        }
        assert_eq!(LogFormat::parse("json"), Ok(LogFormat::Json));
        assert!(LogWriter::parse("Direct").is_err());
        assert!(LogFormat::parse("xml").is_err());
    }
}
