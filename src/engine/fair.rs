//! Long work of many connections, each of which gets its turn.

use std::collections::{BTreeMap, VecDeque};

use super::source::Source;

/// A connection, whichever of its requests names it.
type Connection = (u16, u32, u32);

const fn connection_of(source: Source) -> Connection {
    (source.core, source.slot, source.generation)
}

/// Pieces of work by connection. Those of one connection are done one after the other, those of different
/// ones in turns: who asks for a thousand things at once holds up only himself.
///
/// Invariant: a connection is in `turns` once if it has work here, and not at all otherwise.
#[derive(Debug)]
pub struct Fair<T> {
    lines: BTreeMap<Connection, VecDeque<(Source, T)>>,
    turns: VecDeque<Connection>,
    /// Whose work was taken, and whether the connection has gone since.
    taken: Option<(Connection, bool)>,
    waiting: usize,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), turns: VecDeque::new(), taken: None, waiting: 0 }
    }
}

impl<T> Fair<T> {
    /// Takes in work behind all other of its connection.
    pub fn push(&mut self, source: Source, work: T) {
        let key = connection_of(source);
        let line = self.lines.entry(key).or_default();
        let is_new = line.is_empty();
        line.push_back((source, work));
        self.waiting += 1;
        if is_new {
            self.turns.push_back(key);
        }
    }

    /// The work whose turn it is. It comes back with [`Fair::put_back`] or is over with [`Fair::end`].
    pub fn take(&mut self) -> Option<(Source, T)> {
        assert!(self.taken.is_none(), "one piece of work is done at a time");
        let key = self.turns.pop_front()?;
        let Some(line) = self.lines.get_mut(&key) else { unreachable!("who has a turn has work") };
        let work = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&key);
        }
        assert!(self.waiting > 0, "what is taken was waiting");
        self.waiting -= 1;
        self.taken = Some((key, false));
        Some(work)
    }

    /// The work that was taken isn't done yet: its connection gets another turn, after the others.
    pub fn put_back(&mut self, source: Source, work: T) {
        let key = connection_of(source);
        let taken = self.taken.take();
        assert!(taken.is_some_and(|(whose, _)| whose == key), "what was taken comes back");
        if taken.is_some_and(|(_, gone)| gone) {
            return;
        }
        self.lines.entry(key).or_default().push_front((source, work));
        self.waiting += 1;
        self.turns.push_back(key);
    }

    /// The work that was taken is over. Whether its connection is still there.
    pub fn end(&mut self) -> bool {
        let Some((key, gone)) = self.taken.take() else {
            unreachable!("only what was taken can be over")
        };
        if self.lines.contains_key(&key) {
            self.turns.push_back(key);
        }
        !gone
    }

    /// A connection is gone, and with it all its work.
    pub fn forget(&mut self, source: Source) {
        let key = connection_of(source);
        if let Some(line) = self.lines.remove(&key) {
            self.waiting -= line.len();
            self.turns.retain(|turn| *turn != key);
        }
        if let Some((whose, gone)) = &mut self.taken {
            *gone |= *whose == key;
        }
    }

    /// Pieces of work here, the one that was taken among them.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.waiting + self.taken.is_some() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether any waits for its turn.
    #[must_use]
    pub const fn has_next(&self) -> bool {
        self.waiting > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(slot: u32) -> Source {
        Source { core: 0, slot, generation: 0, correlation: 0 }
    }

    #[test]
    fn connections_take_turns_however_much_each_of_them_wants() {
        let mut fair = Fair::default();
        for number in 0..5 {
            fair.push(source(1), (1, number));
        }
        fair.push(source(2), (2, 0));
        fair.push(source(3), (3, 0));
        let mut order = Vec::new();
        for round in 0..6 {
            let (from, work) = fair.take().unwrap();
            order.push(work);
            // The first two rounds end nothing.
            if round < 2 {
                fair.put_back(from, work);
            } else {
                assert!(fair.end());
            }
        }
        assert_eq!(order, [(1, 0), (2, 0), (3, 0), (1, 0), (2, 0), (1, 1)]);
        assert_eq!((fair.len(), fair.has_next()), (3, true));
    }

    #[test]
    fn what_a_connection_wanted_goes_with_it_also_what_is_being_done() {
        let mut fair = Fair::default();
        fair.push(source(1), 1);
        fair.push(source(1), 2);
        fair.push(source(2), 3);
        let (from, work) = fair.take().unwrap();
        assert_eq!(work, 1);
        fair.forget(source(1));
        assert_eq!(fair.len(), 2);
        fair.put_back(from, work);
        assert_eq!(fair.take().unwrap().1, 3);
        fair.forget(source(2));
        assert!(!fair.end(), "its connection is gone");
        assert!(fair.is_empty() && fair.take().is_none());
    }
}
