//! Text to tokens, each with its place.

use std::ops::Range;

/// A piece of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// An operation, a field or a value.
    Word(&'a str),
    /// `=`.
    Equals,
    /// `,` between events.
    Comma,
    /// `;` or the end of a line.
    End,
}

/// Cuts text into tokens. `#` starts a comment up to the end of its line. A line that ends in a
/// comma goes on in the next one. Byte order marks and invisible spaces, which editors and web
/// pages leave behind, separate words like any blank.
pub(crate) fn tokens(text: &str) -> Vec<(Token<'_>, Range<usize>)> {
    let mut found: Vec<(Token<'_>, Range<usize>)> = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let token = match c {
            '=' => Token::Equals,
            ',' => Token::Comma,
            ';' => Token::End,
            '\n' | '\r' if matches!(found.last(), Some((Token::Comma, _))) => continue,
            '\n' | '\r' => Token::End,
            '#' => {
                while rest.next_if(|(_, c)| !matches!(c, '\n' | '\r')).is_some() {}
                continue;
            }
            c if is_blank(c) => continue,
            _ => {
                let mut end = start + c.len_utf8();
                while let Some((at, c)) = rest.next_if(|(_, c)| is_word(*c)) {
                    end = at + c.len_utf8();
                }
                found.push((Token::Word(&text[start..end]), start..end));
                continue;
            }
        };
        found.push((token, start..start + c.len_utf8()));
    }
    found
}

/// Whether a character only separates others. A control character that a paste brought along is no
/// part of a word, either.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
}

/// Whether a character goes on with a word.
fn is_word(c: char) -> bool {
    !is_blank(c) && !matches!(c, '=' | ',' | ';' | '#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_places() {
        let found = tokens("a-b id=1,\n x = é; # c ; d\nend");
        let expected = [
            (Token::Word("a-b"), 0..3),
            (Token::Word("id"), 4..6),
            (Token::Equals, 6..7),
            (Token::Word("1"), 7..8),
            (Token::Comma, 8..9),
            (Token::Word("x"), 11..12),
            (Token::Equals, 13..14),
            (Token::Word("é"), 15..17),
            (Token::End, 17..18),
            (Token::End, 26..27),
            (Token::Word("end"), 27..30),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_editors_and_pastes_leave_behind_only_separates_words() {
        let words = |text| -> Vec<_> { tokens(text).into_iter().map(|(token, _)| token).collect() };
        let expected = words("a id=1,\nid=2\nb\n");
        for text in [
            "\u{feff}a id=1,\nid=2\nb\n",
            "a id=1,\rid=2\rb\r",
            "a\u{a0}id=1,\u{200b}\nid=2\nb\u{1b}\n",
            "a id=1, # the first\rid=2 # and\u{fffd}\rb\n",
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
        assert_eq!(words("a\r\nb"), words("a\n\nb"));
    }
}
