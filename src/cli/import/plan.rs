//! One line becomes one transfer and the two accounts it needs, or a reason why not.

use super::ids::{IdKind, derive};
use super::mapping::{DateForm, FamilyId, Negative, Timestamps};
use super::rules::{Bound, BoundFamily, BoundSide, BoundSource, FixedAccount, Rules};
use crate::cli::dates::Moment;
use crate::ledger::{Account, AccountFlags, Transfer, TransferFlags};

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives for one line, and nearly all are transfers")]
pub(crate) enum Plan {
    /// A transfer between two accounts, which are created if they aren't there yet.
    Transfer {
        /// The transfer.
        transfer: Transfer,
        /// Its debit and its credit account, as they are created.
        accounts: [Account; 2],
    },
    /// A rule leaves the line out.
    Skip,
}

/// Why a line can't be used, with the column at fault where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineError {
    /// The name of the column.
    pub column: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.column {
            Some(column) => write!(f, "column {column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Plans lines of one import, in their order.
#[derive(Debug)]
pub(crate) struct Planner {
    rules: Rules,
    clock: ImportClock,
}

/// Gives imported records strictly increasing timestamps on their dates.
#[derive(Debug, Default)]
struct ImportClock {
    date: u64,
    last: u64,
}

impl ImportClock {
    /// Starts a line's date, which must not lie before that of the line before.
    fn advance(&mut self, date: u64) -> Result<(), String> {
        if date < self.date {
            return Err(
                "lies before an earlier line's; imported timestamps need the lines in the \
                        order of their dates"
                    .to_owned(),
            );
        }
        self.date = date;
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.last = self.date.max(self.last + 1);
        self.last
    }
}

impl Planner {
    /// Plans by these rules.
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, clock: ImportClock::default() }
    }

    /// Whether lines that are booked in another order could be refused for it, and so burn their
    /// ids: timestamps must ascend, and a limit counts what came before.
    pub(crate) fn order_matters(&self) -> bool {
        self.rules.timestamps == Timestamps::Imported || self.rules.mapping().has_limits()
    }

    /// Plans one line. `is_new` tells whether an account wasn't met before in this import.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub(crate) fn plan(
        &mut self,
        bound: &Bound,
        fields: &[String],
        is_new: &dyn Fn(u128) -> bool,
    ) -> Result<Plan, LineError> {
        let line = LineView { rules: &self.rules, bound, fields };
        line.check_width()?;
        let rule = bound.rules.iter().find(|rule| rule.applies(fields));
        let rule = rule.ok_or_else(|| line.error(None, "no rule of the mapping applies"))?;
        let Some(booking) = &rule.booking else { return Ok(Plan::Skip) };
        let date = line.date()?;
        let (swap, amount) = line.amount(rule.amount)?;
        let mut sides = [line.account(&booking.debit)?, line.account(&booking.credit)?];
        if swap {
            sides.reverse();
        }
        let mut transfer = Transfer {
            id: line.id()?,
            debit_account_id: sides[0].id,
            credit_account_id: sides[1].id,
            amount,
            user_data_128: line.number(bound.user_data_128.as_ref(), date, u128::MAX)?,
            user_data_64: narrow(line.number(
                bound.user_data_64.as_ref(),
                date,
                u128::from(u64::MAX),
            )?),
            user_data_32: narrow(line.number(
                bound.user_data_32.as_ref(),
                date,
                u128::from(u32::MAX),
            )?),
            ledger: self.rules.ledger,
            code: narrow(line.number(Some(&booking.code), date, u128::from(u16::MAX))?),
            ..Transfer::default()
        };
        if self.rules.timestamps == Timestamps::Imported {
            let moment = date.and_then(Moment::nanoseconds).filter(|n| *n > 0);
            let at_date = |message: &str| line.error(bound.date, message);
            let moment = moment.ok_or_else(|| at_date("must lie after 1970-01-01 00:00"))?;
            self.clock.advance(moment).map_err(|why| at_date(&why))?;
            for account in &mut sides {
                account.flags |= AccountFlags::IMPORTED;
                if is_new(account.id) {
                    account.timestamp = self.clock.next();
                }
            }
            transfer.flags |= TransferFlags::IMPORTED;
            transfer.timestamp = self.clock.next();
        }
        Ok(Plan::Transfer { transfer, accounts: sides })
    }
}

/// For numbers that were already checked against the largest value of their field.
fn narrow<T: TryFrom<u128> + Default>(number: u128) -> T {
    T::try_from(number).unwrap_or_default()
}

struct LineView<'a> {
    rules: &'a Rules,
    bound: &'a Bound,
    fields: &'a [String],
}

