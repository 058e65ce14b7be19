//! The ids that one batch itself names, so that its duplicates find each other.

use crate::limits::EVENTS_PER_BATCH_MAX;

/// What a batch says of one id.
#[derive(Debug, Clone, Copy)]
struct Named {
    id: u128,
    first_event: Option<u32>,
    hold_place: Option<u32>,
}

/// A small hash table that is emptied with every batch at a cost that follows the batch's size.
#[derive(Debug, Default)]
pub(super) struct BatchIds {
    /// Index into `named` plus 1; 0 is empty.
    places: Vec<u32>,
    named: Vec<Named>,
}

impl BatchIds {
    /// Starts a batch that names at most that many ids.
    pub(super) fn start(&mut self, ids: usize) {
        assert!(ids <= 2 * EVENTS_PER_BATCH_MAX, "each event names one id, and one hold at most");
        self.named.clear();
        self.places.clear();
        self.places.resize((ids * 2).next_power_of_two().max(8), 0);
    }

    /// The first event with that id: `event`, unless an earlier one was noted.
    pub(super) fn note_event(&mut self, hash: u64, id: u128, event: u32) -> u32 {
        *self.entry(hash, id).first_event.get_or_insert(event)
    }

    /// The place of the hold with that id: `place`, unless it has one already.
    /// Also the first event with that id.
    pub(super) fn note_hold(&mut self, hash: u64, id: u128, place: u32) -> (u32, Option<u32>) {
        let entry = self.entry(hash, id);
        (*entry.hold_place.get_or_insert(place), entry.first_event)
    }

    fn entry(&mut self, hash: u64, id: u128) -> &mut Named {
        let mask = self.places.len() - 1;
        assert!(
            self.named.len() < self.places.len(),
            "there is always an empty place at which a search ends"
        );
        #[expect(clippy::cast_possible_truncation, reason = "takes the low bits of a hash")]
        let mut at = (hash >> 16) as u32 as usize & mask;
        loop {
            let place = self.places[at] as usize;
            if place == 0 {
                self.named.push(Named { id, first_event: None, hold_place: None });
                self.places[at] = u32::try_from(self.named.len()).unwrap_or(u32::MAX);
                let last = self.named.len() - 1;
                return &mut self.named[last];
            }
            if self.named[place - 1].id == id {
                return &mut self.named[place - 1];
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_find_the_first_even_when_hashes_collide() {
        let mut ids = BatchIds::default();
        ids.start(6);
        assert_eq!(ids.note_event(9, 1, 0), 0);
        assert_eq!(ids.note_event(9, 2, 1), 1);
        assert_eq!(ids.note_event(9, 1, 2), 0);
        assert_eq!(ids.note_hold(9, 2, 0), (0, Some(1)));
        assert_eq!(ids.note_hold(9, 3, 1), (1, None));
        assert_eq!(ids.note_hold(9, 2, 2), (0, Some(1)));
        ids.start(1);
        assert_eq!(ids.note_event(9, 1, 5), 5);
    }
}
