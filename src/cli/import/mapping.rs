//! The mapping file: how lines of foreign text become accounts and transfers.
//!
//! This is only its shape. `rules` checks that what it names exists, and binds it to an input's
//! columns.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::complaint::complaint;
use crate::cli::exit::Failure;

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// Part of every derived id: two mappings never make the same transfer.
    pub name: String,
    /// The ledger of all accounts and transfers.
    pub ledger: u32,
    /// Which time the records get.
    #[serde(default)]
    pub timestamps: Timestamps,
    /// How the text is written.
    #[serde(default)]
    pub input: InputFormat,
    /// Where the transfer's id comes from.
    pub id: IdSource,
    /// Where the amount stands.
    pub amount: AmountSource,
    /// Where the date stands.
    pub date: Option<DateSource>,
    /// Free data of the transfers.
    #[serde(default)]
    pub transfer: TransferData,
    /// Accounts by name, each with a fixed id.
    #[serde(default)]
    pub accounts: BTreeMap<String, NamedAccount>,
    /// Accounts by the content of a column.
    #[serde(default)]
    pub families: BTreeMap<String, Family>,
    /// Look-up tables.
    #[serde(default)]
    pub lookups: BTreeMap<String, Lookup>,
    /// What a line means; the first rule that applies wins.
    pub rules: Vec<Rule>,
}

/// Which time the records get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Timestamps {
    /// The time at which the ledger records them.
    #[default]
    Server,
    /// The date in the file, with the `imported` flag.
    Imported,
}

/// How the text is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InputFormat {
    /// One ASCII character between two fields.
    pub delimiter: char,
    /// One ASCII character around fields, or nothing.
    pub quote: String,
    /// The label of the encoding.
    pub encoding: String,
    /// Whether the first line names the columns.
    pub header: bool,
    /// The columns by name, for text without a header.
    pub columns: Vec<String>,
    /// Whether blanks around a field are dropped.
    pub trim: bool,
    /// Whether a quoted field may run over the end of its line.
    pub multiline: bool,
}

impl Default for InputFormat {
    fn default() -> Self {
        Self {
            delimiter: ',',
            quote: "\"".to_owned(),
            encoding: "utf-8".to_owned(),
            header: true,
            columns: Vec::new(),
            trim: true,
            multiline: false,
        }
    }
}

/// Where the transfer's id comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdSource {
    /// The columns that together name a line for ever.
    pub columns: Vec<String>,
}

/// Where the amount stands and how it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmountSource {
    /// The column; a rule may name another.
    pub column: String,
    /// Decimal places of the minor unit.
    pub scale: u32,
    /// What separates whole units from their parts; a point if nothing is said.
    pub decimal: Option<char>,
    /// What groups the whole digits by three.
    pub grouping: Option<char>,
    /// What a minus sign means.
    #[serde(default)]
    pub negative: Negative,
}

/// What a minus sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Negative {
    /// The line is wrong.
    #[default]
    Refuse,
    /// Debit and credit change places.
    Swap,
}

/// Where the date stands and how it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DateSource {
    /// The column.
    pub column: String,
    /// See [`crate::cli::dates::DatePattern`].
    pub format: String,
}

/// Free data of the transfers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferData {
    /// The field of that name.
    pub user_data_128: Option<Source>,
    /// The field of that name.
    pub user_data_64: Option<Source>,
    /// The field of that name.
    pub user_data_32: Option<Source>,
}

/// Where a number comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Always this one.
    Value(Number),
    /// The digits of a column; 0 when it is empty.
    Column(String),
    /// A hash of columns; 0 when all are empty.
    Hash(Vec<String>),
    /// The date.
    Date(DateForm),
    /// A look-up table.
    Lookup(String),
}

/// A date as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DateForm {
    /// Eight digits, such as 19930105.
    Day,
    /// Nanoseconds since the Unix epoch.
    Nanoseconds,
}

/// An account with a fixed id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedAccount {
    /// Its id.
    pub id: Number,
    /// Its type.
    pub code: u16,
    /// Its flags by name.
    #[serde(default)]
    pub flags: Vec<String>,
}