impl LineView<'_> {
    fn error(&self, column: Option<usize>, message: impl Into<String>) -> LineError {
        let column = column.and_then(|index| self.bound.columns.get(index).cloned());
        LineError { column, message: message.into() }
    }

    fn field(&self, column: usize) -> &str {
        self.fields.get(column).map_or("", String::as_str)
    }

    fn check_width(&self) -> Result<(), LineError> {
        let (found, expected) = (self.fields.len(), self.bound.columns.len());
        if found == expected {
            return Ok(());
        }
        Err(self.error(None, format!("has {found} fields where {expected} belong")))
    }

    fn id(&self) -> Result<u128, LineError> {
        if self.bound.id.iter().all(|column| self.field(*column).is_empty()) {
            return Err(self.error(self.bound.id.first().copied(), "is empty: no key for the id"));
        }
        let parts = self.bound.id.iter().map(|column| self.field(*column));
        Ok(derive(IdKind::Transfer, &self.rules.name, parts))
    }

    fn date(&self) -> Result<Option<Moment>, LineError> {
        let (Some(column), Some(pattern)) = (self.bound.date, &self.rules.date) else {
            return Ok(None);
        };
        let date = pattern.parse(self.field(column));
        date.map(Some).map_err(|why| self.error(Some(column), why))
    }

    /// The amount, and whether debit and credit change places.
    fn amount(&self, column: usize) -> Result<(bool, u128), LineError> {
        let amount = self.rules.amount.parse(self.field(column));
        let amount = amount.map_err(|why| self.error(Some(column), why.to_string()))?;
        if amount.negative && self.rules.negative == Negative::Refuse {
            return Err(self.error(Some(column), "is negative"));
        }
        Ok((amount.negative, amount.minor))
    }

    fn account(&self, side: &BoundSide) -> Result<Account, LineError> {
        let FixedAccount { id, code, flags } = match side {
            BoundSide::Fixed(account) => *account,
            BoundSide::Family(family) => {
                FixedAccount { id: self.family_id(family)?, code: family.code, flags: family.flags }
            }
            BoundSide::Lookup(table) => {
                let content = self.field(table.column);
                let side = table.get(content).ok_or_else(|| self.unexplained(table.column))?;
                return self.account(side);
            }
        };
        Ok(Account { id, code, flags, ledger: self.rules.ledger, ..Account::default() })
    }

    fn family_id(&self, family: &BoundFamily) -> Result<u128, LineError> {
        let content = self.field(family.column);
        let at = |message: String| self.error(Some(family.column), message);
        if content.is_empty() {
            return Err(at("is empty: no account".to_owned()));
        }
        if family.id == FamilyId::Hash {
            let namespace = format!("{}/{}", self.rules.name, family.name);
            return Ok(derive(IdKind::Account, &namespace, [content]));
        }
        let id: u128 =
            content.parse().map_err(|_| at(format!("{content:?} is no account number")))?;
        // References that differ by a leading zero are different accounts, and only a number that
        // stands for one text alone may become an id.
        if id.to_string() != content {
            let name = &family.name;
            return Err(at(format!(
                "{content:?} isn't the plain number {id}, which may be another account; for \
                 references that keep zeros or signs say families.{name}.id = \"hash\""
            )));
        }
        if family.range.contains(&id) {
            return Ok(id);
        }
        let (min, max) = (family.range.start(), family.range.end());
        Err(at(format!("{id} lies outside of the account numbers {min} to {max}")))
    }

    fn unexplained(&self, column: usize) -> LineError {
        let content = self.field(column);
        self.error(Some(column), format!("the look-up table has no entry for {content:?}"))
    }

    fn number(
        &self,
        source: Option<&BoundSource>,
        date: Option<Moment>,
        max: u128,
    ) -> Result<u128, LineError> {
        let (column, number) = match source {
            None => return Ok(0),
            Some(BoundSource::Value(number)) => (None, *number),
            Some(BoundSource::Column(column)) => {
                let content = self.field(*column);
                let number = if content.is_empty() { Ok(0) } else { content.parse() };
                let number = number.map_err(|_| {
                    self.error(Some(*column), format!("{content:?} is no whole number"))
                })?;
                (Some(*column), number)
            }
            Some(BoundSource::Hash(columns)) => {
                if columns.iter().all(|column| self.field(*column).is_empty()) {
                    return Ok(0);
                }
                let parts = columns.iter().map(|column| self.field(*column));
                (None, derive(IdKind::Data, &self.rules.name, parts) & max)
            }
            Some(BoundSource::Date(form)) => {
                let number = match form {
                    DateForm::Day => date.map(Moment::day_number),
                    DateForm::Nanoseconds => date.and_then(Moment::nanoseconds),
                };
                let early = || self.error(self.bound.date, "lies before 1970");
                (self.bound.date, u128::from(number.ok_or_else(early)?))
            }
            Some(BoundSource::Lookup(table)) => {
                let number = table.get(self.field(table.column));
                (Some(table.column), *number.ok_or_else(|| self.unexplained(table.column))?)
            }
        };
        if number > max {
            return Err(self.error(column, format!("{number} is too large for its field")));
        }
        Ok(number)
    }
}
