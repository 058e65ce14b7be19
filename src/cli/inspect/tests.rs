//! Views of small logs.
