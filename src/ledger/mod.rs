//! What the ledger means: records, statuses and the rules that connect them.
//!
//! Pure: no clock, no I/O, no randomness, no threads. Time comes in as an argument.
//! `decide` is the engine's implementation of the rules, `model` the slow and obvious one that
//! tests compare it with; they share the record types and nothing else.

pub mod decide;
pub mod digest;

mod account;
mod balance;
mod command;
mod explanations;
mod filter;
pub mod model;
mod numbers;
mod resolve;
mod result;
mod status;
mod transfer;

/// Version of the rules that decide. A cluster keeps those that it was made with.
pub const RULES_VERSION: u32 = 1;

pub use account::{Account, AccountFlags};
pub use balance::AccountBalance;
pub use command::{Capacity, Command, CommandResult, CommandWords};
pub use explanations::Explanation;
pub use filter::{
    AccountFilter, AccountFilterFlags, FilterError, PendingStatus, QueryAccountsFilter,
    QueryFilterFlags, QueryTransfersFilter,
};
pub use numbers::{Op, Timestamp};
pub use resolve::{ResolveFlags, ResolveOutcome, ResolveResult};
pub use result::CreateResult;
pub use status::{CommandStatus, CreateAccountStatus, CreateTransferStatus};
pub use transfer::{Transfer, TransferFlags};
