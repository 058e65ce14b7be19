//! What is said to the user besides the result: on stderr, one line each.

use std::io::{self, Write};

/// Tells the user something on stderr. A stderr that is gone is no reason to stop.
pub(super) fn say(message: &str) {
    let _ = writeln!(io::stderr().lock(), "partita: {message}");
}
