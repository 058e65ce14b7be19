//! Configuration: what was typed becomes what is in force.
//!
//! Each setting comes from the first source that names it: a flag, an environment variable, the
//! configuration file, the built-in default. Where it came from stays with it, so that a wrong value
//! and `config show` can name the place. Nothing here opens a socket or a data directory.

mod file;
mod key;
mod resolve;
mod values;

pub(crate) use file::{ConfigFile, line_of};
pub(crate) use key::{Flags, Key};
pub(crate) use resolve::{Entry, Origin, Settings, resolve};
pub(crate) use values::LogFormat;
pub use values::LogWriter;
