//! The rules of the ledger over dense rows: the engine's implementation.
//!
//! Owns the serial decision of a batch: it takes events with everything they refer to already
//! loaded (`Operand`s into dense arrays), and yields a result for each. It promises the
//! precedence of the specification and to undo a failed chain without a trace, but for burned ids.
//! It never looks anything up, never allocates once warm, and knows nothing of tables or logs.

mod accounts;
mod chain;
mod clock;
mod command;
mod compare;
mod operand;
mod pending;
mod rows;
mod rules;
mod transfers;

pub use accounts::{AccountDecider, AccountOperand};
pub use clock::BatchClock;
pub use command::raise_capacity;
pub use operand::{HoldReference, HoldRow, HoldState, IdState, Operand};
pub use rows::{DenseRow, RowReference, Rows};
pub use transfers::{Amended, Balance, Settled, TransferDecider, TransferInput};
