//! Dates as text, by a pattern, to nanoseconds and back. All times are UTC.

/// A date pattern, such as `%y%m%d` or `%Y-%m-%d %H:%M:%S`.
///
/// `%Y` four-digit year, `%y` two digits (69–99 are 1969–1999, 00–68 are 2000–2068, as POSIX
/// reads them), `%m`, `%d`, `%H`, `%M`, `%S` two digits each, `%f` one to nine digits of a second's
/// fraction, `%%` a percent sign. Anything else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(char),
    Year4,
    Year2,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
}

/// A moment of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    nanosecond: i64,
}

impl DatePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut characters = pattern.chars();
        while let Some(c) = characters.next() {
            let part = if c == '%' {
                match characters.next() {
                    Some('Y') => Part::Year4,
                    Some('y') => Part::Year2,
                    Some('m') => Part::Month,
                    Some('d') => Part::Day,
                    Some('H') => Part::Hour,
                    Some('M') => Part::Minute,
                    Some('S') => Part::Second,
                    Some('f') => Part::Fraction,
                    Some('%') => Part::Literal('%'),
                    Some(other) => return Err(format!("unknown element %{other}")),
                    None => return Err("ends in a lone %".to_owned()),
                }
            } else {
                Part::Literal(c)
            };
            parts.push(part);
        }
        let years = parts.iter().filter(|p| matches!(p, Part::Year4 | Part::Year2)).count();
        let count = |part| parts.iter().filter(|p| **p == part).count();
        if years != 1 || count(Part::Month) != 1 || count(Part::Day) != 1 {
            return Err("must name year, month and day once each".to_owned());
        }
        Ok(Self { parts })
    }

    /// Reads a date.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse(&self, text: &str) -> Result<Moment, String> {
        let mut rest = text.trim();
        let mut moment = Moment { year: 0, month: 1, day: 1, second_of_day: 0, nanosecond: 0 };
        for part in &self.parts {
            match part {
                Part::Literal(c) => {
                    rest = rest.strip_prefix(*c).ok_or_else(|| format!("lacks {c:?}"))?;
                }
                Part::Year4 => moment.year = digits(&mut rest, 4, "year")?,
                Part::Year2 => {
                    let short = digits(&mut rest, 2, "year")?;
                    moment.year = if short < 69 { 2000 + short } else { 1900 + short };
                }
                Part::Month => moment.month = bounded(&mut rest, "month", 1, 12)?,
                Part::Day => moment.day = bounded(&mut rest, "day", 1, 31)?,
                Part::Hour => moment.second_of_day += 3600 * bounded(&mut rest, "hour", 0, 23)?,
                Part::Minute => moment.second_of_day += 60 * bounded(&mut rest, "minute", 0, 59)?,
                Part::Second => moment.second_of_day += bounded(&mut rest, "second", 0, 59)?,
                Part::Fraction => moment.nanosecond = fraction(&mut rest)?,
            }
        }
        if !rest.is_empty() {
            return Err(format!("has {rest:?} after its end"));
        }
        if moment.day > days_of_month(moment.year, moment.month) {
            return Err(format!("month {} has no day {}", moment.month, moment.day));
        }
        Ok(moment)
    }
}

