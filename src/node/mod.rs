//! The loops of a node as machines: what a core does, without its thread, its ring and its clock.
//!
//! `handle_*` takes what has happened, `poll_*` gives what is to be done, and the time is an
//! argument. There is no socket, thread, clock or file here. `server/` drives these machines with
//! threads and rings, `sim/` with seeded events, and neither has a second copy of a rule.
//!
//! - `message`: what cores tell each other, and what carries it.
//! - `sequencer`: the core that orders, decides and releases.
//! - `owner`: any other core.
//! - `owners`: the partitions as the sequencer reaches them.
//! - `pace`: how far it runs ahead of the disk, and how much may wait.
//! - `view`, `outbox`: what connections see of the node, and what they want of it.
//! - `action`, `bounds`: what they want done on their sockets, and what they may take.
//! - `connection`, `connections`: what clients send and are sent.

mod action;
mod bounds;
mod connection;
mod connections;
mod message;
mod outbox;
mod owner;
mod owners;
mod pace;
mod sequencer;
mod view;

pub use action::Action;
pub use bounds::{Bounds, Usage};
pub use connections::Connections;
pub use message::{Delivery, Message, Post, Shown};
pub use outbox::{Counts, Outbox};
pub use owner::Owner;
pub use owners::CoreOwners;
pub use pace::{has_room, permit};
pub use sequencer::{LOG_FULL, Released, Sequencer};
pub use view::View;

#[cfg(test)]
mod tests;
