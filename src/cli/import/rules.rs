//! A mapping that was checked: every name it uses exists, every number fits.
//!
//! `Rules` knows nothing of an input yet; `Bound` is the same for one input's columns.

use std::collections::BTreeMap;

use super::amounts::AmountFormat;
use super::mapping::{
    CodeSource, Condition, DateForm, Family, FamilyId, Lookup, Mapping, Negative, Rule, Side,
    Source, Timestamps,
};
use crate::cli::dates::DatePattern;
use crate::ledger::AccountFlags;

/// A mapping whose parts fit together.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Part of every derived id.
    pub name: String,
    /// The ledger.
    pub ledger: u32,
    /// Which time the records get.
    pub timestamps: Timestamps,
    /// How amounts are written.
    pub amount: AmountFormat,
    /// What a minus sign means.
    pub negative: Negative,
    /// How dates are written.
    pub date: Option<DatePattern>,
    mapping: Mapping,
}

/// An account with a fixed id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FixedAccount {
    /// Its id.
    pub id: u128,
    /// Its type.
    pub code: u16,
    /// Its flags.
    pub flags: u16,
}

/// Accounts by the content of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundFamily {
    /// Its name, part of hashed ids.
    pub name: String,
    /// The column.
    pub column: usize,
    /// How its content becomes an id.
    pub id: FamilyId,
    /// The numbers allowed.
    pub range: std::ops::RangeInclusive<u128>,
    /// Their type.
    pub code: u16,
    /// Their flags.
    pub flags: u16,
}

/// An account of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BoundSide {
    /// Always the same.
    Fixed(FixedAccount),
    /// By a column.
    Family(BoundFamily),
    /// By a look-up table.
    Lookup(Table<BoundSide>),
}

/// A look-up table bound to its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table<T> {
    /// The column.
    pub column: usize,
    entries: BTreeMap<String, T>,
    otherwise: Option<Box<T>>,
}

impl<T> Table<T> {
    /// What a content means.
    pub(crate) fn get(&self, content: &str) -> Option<&T> {
        self.entries.get(content).or(self.otherwise.as_deref())
    }
}

/// A number of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BoundSource {
    /// Always this one.
    Value(u128),
    /// The digits of a column.
    Column(usize),
    /// A hash of columns.
    Hash(Vec<usize>),
    /// The date.
    Date(DateForm),
    /// By a look-up table.
    Lookup(Table<u128>),
}

/// What a line means, by column numbers.
#[derive(Debug, Clone)]
pub(crate) struct BoundRule {
    conditions: Vec<BoundCondition>,
    /// The column of the amount.
    pub amount: usize,
    /// What becomes of the line; none leaves it out.
    pub booking: Option<Booking>,
}

/// Who pays whom, and why.
#[derive(Debug, Clone)]
pub(crate) struct Booking {
    /// The account that is debited.
    pub debit: BoundSide,
    /// The account that is credited.
    pub credit: BoundSide,
    /// The transfer's code.
    pub code: BoundSource,
}

#[derive(Debug, Clone)]
struct BoundCondition {
    column: usize,
    wanted: bool,
    texts: Vec<String>,
}

impl BoundRule {
    /// Whether the rule applies to a line.
    pub(crate) fn applies(&self, fields: &[String]) -> bool {
        self.conditions.iter().all(|condition| {
            let content = fields.get(condition.column).map_or("", String::as_str);
            condition.texts.iter().any(|text| text == content) == condition.wanted
        })
    }
}

/// The rules for one input's columns.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The columns of the natural key.
    pub id: Vec<usize>,
    /// The column of the date.
    pub date: Option<usize>,
    /// Free data.
    pub user_data_128: Option<BoundSource>,
    /// Free data.
    pub user_data_64: Option<BoundSource>,
    /// Free data.
    pub user_data_32: Option<BoundSource>,
    /// The rules in order.
    pub rules: Vec<BoundRule>,
}

impl Rules {
    /// Checks a mapping.
    ///
    /// # Errors
    /// The place in the mapping and what is wrong there.
    pub(crate) fn new(mapping: Mapping) -> Result<Self, String> {
        if mapping.name.is_empty() {
            return Err("name: must not be empty".to_owned());
        }
        if mapping.ledger == 0 {
            return Err("ledger: must not be 0".to_owned());
        }
        if mapping.id.columns.is_empty() {
            return Err("id.columns: must name at least one column".to_owned());
        }
        if mapping.rules.is_empty() {
            return Err("rules: there is none".to_owned());
        }
        let amount = AmountFormat {
            scale: mapping.amount.scale,
            decimal: mapping.amount.decimal.unwrap_or('.'),
            decimal_declared: mapping.amount.decimal.is_some(),
            grouping: mapping.amount.grouping,
        };
        amount.check()?;
        let date = match &mapping.date {
            Some(date) => {
                Some(DatePattern::new(&date.format).map_err(|why| format!("date.format: {why}"))?)
            }
            None => None,
        };
        let rules = Self {
            name: mapping.name.clone(),
            ledger: mapping.ledger,
            timestamps: mapping.timestamps,
            amount,
            negative: mapping.amount.negative,
            date,
            mapping,
        };
        rules.check_accounts()?;
        // Binding to all columns that the mapping itself names finds every other mistake now,
        // before any input is opened.
        rules.bind(&rules.named_columns())?;
        Ok(rules)
    }

