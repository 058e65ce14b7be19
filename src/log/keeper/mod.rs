//! The keeper: it has the next segments ready before they are needed, and writes hints to the meta
//! file. Neither ever holds up the writer.
//!
//! A full disk shows here, while there is still room in the segments that are ready: whoever orders
//! learns of it before the room ends ([`super::Room`]).
//!
//! - `machine`: what is to be done, and when. No thread, no file, no clock.
//! - `thread`: the thread that does it.

mod machine;
mod thread;

pub use machine::{KeeperAction, KeeperFailed, KeeperMachine};
pub(super) use thread::{Keeper, KeeperParts};