/// Nanoseconds since the Unix epoch as a time that [`parse_timestamp`] reads back.
pub(crate) fn format_timestamp(nanoseconds: u64) -> String {
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970_i64;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1_i64;
    while let Ok(length) = u64::try_from(days_of_month(year, month))
        && days >= length
    {
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let day = days + 1;
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// Nanoseconds since the Unix epoch: as such, or as a day or a time of RFC 3339 in UTC.
pub(crate) fn parse_timestamp(text: &str) -> Result<u64, String> {
    if !text.contains('-') {
        let digits = text.replace('_', "");
        return digits.parse().map_err(|_| "must be nanoseconds or a time in UTC".to_owned());
    }
    let plain = text.strip_suffix('Z').unwrap_or(text);
    let pattern = match (plain.contains('T'), plain.contains('.')) {
        (false, _) => "%Y-%m-%d",
        (true, false) => "%Y-%m-%dT%H:%M:%S",
        (true, true) => "%Y-%m-%dT%H:%M:%S.%f",
    };
    let moment = DatePattern::new(pattern)?.parse(plain)?;
    moment.nanoseconds().ok_or_else(|| "must lie in 1970 or later".to_owned())
}

const fn days_of_year(year: i64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn digits(rest: &mut &str, count: usize, what: &str) -> Result<i64, String> {
    let taken = rest.get(..count).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let taken = taken.ok_or_else(|| format!("lacks {count} digits of the {what}"))?;
    *rest = &rest[count..];
    taken.parse().map_err(|_| format!("the {what} is no number"))
}

fn bounded(rest: &mut &str, what: &str, min: i64, max: i64) -> Result<i64, String> {
    let number = digits(rest, 2, what)?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(format!("there is no {what} {number}"))
    }
}

fn fraction(rest: &mut &str) -> Result<i64, String> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if !(1..=9).contains(&end) {
        return Err("needs one to nine digits of a fraction".to_owned());
    }
    let text = format!("{:0<9}", &rest[..end]);
    *rest = &rest[end..];
    text.parse().map_err(|_| "the fraction is no number".to_owned())
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Moment {
    /// The calendar day as a number of eight digits, such as 19930105.
    pub(crate) fn day_number(self) -> u64 {
        // The pattern admits only years from 0 to 9999.
        u64::try_from(self.year * 10_000 + self.month * 100 + self.day).unwrap_or(0)
    }

    /// Nanoseconds since the Unix epoch, none before it or from 2^63 on.
    pub(crate) fn nanoseconds(self) -> Option<u64> {
        let seconds = self.days_since_epoch() * 86_400 + self.second_of_day;
        let nanoseconds = seconds.checked_mul(1_000_000_000)?.checked_add(self.nanosecond)?;
        u64::try_from(nanoseconds).ok()
    }

    /// Counts whole years by their leap days and then the months before this one.
    fn days_since_epoch(self) -> i64 {
        let before = |year: i64| {
            let last = year - 1;
            365 * year + last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
        };
        let months: i64 = (1..self.month).map(|month| days_of_month(self.year, month)).sum();
        before(self.year) - before(1970) + months + self.day - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pattern: &str, text: &str) -> Result<Moment, String> {
        DatePattern::new(pattern).unwrap().parse(text)
    }

    #[test]
    fn days_of_the_bank_file() {
        let day = parse("%y%m%d", "930101").unwrap();
        assert_eq!(day.day_number(), 19_930_101);
        assert_eq!(day.nanoseconds(), Some(725_846_400_000_000_000));
        assert_eq!(parse("%y%m%d", "000229").unwrap().day_number(), 20_000_229);
    }

    #[test]
    fn times_with_fractions() {
        let moment = parse("%Y-%m-%dT%H:%M:%S.%fZ", "2026-11-22T17:21:11.25Z").unwrap();
        assert_eq!(moment.nanoseconds(), Some(1_795_368_071_250_000_000));
        let epoch = parse("%d.%m.%Y", "01.01.1970").unwrap();
        assert_eq!(epoch.nanoseconds(), Some(0));
        assert_eq!(parse("%d.%m.%Y", "31.12.1969").unwrap().nanoseconds(), None);
        assert_eq!(parse("%Y%m%d", "99991231").unwrap().nanoseconds(), None);
    }

    #[test]
    fn consecutive_days_are_a_day_apart() {
        let pattern = DatePattern::new("%Y%m%d").unwrap();
        let mut expected = 0;
        for year in 1970..2110 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month) {
                    let moment = pattern.parse(&format!("{year}{month:02}{day:02}")).unwrap();
                    assert_eq!(moment.days_since_epoch(), expected);
                    expected += 1;
                }
            }
        }
        assert_eq!(expected, 51_134);
    }

    #[test]
    fn timestamps_round_trip() {
        assert_eq!(format_timestamp(0), "1970-01-01T00:00:00.000000000Z");
        let shown = format_timestamp(1_795_368_071_250_000_000);
        assert_eq!(shown, "2026-11-22T17:21:11.250000000Z");
        let mut nanoseconds = 1;
        while nanoseconds < 1 << 62 {
            assert_eq!(parse_timestamp(&format_timestamp(nanoseconds)), Ok(nanoseconds));
            nanoseconds = nanoseconds * 3 + 86_399_999_999_999;
        }
        assert_eq!(parse_timestamp("1970-01-02"), Ok(86_400_000_000_000));
        assert_eq!(parse_timestamp("1970-01-01T00:01:00"), Ok(60_000_000_000));
        assert_eq!(parse_timestamp("12_000"), Ok(12_000));
        for bad in ["", "yesterday", "1969-12-31", "1970-01-01T25:00:00", "-1"] {
            assert!(parse_timestamp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wrong_dates() {
        for text in ["", "93010", "9301011", "931301", "930132", "930229", "93o101", "930100"] {
            assert!(parse("%y%m%d", text).is_err(), "{text}");
        }
        assert!(parse("%Y-%m-%d", "1993/01/01").is_err());
        assert!(parse("%Y-%m-%d %f", "1993-01-01 ").is_err());
        assert!(parse("%Y-%m-%d", "é993-01-01").is_err());
    }

    #[test]
    fn wrong_patterns() {
        for pattern in ["", "%Y-%m", "%Y%m%d%d", "%y%Y%m%d", "%Y%m%q", "%Y%m%d%"] {
            assert!(DatePattern::new(pattern).is_err(), "{pattern}");
        }
        assert!(DatePattern::new("%%%Y%m%d").is_ok());
    }
}