    /// Uses other timestamps than the mapping says.
    pub(crate) fn with_timestamps(
        mut self,
        timestamps: Option<Timestamps>,
    ) -> Result<Self, String> {
        self.timestamps = timestamps.unwrap_or(self.timestamps);
        if self.timestamps == Timestamps::Imported && self.date.is_none() {
            return Err("timestamps: imported ones need a date".to_owned());
        }
        Ok(self)
    }

    /// The mapping as it was read.
    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    fn check_accounts(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for (name, account) in &self.mapping.accounts {
            let place = format!("accounts.{name}");
            if self.mapping.families.contains_key(name) {
                return Err(format!("{place}: a family has the same name"));
            }
            if account.id.0 == 0 || account.id.0 == u128::MAX {
                return Err(format!("{place}.id: must not be 0 or the largest value"));
            }
            if let Some(other) = seen.insert(account.id.0, name) {
                return Err(format!("{place}.id: is the id of {other}, too"));
            }
            account_flags(&place, account.code, &account.flags)?;
            for (family_name, family) in &self.mapping.families {
                let range = family_range(family);
                if family.id == FamilyId::Number && range.contains(&account.id.0) {
                    return Err(format!(
                        "{place}.id: lies among the numbers of family {family_name}; \
                         set its max below"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every column that the mapping names, once.
    fn named_columns(&self) -> Vec<String> {
        let mapping = &self.mapping;
        let mut names = mapping.id.columns.clone();
        names.push(mapping.amount.column.clone());
        names.extend(mapping.date.as_ref().map(|date| date.column.clone()));
        names.extend(mapping.families.values().map(|family| family.column.clone()));
        names.extend(mapping.lookups.values().map(|lookup| lookup.column.clone()));
        for rule in &mapping.rules {
            names.extend(rule.when.keys().cloned());
            names.extend(rule.amount.clone());
        }
        let data = &mapping.transfer;
        for source in [&data.user_data_128, &data.user_data_64, &data.user_data_32] {
            match source {
                Some(Source::Column(column)) => names.push(column.clone()),
                Some(Source::Hash(columns)) => names.extend(columns.iter().cloned()),
                _ => {}
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Binds the rules to the columns of an input.
    ///
    /// # Errors
    /// A column that the input lacks or has twice, or a name that the mapping doesn't explain.
    pub(crate) fn bind(&self, columns: &[String]) -> Result<Bound, String> {
        let binder = Binder { mapping: &self.mapping, columns };
        let mapping = &self.mapping;
        let column_of = |place: &str, name: &String| binder.column(place, name);
        let id = mapping.id.columns.iter().map(|name| column_of("id.columns", name));
        let date = mapping.date.as_ref().map(|date| column_of("date.column", &date.column));
        let data = &mapping.transfer;
        let rules = mapping.rules.iter().enumerate();
        Ok(Bound {
            columns: columns.to_vec(),
            id: id.collect::<Result<_, _>>()?,
            date: date.transpose()?,
            user_data_128: binder.source("transfer.user_data_128", data.user_data_128.as_ref())?,
            user_data_64: binder.source("transfer.user_data_64", data.user_data_64.as_ref())?,
            user_data_32: binder.source("transfer.user_data_32", data.user_data_32.as_ref())?,
            rules: rules
                .map(|(index, rule)| binder.rule(&format!("rules[{}]", index + 1), rule))
                .collect::<Result<_, _>>()?,
        })
    }
}

struct Binder<'a> {
    mapping: &'a Mapping,
    columns: &'a [String],
}

impl Binder<'_> {
    fn column(&self, place: &str, name: &str) -> Result<usize, String> {
        let mut found = self.columns.iter().enumerate().filter(|(_, column)| *column == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (None, _) => Err(format!(
                "{place}: there is no column {name:?}; there are {}",
                self.columns.join(", ")
            )),
            (Some(_), Some(_)) => Err(format!("{place}: two columns have the name {name:?}")),
        }
    }

    fn rule(&self, place: &str, rule: &Rule) -> Result<BoundRule, String> {
        let mut conditions = Vec::new();
        for (name, condition) in &rule.when {
            let column = self.column(&format!("{place}.when"), name)?;
            let (wanted, texts) = match condition.clone() {
                Condition::Is(texts) => (true, texts),
                Condition::IsNot(not) => (false, not.not),
            };
            conditions.push(BoundCondition { column, wanted, texts: texts.into_vec() });
        }
        let amount = rule.amount.as_ref().unwrap_or(&self.mapping.amount.column);
        let amount = self.column(&format!("{place}.amount"), amount)?;
        let booking = match (rule.skip, &rule.debit, &rule.credit, &rule.code) {
            (true, None, None, None) => None,
            (false, Some(debit), Some(credit), Some(code)) => Some(Booking {
                debit: self.side(&format!("{place}.debit"), debit)?,
                credit: self.side(&format!("{place}.credit"), credit)?,
                code: self.code(&format!("{place}.code"), code)?,
            }),
            _ => {
                return Err(format!("{place}: needs debit, credit and code, or skip = true alone"));
            }
        };
        Ok(BoundRule { conditions, amount, booking })
    }

    fn side(&self, place: &str, side: &Side) -> Result<BoundSide, String> {
        match side {
            Side::Name(name) => self.account(place, name),
            Side::Lookup(name) => {
                let place = format!("{place}: lookups.{}", name.lookup);
                let table = self.table(&place, &name.lookup, |text| self.account(&place, text))?;
                Ok(BoundSide::Lookup(table))
            }
        }
    }

    fn account(&self, place: &str, name: &str) -> Result<BoundSide, String> {
        if let Some(account) = self.mapping.accounts.get(name) {
            let flags = account_flags(&format!("accounts.{name}"), account.code, &account.flags)?;
            let id = account.id.0;
            return Ok(BoundSide::Fixed(FixedAccount { id, code: account.code, flags }));
        }
        let Some(family) = self.mapping.families.get(name) else {
            return Err(format!("{place}: there is no account or family {name:?}"));
        };
        let own_place = format!("families.{name}");
        Ok(BoundSide::Family(BoundFamily {
            name: name.to_owned(),
            column: self.column(&format!("{own_place}.column"), &family.column)?,
            id: family.id,
            range: family_range(family),
            code: family.code,
            flags: account_flags(&own_place, family.code, &family.flags)?,
        }))
    }

    fn code(&self, place: &str, code: &CodeSource) -> Result<BoundSource, String> {
        let check = |code: u128| match u16::try_from(code) {
            Ok(1..) => Ok(code),
            _ => Err(format!("{place}: {code} is no code from 1 to 65535")),
        };
        match code {
            CodeSource::Value(value) => Ok(BoundSource::Value(check(u128::from(*value))?)),
            CodeSource::Lookup(name) => {
                let table = self.numbers(place, &name.lookup)?;
                for value in table.entries.values().chain(table.otherwise.as_deref()) {
                    check(*value)?;
                }
                Ok(BoundSource::Lookup(table))
            }
        }
    }

    fn source(&self, place: &str, source: Option<&Source>) -> Result<Option<BoundSource>, String> {
        let Some(source) = source else { return Ok(None) };
        Ok(Some(match source {
            Source::Value(number) => BoundSource::Value(number.0),
            Source::Column(column) => BoundSource::Column(self.column(place, column)?),
            Source::Hash(columns) => BoundSource::Hash(
                columns
                    .iter()
                    .map(|column| self.column(place, column))
                    .collect::<Result<_, _>>()?,
            ),
            Source::Date(form) if self.mapping.date.is_some() => BoundSource::Date(*form),
            Source::Date(_) => return Err(format!("{place}: the mapping has no date")),
            Source::Lookup(name) => BoundSource::Lookup(self.numbers(place, name)?),
        }))
    }

    fn numbers(&self, place: &str, name: &str) -> Result<Table<u128>, String> {
        self.table(place, name, |text| {
            text.parse().map_err(|_| format!("{place}: lookups.{name}: {text:?} is no number"))
        })
    }

    fn table<T>(
        &self,
        place: &str,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Table<T>, String> {
        let lookup: &Lookup = (self.mapping.lookups.get(name))
            .ok_or_else(|| format!("{place}: there is no look-up table {name:?}"))?;
        let mut entries = BTreeMap::new();
        for (content, meaning) in &lookup.entries {
            entries.insert(content.clone(), read(&meaning.0)?);
        }
        let otherwise = lookup.otherwise.as_ref().map(|meaning| read(&meaning.0)).transpose()?;
        let column = self.column(&format!("lookups.{name}.column"), &lookup.column)?;
        Ok(Table { column, entries, otherwise: otherwise.map(Box::new) })
    }
}

fn family_range(family: &Family) -> std::ops::RangeInclusive<u128> {
    family.min.0.max(1)..=family.max.map_or(u128::MAX - 1, |max| max.0.min(u128::MAX - 1))
}

/// The flag bits of an account, whose code must not be 0.
fn account_flags(place: &str, code: u16, names: &[String]) -> Result<u16, String> {
    if code == 0 {
        return Err(format!("{place}.code: must not be 0"));
    }
    let mut flags = 0;
    for name in names {
        let bit = AccountFlags::NAMES.iter().position(|known| known == name);
        // A mapping describes accounts, not batches, so these two are not its to set.
        let bit = bit.filter(|_| name != "linked" && name != "imported");
        let bit = bit.ok_or_else(|| format!("{place}.flags: {name:?} is no flag to set here"))?;
        flags |= 1 << bit;
    }
    Ok(flags)
}
