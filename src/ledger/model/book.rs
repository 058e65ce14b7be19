//! A map that can take back everything since a chain began. It owns rows and their former values,
//! promises to restore them exactly, and knows nothing about what they mean.

use std::collections::BTreeMap;

/// Rows by key. Between [`Book::begin`] and [`Book::keep`] or [`Book::undo`] it remembers what each
/// written row was before.
#[derive(Debug, Clone)]
pub(super) struct Book<K, V> {
    rows: BTreeMap<K, V>,
    before: Vec<(K, Option<V>)>,
    in_chain: bool,
}

impl<K, V> Default for Book<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), before: Vec::new(), in_chain: false }
    }
}

impl<K: Ord + Copy, V: Copy> Book<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(super) fn rows(&self) -> &BTreeMap<K, V> {
        &self.rows
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        let before = self.rows.insert(key, value);
        if self.in_chain {
            self.before.push((key, before));
        }
    }

    pub(super) fn begin(&mut self) {
        assert!(!self.in_chain, "chains don't nest");
        self.in_chain = true;
    }

    pub(super) fn keep(&mut self) {
        self.in_chain = false;
        self.before.clear();
    }

    /// Puts the old rows back, newest change first, so that the oldest value of a row wins.
    pub(super) fn undo(&mut self) {
        self.in_chain = false;
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }
}
