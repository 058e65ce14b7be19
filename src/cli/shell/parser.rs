//! Tokens to statements. An error knows its place and shows it with carets.

use std::ops::Range;

use super::fields::{Fields, brief, parse_number};
use super::help::codes;
use super::lexer::{Token, tokens};
use super::operations::OPERATIONS;
use super::suggest::nearest;
use crate::ledger::{
    Account, AccountFilter, AccountFilterFlags, QueryAccountsFilter, QueryTransfersFilter,
    ResolveFlags, Transfer,
};
use crate::limits::EVENTS_PER_REQUEST_MAX;
use crate::wire::Request;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// Something for the server.
    Request(Request),
    /// A read of records that doesn't say how many are wanted.
    Open(Request),
    /// How to use the shell, one operation, or what a status means.
    Help(Option<String>),
    /// Leave.
    Exit,
}

/// Records that a read shows when the statement sets no limit.
const LIMIT_DEFAULT: u32 = 100;

/// What is wrong with a statement, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// The bytes at fault.
    pub place: Range<usize>,
    /// What is wrong.
    pub message: String,
}

/// Characters of the text that an error shows on each side of its place.
const AROUND: usize = 60;
/// Characters of the message.
const MESSAGE: usize = 300;
/// Characters of a place that get carets.
const MARKED: usize = 40;

impl ParseError {
    /// The message, the text around the place and carets below it: a few short lines, however long
    /// the statement is.
    pub(crate) fn render(&self, text: &str) -> String {
        let start = floor_boundary(text, self.place.start);
        let line_start = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |at| start + at);
        let before = &text[line_start..start];
        let after = &text[start..line_end];
        let indent = before.chars().count();
        let end = floor_boundary(text, self.place.end.min(line_end)).max(start);
        let marked = text[start..end].chars().count().clamp(1, MARKED);
        let left: String = before.chars().skip(indent.saturating_sub(AROUND)).collect();
        let right: String = after.chars().take(marked + AROUND).collect();
        let is_cut = indent > AROUND || right.len() < after.len();
        let head = if indent > AROUND { "…" } else { "" };
        let tail = if right.len() < after.len() { "…" } else { "" };
        let mut message: String = self.message.chars().take(MESSAGE).collect();
        if is_cut || line_start > 0 {
            let line = text[..line_start].lines().count() + 1;
            message = format!("line {line}, character {}: {message}", indent + 1);
        }
        let shown = format!("{head}{left}{right}{tail}").replace(char::is_control, " ");
        let blank = " ".repeat(head.chars().count() + left.chars().count());
        format!("{message}\n  {shown}\n  {blank}{}", "^".repeat(marked))
    }
}

/// The place itself, or the start of the character in whose middle it lies.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Reads statements. `new_id` makes ids for `id=auto` and `id=-`.
///
/// # Errors
/// The first place that is wrong.
pub(crate) fn parse(
    text: &str,
    new_id: &mut dyn FnMut() -> u128,
) -> Result<Vec<Statement>, ParseError> {
    let tokens = tokens(text);
    let end = text.trim_end().len();
    let mut parser = Parser { tokens: &tokens, at: 0, end, open: false, new_id };
    let mut statements = Vec::new();
    while let Some((token, place)) = parser.next() {
        match token {
            Token::End => {}
            Token::Word(word) => statements.push(parser.statement(word, place)?),
            Token::Equals | Token::Comma => {
                return Err(ParseError { place, message: "an operation belongs here".to_owned() });
            }
        }
    }
    Ok(statements)
}

