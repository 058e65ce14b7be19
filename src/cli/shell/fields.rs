//! The fields of records by name: how each is read, shown and turned into JSON.

use serde_json::Value;

use crate::cli::dates::{format_timestamp, parse_timestamp};
use crate::cli::table::Field;
use crate::ledger::{
    Account, AccountBalance, AccountFilter, AccountFlags, PendingStatus, QueryAccountsFilter,
    QueryTransfersFilter, Transfer, TransferFlags,
};

/// A record whose fields have names.
pub(crate) trait Fields {
    /// The fields that a statement can set, in the order in which they are shown.
    const NAMES: &'static [&'static str];

    /// Sets a field from its text. None if there is no such field.
    fn set(&mut self, name: &str, text: &str) -> Option<Result<(), String>>;

    /// Every field with its value.
    fn get(&self) -> Vec<Field>;

    /// Fills in what follows from the fields that were typed.
    ///
    /// # Errors
    /// A field that only a person can choose wasn't typed.
    fn complete(&mut self, _typed: &[&str]) -> Result<(), String> {
        Ok(())
    }
}

/// What a transfer without an amount means. A zero that nobody typed moves nothing, or releases a
/// hold for good, so it has to be typed.
fn complete_amount(transfer: &mut Transfer, typed: &[&str]) -> Result<(), String> {
    if typed.contains(&"amount") || transfer.has(TransferFlags::VOID_PENDING_TRANSFER) {
        return Ok(());
    }
    if transfer.has(TransferFlags::POST_PENDING_TRANSFER) {
        transfer.amount = u128::MAX;
        return Ok(());
    }
    let balancing = TransferFlags::BALANCING_DEBIT | TransferFlags::BALANCING_CREDIT;
    Err(if transfer.has_any(balancing) {
        "amount is missing: it bounds a balancing transfer, and amount=max sets no bound"
    } else {
        "amount is missing: add amount=… (amount=0 is legal, but has to be typed)"
    }
    .to_owned())
}

/// A word as messages show it: whole, or its start.
pub(crate) fn brief(word: &str) -> String {
    const SHOWN: usize = 40;
    match word.char_indices().nth(SHOWN) {
        None => word.to_owned(),
        Some((end, _)) => format!("{}…", &word[..end]),
    }
}

/// How the values of one type of field are read and shown.
trait Kind<T> {
    fn parse(text: &str) -> Result<T, String>;
    fn text(value: T) -> String;
    fn json(value: T) -> Value;
}

/// Plain numbers.
struct Number;
/// Moments.
struct Time;
/// Flags of accounts, of transfers and of the filters.
struct AccountBits;
struct TransferBits;
struct SideBits;
struct OrderBits;
/// The state of a hold.
struct HoldStatus;

macro_rules! numbers {
    ($($type:ty => $json:expr;)*) => {$(
        impl Kind<$type> for Number {
            fn parse(text: &str) -> Result<$type, String> {
                <$type>::try_from(parse_number(text, u128::from(<$type>::MAX))?)
                    .map_err(|_| format!("{} is too large: at most {}", brief(text), <$type>::MAX))
            }

            fn text(value: $type) -> String {
                if value == <$type>::MAX && size_of::<$type>() == 16 {
                    return "max".to_owned();
                }
                value.to_string()
            }

            fn json(value: $type) -> Value {
                let convert: fn($type) -> Value = $json;
                convert(value)
            }
        }
    )*};
}

numbers! {
    u128 => |value| Value::String(value.to_string());
    u64 => |value| Value::String(value.to_string());
    u32 => Value::from;
    u16 => Value::from;
}

/// A whole number: decimal or, after `0x`, hexadecimal, with `_` where one likes; `max` is `max`.
pub(crate) fn parse_number(text: &str, max: u128) -> Result<u128, String> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(max);
    }
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => u128::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    // A sign would be accepted by the parsers, but no number here has one.
    let parsed = parsed.ok().filter(|_| !text.contains(['+', '-']));
    parsed.ok_or_else(|| format!("{:?} is no whole number below 2^128", brief(text)))
}

impl Kind<u64> for Time {
    fn parse(text: &str) -> Result<u64, String> {
        parse_timestamp(text)
    }

    fn text(value: u64) -> String {
        // What lies beyond is no time of this ledger, and as a number it says more.
        if value == 0 || value > crate::limits::TIMESTAMP_MAX {
            return value.to_string();
        }
        format_timestamp(value)
    }

    fn json(value: u64) -> Value {
        Value::String(value.to_string())
    }
}

macro_rules! bits {
    ($($kind:ident, $type:ty, $names:expr;)*) => {$(
        impl Kind<$type> for $kind {
            fn parse(text: &str) -> Result<$type, String> {
                let bits = parse_bits(text, $names)?;
                <$type>::try_from(bits).map_err(|_| format!("{} has too many bits", brief(text)))
            }

            fn text(value: $type) -> String {
                bits_text(u32::from(value), $names)
            }

            fn json(value: $type) -> Value {
                bits_json(u32::from(value), $names)
            }
        }
    )*};
}

/// The names of the bits of an account filter, from bit 0.
const SIDES: &[&str] = &["debits", "credits", "reversed"];
/// The names of the bits of the query filters.
const ORDERS: &[&str] = &["reversed"];

bits! {
    AccountBits, u16, &AccountFlags::NAMES;
    TransferBits, u16, &TransferFlags::NAMES;
    SideBits, u32, SIDES;
    OrderBits, u32, ORDERS;
}

