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
/// comma goes on in the next one.
pub(crate) fn tokens(text: &str) -> Vec<(Token<'_>, Range<usize>)> {
    let mut found: Vec<(Token<'_>, Range<usize>)> = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let token = match c {
            '=' => Token::Equals,
            ',' => Token::Comma,
            ';' => Token::End,
            '\n' if matches!(found.last(), Some((Token::Comma, _))) => continue,
            '\n' => Token::End,
            '#' => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
                continue;
            }
            c if c.is_whitespace() => continue,
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

/// Whether a character goes on with a word.
fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '=' | ',' | ';' | '#')
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
}
