//! Decimal text to whole minor units, exactly. There is no float anywhere on the way.

/// How amounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmountFormat {
    /// Decimal places of the minor unit: 2 turns `12.30` into 1230.
    pub scale: u32,
    /// What separates whole units from their parts.
    pub decimal: char,
    /// What groups the whole digits, if anything.
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
    /// Reads an amount.
    ///
    /// # Errors
    /// Why the text isn't one. Zeros beyond the scale are no loss and are allowed.
    pub(crate) fn parse(&self, text: &str) -> Result<Amount, AmountError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AmountError::Empty);
        }
        let mut reading = Reading { minor: 0, digits: 0, places: None };
        let mut negative = false;
        for (index, c) in text.chars().enumerate() {
            match c {
                '-' if index == 0 => negative = true,
                '+' if index == 0 => {}
                _ if c == self.decimal && reading.places.is_none() => reading.places = Some(0),
                _ if Some(c) == self.grouping && reading.digits > 0 && reading.places.is_none() => {
                }
                _ => {
                    let digit = c.to_digit(10).ok_or(AmountError::Character(c, index + 1))?;
                    reading.digit(digit, self.scale)?;
                }
            }
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
}

struct Reading {
    minor: u128,
    digits: u32,
    places: Option<u32>,
}

impl Reading {
    fn digit(&mut self, digit: u32, scale: u32) -> Result<(), AmountError> {
        self.digits += 1;
        if let Some(places) = &mut self.places {
            if *places >= scale {
                return if digit == 0 { Ok(()) } else { Err(AmountError::TooPrecise(scale)) };
            }
            *places += 1;
        }
        self.append(digit)
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

    const CZK: AmountFormat = AmountFormat { scale: 2, decimal: '.', grouping: None };
    const GERMAN: AmountFormat = AmountFormat { scale: 2, decimal: ',', grouping: Some('.') };

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
        assert_eq!(GERMAN.parse(".5"), Err(AmountError::Character('.', 1)));
        assert_eq!(GERMAN.parse("1,2.3"), Err(AmountError::Character('.', 4)));
        assert_eq!(CZK.parse(&u128::MAX.to_string()), Err(AmountError::TooLarge));
        let whole = AmountFormat { scale: 0, ..CZK };
        assert_eq!(whole.parse(&u128::MAX.to_string()), Err(AmountError::TooLarge));
        assert_eq!(whole.parse(&(u128::MAX - 1).to_string()), plus(u128::MAX - 1));
    }

    #[test]
    fn formatting_and_parsing_round_trip() {
        let mut minor: u128 = 1;
        for step in 0_u32..120 {
            for scale in [0, 1, 2, 3, 8] {
                let format = AmountFormat { scale, ..GERMAN };
                let amount = Amount { negative: step % 2 == 1, minor };
                assert_eq!(format.parse(&format.format(amount)), Ok(amount));
            }
            minor = minor.wrapping_mul(3).wrapping_add(u128::from(step)) % (u128::MAX / 4) + 1;
        }
    }
}
