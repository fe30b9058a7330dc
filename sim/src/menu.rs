//! The menu: what could happen next, counted, never listed.
//!
//! Item 0 is by definition the calm policy's next move: round robin, over the kinds of move and over the ids
//! within a kind. (Polls always first would let a task that wakes itself starve delivery for ever.)

use crate::moves::Kind;
use roaring::RoaringBitmap;

/// The ids that could be named by each kind of move but [`Kind::Advance`], which names none.
pub struct Sets<'a> {
    /// Cells to start.
    pub start: &'a RoaringBitmap,
    /// Actors to poll.
    pub poll: &'a RoaringBitmap,
    /// Pipes to deliver on.
    pub deliver: &'a RoaringBitmap,
    /// Pipes to grant on.
    pub grant: &'a RoaringBitmap,
    /// Gates to open.
    pub answer: &'a RoaringBitmap,
}

impl<'a> Sets<'a> {
    fn of(&self, kind: Kind) -> Option<&'a RoaringBitmap> {
        match kind {
            Kind::Start => Some(self.start),
            Kind::Poll => Some(self.poll),
            Kind::Deliver => Some(self.deliver),
            Kind::Grant => Some(self.grant),
            Kind::Answer => Some(self.answer),
            Kind::Advance => None,
        }
    }
}

const KINDS: usize = Kind::ALL.len();

/// Where the calm policy stands: what it took last.
#[derive(Clone, Debug, Default)]
pub struct Calm {
    /// Index into [`Kind::ALL`] of the kind whose turn comes first.
    next_kind: usize,
    /// By kind, the first id whose turn it may be.
    next_id: [u32; KINDS],
}

/// What could happen next: by kind, in the order of its items, how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Menu {
    counts: [(Kind, usize); KINDS],
    len: usize,
}

impl Menu {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing can happen any more.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The kinds of move in the order of their items, each with its number of items, 0 included.
    pub fn counts(&self) -> &[(Kind, usize)] {
        &self.counts
    }
}

impl Calm {
    /// Counts what could happen. `advance` says whether somebody waits for a time.
    pub fn menu(&self, sets: &Sets<'_>, advance: bool) -> Menu {
        let mut counts = [(Kind::Advance, usize::from(advance)); KINDS];
        // The clock keeps the last place: time passes when nothing else can happen.
        let turning = KINDS - 1;
        for (place, slot) in counts.iter_mut().take(turning).enumerate() {
            let kind = Kind::ALL[(self.next_kind + place) % turning];
            *slot = (kind, sets.of(kind).map_or(0, |ids| ids.len() as usize));
        }
        let len = counts.iter().map(|(_, count)| count).sum();
        Menu { counts, len }
    }

    /// The kind and the id of an item; the id of [`Kind::Advance`] is 0.
    ///
    /// # Panics
    /// Where `item` is not on the menu.
    pub fn item(&self, menu: &Menu, sets: &Sets<'_>, mut item: usize) -> (Kind, u32) {
        for (kind, count) in menu.counts {
            if item >= count {
                item -= count;
                continue;
            }
            let Some(ids) = sets.of(kind) else { return (kind, 0) };
            let first = self.next_id[kind as usize];
            let before = if first == 0 { 0 } else { ids.rank(first - 1) as usize };
            let place = (before + item) % count;
            let id = ids.select(place as u32).expect("the menu counted this set");
            return (kind, id);
        }
        panic!("item {item} beyond the end of a menu of {}", menu.len);
    }

    /// Notes that a move was made, so that its kind and its id come last next time.
    pub fn took(&mut self, kind: Kind, id: u32) {
        if kind != Kind::Advance {
            self.next_kind = kind as usize + 1;
            self.next_id[kind as usize] = id.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_zero_goes_round_over_kinds_and_ids() {
        let (poll, deliver): (RoaringBitmap, RoaringBitmap) = ([2, 5].into(), [0].into());
        let none = RoaringBitmap::new();
        let sets = Sets { start: &none, poll: &poll, deliver: &deliver, grant: &none, answer: &none };
        let mut calm = Calm::default();
        let mut taken = Vec::new();
        for _ in 0..6 {
            let menu = calm.menu(&sets, true);
            assert_eq!(menu.len(), 4);
            let (kind, id) = calm.item(&menu, &sets, 0);
            calm.took(kind, id);
            taken.push((kind, id));
        }
        let (poll, deliver) = (Kind::Poll, Kind::Deliver);
        let round = [(poll, 2), (deliver, 0), (poll, 5), (deliver, 0), (poll, 2), (deliver, 0)];
        assert_eq!(taken, round);
    }

    #[test]
    fn every_item_is_another_move_and_time_comes_last() {
        let (start, poll): (RoaringBitmap, RoaringBitmap) = ([9].into(), [1, 3, 7].into());
        let none = RoaringBitmap::new();
        let sets = Sets { start: &start, poll: &poll, deliver: &none, grant: &none, answer: &none };
        let mut calm = Calm::default();
        calm.took(Kind::Poll, 3);
        let menu = calm.menu(&sets, true);
        let items: Vec<_> = (0..menu.len()).map(|item| calm.item(&menu, &sets, item)).collect();
        let poll = Kind::Poll;
        assert_eq!(items, [(Kind::Start, 9), (poll, 7), (poll, 1), (poll, 3), (Kind::Advance, 0)]);
    }
}
