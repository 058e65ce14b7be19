//! The place of checkpoints: consistent cuts of the state at one op, from which a restart begins.
//!
//! There are none yet, so a restart replays the whole log. When they come they stand here, between
//! the log, which says where a cut is, and the engine, which says what is in it.
