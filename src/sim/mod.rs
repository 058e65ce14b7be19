//! The simulated world: everything that happens in it follows from a seed.
//!
//! - `random`: the only source of chance.
//! - `workload`: requests that are likely to be interesting.
//! - `compare`: the same requests to a subject and to the reference model, answer by answer.
//! - `harness`: the engine on one thread with its log in memory.
//! - `coverage`: which statuses were met.
//! - `world`: one node and its clients, with everything that can go wrong.

pub mod compare;
pub mod coverage;
pub mod harness;
pub mod random;
pub mod workload;
pub mod world;
