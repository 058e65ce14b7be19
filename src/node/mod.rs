//! The loops of a node as machines: what a core does, without its thread, its ring and its clock.
//!
//! `handle_*` takes what has happened, `poll_*` gives what is to be done, and the time is an
//! argument. There is no socket, thread, clock or file here. `server/` drives these machines with
//! threads and rings, `sim/` with seeded events, and neither has a second copy of a rule.
//!
//! - `view`, `outbox`: what connections see of the node, and what they want of it.
//! - `action`, `bounds`: what they want done on their sockets, and what they may take.
//! - `connection`, `connections`: what clients send and are sent.

mod action;
mod bounds;
mod connection;
mod connections;
mod outbox;
mod view;

pub use action::Action;
pub use bounds::{Bounds, Usage};
pub use connections::Connections;
pub use outbox::{Counts, Outbox};
pub use view::View;