/// Flags by name, joined by `|`; or a number, to try out bits without a meaning.
fn parse_bits(text: &str, names: &[&str]) -> Result<u32, String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::try_from(parse_number(text, 0)?).map_err(|_| "has too many bits".to_owned());
    }
    let mut bits = 0;
    for name in text.split('|') {
        let Some(bit) = names.iter().position(|known| *known == name) else {
            let hint = super::suggest::nearest(name, names.iter().copied());
            let hint = hint.map_or(String::new(), |near| format!(", did you mean {near}?"));
            return Err(format!(
                "{:?} is no flag{hint} (flags: {})",
                brief(name),
                names.join(" | ")
            ));
        };
        bits |= 1 << bit;
    }
    Ok(bits)
}

fn bits_text(bits: u32, names: &[&str]) -> String {
    let known = (1_u32 << names.len()) - 1;
    if bits == 0 || bits & !known != 0 {
        return if bits == 0 { "0".to_owned() } else { format!("{bits:#x}") };
    }
    set_names(bits, names).collect::<Vec<_>>().join("|")
}

fn bits_json(bits: u32, names: &[&str]) -> Value {
    set_names(bits, names).collect()
}

fn set_names<'a>(bits: u32, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    names.iter().enumerate().filter(move |(bit, _)| bits & (1 << bit) != 0).map(|(_, name)| *name)
}

/// The states of a hold by name.
const HOLD_STATES: [(&str, PendingStatus); 4] = [
    ("pending", PendingStatus::Pending),
    ("posted", PendingStatus::Posted),
    ("voided", PendingStatus::Voided),
    ("expired", PendingStatus::Expired),
];

impl Kind<u16> for HoldStatus {
    fn parse(text: &str) -> Result<u16, String> {
        if let Some((_, status)) = HOLD_STATES.iter().find(|(name, _)| *name == text) {
            return Ok(*status as u16);
        }
        <Number as Kind<u16>>::parse(text)
            .map_err(|_| format!("{:?} is none of pending, posted, voided, expired", brief(text)))
    }

    fn text(value: u16) -> String {
        let known = HOLD_STATES.iter().find(|(_, status)| *status as u16 == value);
        known.map_or_else(|| value.to_string(), |(name, _)| (*name).to_owned())
    }

    fn json(value: u16) -> Value {
        Value::String(Self::text(value))
    }
}

/// The words that a field's value is made of, for completion.
pub(crate) fn value_words(operation: &str, field: &str) -> Vec<&'static str> {
    match (field, operation) {
        ("flags", "create-accounts") => AccountFlags::NAMES.to_vec(),
        ("flags", "create-transfers") => TransferFlags::NAMES.to_vec(),
        ("flags", "get-account-transfers" | "get-account-balances") => SIDES.to_vec(),
        ("flags", _) => ORDERS.to_vec(),
        ("pending_status", _) => HOLD_STATES.iter().map(|(name, _)| *name).collect(),
        ("id", _) => vec!["auto"],
        _ => Vec::new(),
    }
}

macro_rules! fields {
    ($record:ty { $($name:ident: $kind:ident,)* } $($complete:path)?) => {
        impl Fields for $record {
            const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            fn set(&mut self, name: &str, text: &str) -> Option<Result<(), String>> {
                match name {
                    $(stringify!($name) => {
                        Some($kind::parse(text).map(|value| self.$name = value))
                    })*
                    _ => None,
                }
            }

            fn get(&self) -> Vec<Field> {
                vec![$(Field {
                    name: stringify!($name),
                    text: $kind::text(self.$name),
                    json: $kind::json(self.$name),
                    is_zero: self.$name == 0,
                },)*]
            }

            $(fn complete(&mut self, typed: &[&str]) -> Result<(), String> {
                $complete(self, typed)
            })?
        }
    };
}

fields! { Account {
    id: Number,
    debits_pending: Number,
    debits_posted: Number,
    credits_pending: Number,
    credits_posted: Number,
    user_data_128: Number,
    user_data_64: Number,
    user_data_32: Number,
    reserved: Number,
    ledger: Number,
    code: Number,
    flags: AccountBits,
    timestamp: Time,
}}

fields! { Transfer {
    id: Number,
    debit_account_id: Number,
    credit_account_id: Number,
    amount: Number,
    pending_id: Number,
    user_data_128: Number,
    user_data_64: Number,
    user_data_32: Number,
    timeout: Number,
    ledger: Number,
    code: Number,
    flags: TransferBits,
    timestamp: Time,
} complete_amount}

fields! { AccountBalance {
    debits_pending: Number,
    debits_posted: Number,
    credits_pending: Number,
    credits_posted: Number,
    timestamp: Time,
}}

fields! { AccountFilter {
    account_id: Number,
    user_data_128: Number,
    user_data_64: Number,
    user_data_32: Number,
    code: Number,
    timestamp_min: Time,
    timestamp_max: Time,
    limit: Number,
    flags: SideBits,
}}

fields! { QueryAccountsFilter {
    user_data_128: Number,
    user_data_64: Number,
    user_data_32: Number,
    ledger: Number,
    code: Number,
    timestamp_min: Time,
    timestamp_max: Time,
    limit: Number,
    flags: OrderBits,
}}

fields! { QueryTransfersFilter {
    user_data_128: Number,
    user_data_64: Number,
    user_data_32: Number,
    ledger: Number,
    code: Number,
    pending_id: Number,
    pending_status: HoldStatus,
    timestamp_min: Time,
    timestamp_max: Time,
    limit: Number,
    flags: OrderBits,
}}
