//! Decimal text to whole minor units, exactly. There is no float anywhere on the way.

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmountFormat {
    /// Decimal places of the minor unit: 2 turns `12.30` into 1230.
    pub scale: u32,
    /// What separates whole units from their parts.
    pub decimal: char,
    /// Whether the mapping says so itself. Where it doesn't, `1.000` could be a thousand.
    pub decimal_declared: bool,
    /// What groups the whole digits by three, if anything.
    pub grouping: Option<char>,
}

/// An amount with its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Whether the text had a minus sign. Never on zero.
    pub negative: bool,
    /// In minor units.
    pub minor: u128,
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AmountError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Something that isn't a digit, a sign or a separator in its place.
    #[error("has {0:?} at position {1}, where a digit belongs")]
    Character(char, usize),
    /// A grouping sign somewhere else than between groups of three digits.
    #[error("has {0:?} at position {1}, which does not group three digits")]
    Group(char, usize),
    /// Nobody said whether the sign is a decimal or a grouping one, and it could be either.
    #[error(
        "has exactly three digits after {0:?}, which could be thousands; if they are decimal places, \
         say amount.decimal = \"{0}\" in the mapping"
    )]
    Ambiguous(char),
    /// A sign or separators, but no digit.
    #[error("has no digit")]
    NoDigit,
    /// Parts smaller than the minor unit would be lost.
    #[error("has more than {0} decimal places")]
    TooPrecise(u32),
    /// More than 128 bits, or the value that stands for "all".
    #[error("is too large")]
    TooLarge,
}

impl AmountFormat {
    /// Checks that the signs can be told apart from digits, from a minus and from each other.
    ///
    /// # Errors
    /// The key of the mapping and what is wrong there.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.scale > 30 {
            return Err("amount.scale: must be at most 30".to_owned());
        }
        let signs = [("decimal", Some(self.decimal)), ("grouping", self.grouping)];
        for (key, sign) in signs.into_iter().filter_map(|(key, sign)| Some((key, sign?))) {
            if sign.is_alphanumeric() || matches!(sign, '-' | '+') || sign.is_control() {
                return Err(format!(
                    "amount.{key}: {sign:?} can't be told from an amount's own characters; \
                     use one such as \".\", \",\" or \"'\""
                ));
            }
        }
        if self.grouping == Some(self.decimal) {
            return Err(format!(
                "amount.grouping: {:?} is the decimal sign, too; with grouping = \".\" say \
                 decimal = \",\"",
                self.decimal
            ));
        }
        Ok(())
    }

    /// Reads an amount.
    ///
    /// # Errors
    /// Why the text isn't one. Zeros beyond the scale are no loss and are allowed.
    pub(crate) fn parse(&self, text: &str) -> Result<Amount, AmountError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AmountError::Empty);
        }
        let mut reading = Reading::default();
        let mut negative = false;
        for (index, c) in text.chars().enumerate() {
            match c {
                '-' if index == 0 => negative = true,
                '+' if index == 0 => {}
                _ if c == self.decimal && reading.places.is_none() => {
                    reading.end_group()?;
                    reading.places = Some(0);
                }
                _ if Some(c) == self.grouping && reading.places.is_none() => {
                    reading.start_group(c, index + 1)?;
                }
                _ => {
                    let digit = c.to_digit(10).ok_or(AmountError::Character(c, index + 1))?;
                    reading.digit(digit, self.scale)?;
                }
            }
        }
        if !self.decimal_declared && self.scale < 3 && reading.looks_grouped() {
            return Err(AmountError::Ambiguous(self.decimal));
        }
        let minor = reading.finish(self.scale)?;
        Ok(Amount { negative: negative && minor != 0, minor })
    }

    /// Writes minor units as a decimal text that [`Self::parse`] reads back.
    #[cfg(test)]
    fn format(&self, amount: Amount) -> String {
        let places = usize::try_from(self.scale).unwrap();
        let digits = format!("{:0>width$}", amount.minor, width = places + 1);
        let (whole, parts) = digits.split_at(digits.len() - places);
        let sign = if amount.negative { "-" } else { "" };
        if places == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}{}{parts}", self.decimal)
    }

    /// The same with its grouping signs.
    #[cfg(test)]
    fn grouped(&self, amount: Amount) -> String {
        let plain = self.format(amount);
        let whole_end = plain.find(self.decimal).unwrap_or(plain.len());
        let start = usize::from(amount.negative);
        let mut text = plain[..start].to_owned();
        for (index, c) in plain[start..whole_end].chars().enumerate() {
            if index > 0 && (whole_end - start - index).is_multiple_of(3) {
                text.extend(self.grouping);
            }
            text.push(c);
        }
        text + &plain[whole_end..]
    }
}

#[derive(Default)]
struct Reading {
    minor: u128,
    digits: u32,
    /// Digits since the last grouping sign, or since the start.
    in_group: u32,
    /// The last grouping sign and its position.
    group: Option<(char, usize)>,
    /// Whether the first digit is a zero.
    leading_zero: bool,
    /// Digits after the decimal sign, once it was met.
    places: Option<u32>,
}

