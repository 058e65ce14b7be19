//! The rules of the repository, as tests: what no compiler checks and every reader relies on.
//!
//! Each rule is a pure function from text to complaints, tried on small samples that break it, and
//! then held against the whole tree.

#![expect(
    clippy::unwrap_used,
    reason = "a file of the repository that can't be read fails the test"
)]

mod circles;
mod dependencies;
mod documents;
mod modules;
mod mutants;
mod operating;
mod paths;
mod shape;
mod tree;
mod words;

/// Fails with every complaint at once, one per line.
fn assert_none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}