struct Parser<'a> {
    tokens: &'a [(Token<'a>, Range<usize>)],
    at: usize,
    end: usize,
    /// Whether the filter that was read last set no limit.
    open: bool,
    new_id: &'a mut dyn FnMut() -> u128,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn next(&mut self) -> Option<(Token<'a>, Range<usize>)> {
        let found = self.tokens.get(self.at).cloned();
        self.at += usize::from(found.is_some());
        found
    }

    fn place(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, place)| place.clone())
    }

    fn statement(&mut self, word: &str, place: Range<usize>) -> Result<Statement, ParseError> {
        let operation = word.to_lowercase().replace('_', "-");
        self.open = false;
        let request = match operation.as_str() {
            "create-accounts" => Request::CreateAccounts(self.events(Account::default)?),
            "create-transfers" => Request::CreateTransfers(self.events(Transfer::default)?),
            "lookup-accounts" => Request::LookupAccounts(self.ids()?),
            "lookup-transfers" => Request::LookupTransfers(self.ids()?),
            "get-account-transfers" => Request::GetAccountTransfers(self.filter(account_filter)?),
            "get-account-balances" => Request::GetAccountBalances(self.filter(account_filter)?),
            "query-accounts" => Request::QueryAccounts(self.filter(|| QueryAccountsFilter {
                limit: LIMIT_DEFAULT,
                ..QueryAccountsFilter::default()
            })?),
            "query-transfers" => Request::QueryTransfers(self.filter(|| QueryTransfersFilter {
                limit: LIMIT_DEFAULT,
                ..QueryTransfersFilter::default()
            })?),
            "resolve-transfers" => Request::ResolveTransfers { ids: self.ids()?, flags: 0 },
            "fence" => Request::ResolveTransfers { ids: self.ids()?, flags: ResolveFlags::FENCE },
            "status" => self.nothing_more(Request::Status)?,
            "exit" | "quit" => return self.nothing_more(Statement::Exit),
            "help" => return self.help(),
            _ => return Err(unknown_operation(&operation, place)),
        };
        Ok(if self.open { Statement::Open(request) } else { Statement::Request(request) })
    }

    fn help(&mut self) -> Result<Statement, ParseError> {
        let Some(Token::Word(word)) = self.peek() else {
            return self.nothing_more(Statement::Help(None));
        };
        let place = self.place();
        self.at += 1;
        let word = word.to_lowercase();
        let operation = word.replace('_', "-");
        if OPERATIONS.iter().any(|(name, _)| *name == operation) {
            return self.nothing_more(Statement::Help(Some(operation)));
        }
        let code = word.replace('-', "_");
        if codes().all(|name| name != code) {
            let near = nearest(&code, codes());
            let Some(near) = near else { return Err(unknown_operation(&operation, place)) };
            let message = format!("unknown status {}; did you mean {near}?", brief(&code));
            return Err(ParseError { place, message });
        }
        self.nothing_more(Statement::Help(Some(code)))
    }

    fn nothing_more<T>(&mut self, value: T) -> Result<T, ParseError> {
        match self.peek() {
            None | Some(Token::End) => Ok(value),
            Some(_) => {
                let message =
                    "nothing more belongs here; statements end with ; or a line".to_owned();
                Err(ParseError { place: self.place(), message })
            }
        }
    }

    /// Events separated by commas, at least one.
    fn events<T: Fields>(&mut self, new: impl Fn() -> T) -> Result<Vec<T>, ParseError> {
        let mut events = Vec::new();
        loop {
            let start = self.place();
            let mut event = new();
            let typed = self.fields(&mut event)?;
            if typed.is_empty() {
                let fields = T::NAMES.join(", ");
                let message = format!("a field belongs here, such as id=1 (fields: {fields})");
                return Err(ParseError { place: start, message });
            }
            self.check_room(events.len(), start.clone())?;
            event.complete(&typed).map_err(|message| ParseError { place: start, message })?;
            events.push(event);
            if self.peek() != Some(Token::Comma) {
                return Ok(events);
            }
            self.at += 1;
        }
    }

    fn filter<T: Fields>(&mut self, new: impl Fn() -> T) -> Result<T, ParseError> {
        let mut filter = new();
        self.open = !self.fields(&mut filter)?.contains(&"limit");
        self.nothing_more(filter)
    }

    /// Fields up to a comma or the end of the statement. Answers which there were.
    fn fields<T: Fields>(&mut self, record: &mut T) -> Result<Vec<&'a str>, ParseError> {
        let mut seen: Vec<&'a str> = Vec::new();
        while let Some(Token::Word(name)) = self.peek() {
            let place = self.place();
            self.at += 1;
            if seen.contains(&name) {
                let message = format!("the field {name} is set twice; a comma starts a new event");
                return Err(ParseError { place, message });
            }
            if self.peek() != Some(Token::Equals) {
                let message = format!("= and a value belong after {}", brief(name));
                return Err(ParseError { place, message });
            }
            self.at += 1;
            let value_place = self.place();
            let Some((Token::Word(value), _)) = self.next() else {
                let message = format!("a value of {name} belongs here");
                return Err(ParseError { place: value_place, message });
            };
            let made;
            let value = if name == "id" && matches!(value, "auto" | "-") {
                made = (self.new_id)().to_string();
                &made
            } else {
                value
            };
            match record.set(name, value) {
                Some(Ok(())) => seen.push(name),
                Some(Err(why)) => {
                    let message = format!("{name}: {why}");
                    return Err(ParseError { place: value_place, message });
                }
                None => return Err(unknown_field(name, T::NAMES, place)),
            }
        }
        if self.peek() == Some(Token::Equals) {
            let message = "a field belongs before =".to_owned();
            return Err(ParseError { place: self.place(), message });
        }
        Ok(seen)
    }

    /// Ids, bare or as `id=…`, with or without commas; at least one.
    fn ids(&mut self) -> Result<Vec<u128>, ParseError> {
        let mut ids = Vec::new();
        let mut is_complete = false;
        loop {
            match self.peek() {
                Some(Token::Comma) if is_complete => {
                    self.at += 1;
                    is_complete = false;
                }
                Some(Token::Word(word)) => {
                    let mut place = self.place();
                    let mut value = word;
                    self.at += 1;
                    if word == "id" && self.peek() == Some(Token::Equals) {
                        self.at += 1;
                        place = self.place();
                        value = match self.next() {
                            Some((Token::Word(value), _)) => value,
                            _ => "",
                        };
                    }
                    self.check_room(ids.len(), place.clone())?;
                    let id = parse_number(value, u128::MAX)
                        .map_err(|message| ParseError { place, message })?;
                    ids.push(id);
                    is_complete = true;
                }
                None | Some(Token::End) if is_complete => return Ok(ids),
                _ => {
                    let message = "an id belongs here".to_owned();
                    return Err(ParseError { place: self.place(), message });
                }
            }
        }
    }

    fn check_room(&self, count: usize, place: Range<usize>) -> Result<(), ParseError> {
        if count < EVENTS_PER_REQUEST_MAX {
            return Ok(());
        }
        let message = format!("a request has at most {EVENTS_PER_REQUEST_MAX} events");
        Err(ParseError { place, message })
    }
}

/// Both sides and a few records, unless the statement says otherwise.
fn account_filter() -> AccountFilter {
    AccountFilter {
        flags: AccountFilterFlags::DEBITS | AccountFilterFlags::CREDITS,
        limit: LIMIT_DEFAULT,
        ..AccountFilter::default()
    }
}

fn unknown_operation(operation: &str, place: Range<usize>) -> ParseError {
    let near = nearest(operation, OPERATIONS.map(|(name, _)| name));
    let hint = near.map_or_else(
        || "; help shows them all".to_owned(),
        |near| format!("; did you mean {near}?"),
    );
    ParseError { place, message: format!("unknown operation {}{hint}", brief(operation)) }
}

fn unknown_field(name: &str, known: &[&'static str], place: Range<usize>) -> ParseError {
    let near = nearest(name, known.iter().copied());
    let hint = near.map_or_else(
        || format!("; there are {}", known.join(", ")),
        |near| format!("; did you mean {near}?"),
    );
    ParseError { place, message: format!("unknown field {}{hint}", brief(name)) }
}