impl Reading {
    fn digit(&mut self, digit: u32, scale: u32) -> Result<(), AmountError> {
        self.leading_zero |= self.digits == 0 && digit == 0;
        self.digits += 1;
        if let Some(places) = &mut self.places {
            *places += 1;
            if *places > scale {
                return if digit == 0 { Ok(()) } else { Err(AmountError::TooPrecise(scale)) };
            }
        } else {
            self.in_group += 1;
        }
        self.append(digit)
    }

    /// A grouping sign: one to three digits lie before the first, exactly three before each other.
    fn start_group(&mut self, sign: char, position: usize) -> Result<(), AmountError> {
        self.end_group()?;
        if !(1..=3).contains(&self.in_group) {
            return Err(AmountError::Group(sign, position));
        }
        self.group = Some((sign, position));
        self.in_group = 0;
        Ok(())
    }

    /// The end of the whole digits, or of one group of them.
    const fn end_group(&self) -> Result<(), AmountError> {
        match self.group {
            Some((sign, position)) if self.in_group != 3 => Err(AmountError::Group(sign, position)),
            _ => Ok(()),
        }
    }

    /// Whether the decimal sign stands where a grouping sign of thousands would.
    fn looks_grouped(&self) -> bool {
        self.places == Some(3)
            && self.group.is_none()
            && (1..=3).contains(&self.in_group)
            && !self.leading_zero
    }

    fn append(&mut self, digit: u32) -> Result<(), AmountError> {
        let shifted = self.minor.checked_mul(10).ok_or(AmountError::TooLarge)?;
        self.minor = shifted.checked_add(u128::from(digit)).ok_or(AmountError::TooLarge)?;
        Ok(())
    }