/// Accounts by the content of a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Family {
    /// The column.
    pub column: String,
    /// How its content becomes an id.
    #[serde(default)]
    pub id: FamilyId,
    /// The smallest number allowed.
    #[serde(default = "one")]
    pub min: Number,
    /// The largest number allowed.
    pub max: Option<Number>,
    /// Their type.
    pub code: u16,
    /// Their flags by name.
    #[serde(default)]
    pub flags: Vec<String>,
}

const fn one() -> Number {
    Number(1)
}

/// How the content of a column becomes an account id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FamilyId {
    /// It is the id, a whole number.
    #[default]
    Number,
    /// Its hash is.
    Hash,
}

/// A look-up table: from the content of a column to a name or a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    /// The column.
    pub column: String,
    /// What each content means.
    pub entries: BTreeMap<String, Text>,
    /// What any other content means; without it, that is an error of the line.
    pub otherwise: Option<Text>,
}

/// What a line means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Column by column what must stand there; every line if empty.
    #[serde(default)]
    pub when: BTreeMap<String, Condition>,
    /// The account that is debited.
    pub debit: Option<Side>,
    /// The account that is credited.
    pub credit: Option<Side>,
    /// The transfer's code.
    pub code: Option<CodeSource>,
    /// A column for the amount instead of the usual one.
    pub amount: Option<String>,
    /// The line is left out.
    #[serde(default)]
    pub skip: bool,
}

/// What must stand in a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Condition {
    /// Exactly this, or one of these.
    Is(Texts),
    /// Anything but this, or these.
    IsNot(Not),
}

/// The form `{ not = … }` of a condition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Not {
    /// What must not stand there.
    pub not: Texts,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    /// One.
    One(Text),
    /// Several.
    Several(Vec<Text>),
}

impl Texts {
    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.0],
            Self::Several(texts) => texts.into_iter().map(|text| text.0).collect(),
        }
    }
}

/// An account, by name or by look-up.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Side {
    /// The name of an account or of a family.
    Name(String),
    /// A look-up table of such names.
    Lookup(LookupName),
}

/// The transfer's code, fixed or by look-up.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum CodeSource {
    /// Always this one.
    Value(u16),
    /// A look-up table of codes.
    Lookup(LookupName),
}

/// The form `{ lookup = "…" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookupName {
    /// The name of the table.
    pub lookup: String,
}

/// A text that may be written as a number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "TextForm")]
pub(crate) struct Text(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum TextForm {
    Text(String),
    Number(i64),
}

impl From<TextForm> for Text {
    fn from(form: TextForm) -> Self {
        match form {
            TextForm::Text(text) => Self(text),
            TextForm::Number(number) => Self(number.to_string()),
        }
    }
}

/// A whole number, not negative; in quotes when it is larger than TOML's integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "TextForm")]
pub(crate) struct Number(pub u128);

impl TryFrom<TextForm> for Number {
    type Error = String;

    fn try_from(form: TextForm) -> Result<Self, String> {
        let text = Text::from(form).0;
        text.parse().map(Self).map_err(|_| format!("{text:?} is no whole number from 0 on"))
    }
}

/// The flags of accounts that limit their balance.
const LIMITS: [&str; 2] = ["debits_must_not_exceed_credits", "credits_must_not_exceed_debits"];

impl Mapping {
    /// Reads a mapping file.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("can't read {}: {error}", path.display())))?;
        Self::parse(&text)
            .map_err(|(line, what)| Failure::usage(format!("{}:{line}: {what}", path.display())))
    }

    /// Whether the balance of some account is limited.
    pub(crate) fn has_limits(&self) -> bool {
        let named = self.accounts.values().flat_map(|account| &account.flags);
        let families = self.families.values().flat_map(|family| &family.flags);
        named.chain(families).any(|flag| LIMITS.contains(&flag.as_str()))
    }

    /// Reads the text of a mapping file; an error has its line.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error| complaint(text, &error))
    }
}
