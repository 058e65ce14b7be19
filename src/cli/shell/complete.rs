//! Completion: operations, then their fields, then the words of a field.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::fields::value_words;
use super::help::{codes, fields};
use super::lexer::{Token, tokens};
use super::operations::OPERATIONS;

/// What rustyline asks while a line is typed.
#[derive(Debug, Default)]
pub(crate) struct ShellHelper;

/// Where the word at the end of `line` starts, and what it can become.
fn candidates(line: &str) -> (usize, Vec<String>) {
    let all = tokens(line);
    let statement = all.iter().rposition(|(token, _)| *token == Token::End).map_or(0, |at| at + 1);
    let statement = &all[statement..];
    let (typed, start, before) = match statement.split_last() {
        Some(((Token::Word(word), place), before)) if place.end == line.len() => {
            (*word, place.start, before)
        }
        _ => ("", line.len(), statement),
    };
    let Some((Token::Word(operation), _)) = before.first() else {
        let names = OPERATIONS.iter().map(|(name, _)| format!("{name} "));
        return (start, names.filter(|name| name.starts_with(typed)).collect());
    };
    if let [.., (Token::Word(field), _), (Token::Equals, _)] = before {
        // Of flags only the part after the last bar is still being typed.
        let part = typed.rfind('|').map_or(0, |at| at + 1);
        let words = value_words(operation, field).into_iter();
        let words = words.filter(|word| word.starts_with(&typed[part..])).map(str::to_owned);
        return (start + part, words.collect());
    }
    let event = before.iter().rposition(|(token, _)| *token == Token::Comma).unwrap_or(0);
    let is_set = |name: &str| before[event..].iter().any(|(token, _)| *token == Token::Word(name));
    let names = if *operation == "help" {
        let operations = OPERATIONS.iter().map(|(name, _)| *name);
        let mut names: Vec<_> = operations.chain(codes()).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    } else {
        let free = fields(operation).iter().filter(|name| !is_set(name));
        free.map(|name| format!("{name}=")).collect()
    };
    (start, names.into_iter().filter(|name| name.starts_with(typed)).collect())
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = candidates(line.get(..position).unwrap_or(line));
        let pair = |word: String| Pair { display: word.trim_end().to_owned(), replacement: word };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

impl Validator for ShellHelper {
    /// A line that ends in a comma goes on in the next one.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let last = tokens(context.input()).pop();
        Ok(match last {
            Some((Token::Comma, _)) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for ShellHelper {
    type Hint = String;
}

impl Highlighter for ShellHelper {}

impl Helper for ShellHelper {}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> (usize, Vec<String>) {
        candidates(line)
    }

    #[test]
    fn operations_fields_and_values() {
        assert_eq!(complete("sta"), (0, vec!["status ".to_owned()]));
        assert_eq!(complete("").1.len(), OPERATIONS.len());
        assert_eq!(complete("status; exi"), (8, vec!["exit ".to_owned()]));
        assert_eq!(complete("create-accounts le"), (16, vec!["ledger=".to_owned()]));
        let (start, values) = complete("create-accounts id=1 flags=hist");
        assert_eq!((start, values), (27, vec!["history".to_owned()]));
        let (start, values) = complete("create-transfers flags=linked|pen");
        assert_eq!((start, values), (30, vec!["pending".to_owned()]));
        assert_eq!(complete("help fe"), (5, vec!["fence".to_owned()]));
        assert_eq!(complete("nonsense x").1, Vec::<String>::new());
    }

    #[test]
    fn a_field_is_offered_once_in_each_event() {
        let (_, first) = complete("create-accounts id=1 i");
        assert_eq!(first, Vec::<String>::new());
        let (_, second) = complete("create-accounts id=1, i");
        assert_eq!(second, ["id="]);
    }
}