    fn finish(mut self, scale: u32) -> Result<u128, AmountError> {
        if self.digits == 0 {
            return Err(AmountError::NoDigit);
        }
        if self.places.is_none() {
            self.end_group()?;
        }
        for _ in self.places.unwrap_or(0)..scale {
            self.append(0)?;
        }
        // The largest value means "the whole hold" in some transfers and is never an amount.
        if self.minor == u128::MAX { Err(AmountError::TooLarge) } else { Ok(self.minor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CZK: AmountFormat =
        AmountFormat { scale: 2, decimal: '.', decimal_declared: false, grouping: None };
    const GERMAN: AmountFormat =
        AmountFormat { scale: 2, decimal: ',', decimal_declared: true, grouping: Some('.') };
    const ENGLISH: AmountFormat = AmountFormat { grouping: Some(','), ..CZK };

    fn plus(minor: u128) -> Result<Amount, AmountError> {
        Ok(Amount { negative: false, minor })
    }

    #[test]
    fn exact_amounts() {
        assert_eq!(CZK.parse("700.00"), plus(70_000));
        assert_eq!(CZK.parse("18.9"), plus(1_890));
        assert_eq!(CZK.parse(" 7 "), plus(700));
        assert_eq!(CZK.parse("+.5"), plus(50));
        assert_eq!(CZK.parse("5."), plus(500));
        assert_eq!(CZK.parse("0.1000"), plus(10));
        assert_eq!(CZK.parse("-0.30"), Ok(Amount { negative: true, minor: 30 }));
        assert_eq!(CZK.parse("-0.00"), plus(0));
        assert_eq!(GERMAN.parse("1.234.567,89"), plus(123_456_789));
        assert_eq!(AmountFormat { scale: 0, ..CZK }.parse("12"), plus(12));
        // As a float this sum would already have lost its last digits.
        assert_eq!(CZK.parse("90071992547409931.07"), plus(9_007_199_254_740_993_107));
    }

    #[test]
    fn what_is_no_amount_says_why() {
        assert_eq!(CZK.parse(""), Err(AmountError::Empty));
        assert_eq!(CZK.parse("."), Err(AmountError::NoDigit));
        assert_eq!(CZK.parse("-"), Err(AmountError::NoDigit));
        assert_eq!(CZK.parse("1.001"), Err(AmountError::TooPrecise(2)));
        assert_eq!(CZK.parse("1,00"), Err(AmountError::Character(',', 2)));
        assert_eq!(CZK.parse("1.0.0"), Err(AmountError::Character('.', 4)));
        assert_eq!(CZK.parse("1-"), Err(AmountError::Character('-', 2)));
        assert_eq!(CZK.parse("1e3"), Err(AmountError::Character('e', 2)));
        assert_eq!(GERMAN.parse(".5"), Err(AmountError::Group('.', 1)));
        assert_eq!(GERMAN.parse("1,2.3"), Err(AmountError::Character('.', 4)));
        assert_eq!(CZK.parse(&u128::MAX.to_string()), Err(AmountError::TooLarge));
        let whole = AmountFormat { scale: 0, ..CZK };
        assert_eq!(whole.parse(&u128::MAX.to_string()), Err(AmountError::TooLarge));
        assert_eq!(whole.parse(&(u128::MAX - 1).to_string()), plus(u128::MAX - 1));
    }

    #[test]
    fn a_grouping_sign_stands_only_where_groups_are() {
        // Reported: `12,50` was booked as 1,250.00, with exit status 0.
        for (format, text, sign, position) in [
            (ENGLISH, "12,50", ',', 3),
            (ENGLISH, "1,400,00.00", ',', 6),
            (ENGLISH, "5,", ',', 2),
            (ENGLISH, "1234,567", ',', 5),
            (ENGLISH, "1,2345", ',', 2),
            (ENGLISH, "1,,234", ',', 2),
            (ENGLISH, "-,234", ',', 2),
            (ENGLISH, "1,234,.5", ',', 6),
            (ENGLISH, "1,23.45", ',', 2),
            (GERMAN, "12.50", '.', 3),
            (GERMAN, "1.23,45", '.', 2),
        ] {
            assert_eq!(format.parse(text), Err(AmountError::Group(sign, position)), "{text}");
        }
        assert_eq!(ENGLISH.parse("1.234,5"), Err(AmountError::TooPrecise(2)));
        assert_eq!(ENGLISH.parse("1,234,567.8"), plus(123_456_780));
        assert_eq!(ENGLISH.parse("-12,345"), Ok(Amount { negative: true, minor: 1_234_500 }));
        assert_eq!(ENGLISH.parse("1234567.89"), plus(123_456_789));
    }

    #[test]
    fn a_thousand_is_not_one_because_nobody_named_the_decimal_sign() {
        assert_eq!(CZK.parse("1.000"), Err(AmountError::Ambiguous('.')));
        assert_eq!(CZK.parse("-12.500"), Err(AmountError::Ambiguous('.')));
        assert_eq!(
            AmountFormat { scale: 0, ..CZK }.parse("250.000"),
            Err(AmountError::Ambiguous('.'))
        );
        for certain in ["0.500", "1000.000", "1.0000", ".500"] {
            assert!(CZK.parse(certain).is_ok(), "{certain}");
        }
        assert_eq!(AmountFormat { scale: 3, ..CZK }.parse("1.000"), plus(1_000));
        assert_eq!(AmountFormat { decimal_declared: true, ..CZK }.parse("1.000"), plus(100));
        assert_eq!(ENGLISH.parse("1,000.000"), plus(100_000));
    }

    #[test]
    fn signs_that_cannot_be_told_apart_are_refused() {
        for (format, key) in [
            (AmountFormat { grouping: Some('.'), ..CZK }, "amount.grouping"),
            (AmountFormat { grouping: Some('0'), ..CZK }, "amount.grouping"),
            (AmountFormat { grouping: Some('-'), ..CZK }, "amount.grouping"),
            (AmountFormat { decimal: '5', ..CZK }, "amount.decimal"),
            (AmountFormat { decimal: '+', ..CZK }, "amount.decimal"),
            (AmountFormat { scale: 31, ..CZK }, "amount.scale"),
        ] {
            let why = format.check().unwrap_err();
            assert!(why.starts_with(key), "{why}");
        }
        for grouping in [None, Some(','), Some(' '), Some('\''), Some('\u{a0}')] {
            assert_eq!(AmountFormat { grouping, ..CZK }.check(), Ok(()));
        }
    }

    #[test]
    fn one_wrong_edit_of_a_grouped_amount_never_moves_its_signs_silently() {
        // Every way to move, drop or repeat one sign: what is still read has signs in the right places,
        // that is, it is what the format itself writes for that value.
        for minor in [5_u128, 1_250, 123_456, 12_345_678, 1_234_567_890, 999_999_999_999] {
            let grouped = ENGLISH.grouped(Amount { negative: minor % 2 == 1, minor });
            assert_eq!(ENGLISH.parse(&grouped).map(|a| a.minor), Ok(minor), "{grouped}");
            for at in 0..grouped.len() {
                for sign in [",", ".", ""] {
                    for until in [at, at + 1] {
                        let edited = format!("{}{sign}{}", &grouped[..at], &grouped[until..]);
                        let Ok(amount) = ENGLISH.parse(&edited) else { continue };
                        let plain = edited.replace(',', "");
                        assert_eq!(CZK.parse(&plain), Ok(amount), "{edited}");
                        let whole = edited.trim_start_matches('-').split('.').next().unwrap();
                        let groups: Vec<_> = whole.split(',').collect();
                        let (first, rest) = groups.split_first().unwrap();
                        assert!(rest.is_empty() || (1..=3).contains(&first.len()), "{edited}");
                        assert!(rest.iter().all(|group| group.len() == 3), "{edited}");
                    }
                }
            }
        }
    }

    #[test]
    fn formatting_and_parsing_round_trip() {
        let mut minor: u128 = 1;
        for step in 0_u32..120 {
            for scale in [0, 1, 2, 3, 8] {
                let format = AmountFormat { scale, ..GERMAN };
                let amount = Amount { negative: step % 2 == 1, minor };
                assert_eq!(format.parse(&format.format(amount)), Ok(amount));
                assert_eq!(format.parse(&format.grouped(amount)), Ok(amount));
            }
            minor = minor.wrapping_mul(3).wrapping_add(u128::from(step)) % (u128::MAX / 4) + 1;
        }
    }
}
