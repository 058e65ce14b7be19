//! The kinds of ordered work, each with the same verbs, and the one table that names them all.
//!
//! A kind is a file here. It *begins* by routing its questions to the owners of the partitions; it
//! *advances* with their answers, and asks again, needs old records first, or has decided; it *writes*
//! its frame; the owners *apply* it; it *answers*; and it is *read back* from a frame of the log to be
//! decided again. The coordinator leads any of them and doesn't know which. A kind that lacks one of
//! these doesn't compile, nor does a kind of frame that nobody reads back.

mod accounts;
mod batch;
mod command;
mod expiry;
mod fence;
mod reads;
mod scan;
mod table;
mod transfers;
mod verbs;

pub(super) use self::command::Act;
pub(super) use self::table::{Activity, Led};
pub(super) use self::verbs::Cold;
