//! The menu: the moves that could happen next, counted but never listed.
//!
//! Item 0 is by definition the next move of the calm policy. That policy goes round robin over the kinds of move, and
//! over the ids within a kind. (If polls always came first, a task that wakes itself could starve delivery for ever.)
//!
//! Now and then there is a second list, [`PossibleFaults`]: the faults that could be injected. It is asked for so
//! seldom that it may be a real list.

use crate::moves::{Kind, Lane};
use roaring::RoaringBitmap;

/// The ids that each kind of move could name. [`Kind::Advance`] is missing, because it names none.
pub struct Candidates<'a> {
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
    /// Paused calls, and operations of fake I/O.
    pub resume: &'a RoaringBitmap,
    /// Scripts that offer an operation.
    pub act: &'a RoaringBitmap,
    /// The items that came or went since the last menu, in any order. An item that came and went again may be among
    /// them. `None` if that is not known: then strategies compare the whole menu with the last one, which takes longer
    /// the longer it is.
    pub changes: Option<&'a [Item]>,
}

impl<'a> Candidates<'a> {
    /// No moves at all. `none` is an empty set.
    pub fn empty(none: &'a RoaringBitmap) -> Self {
        Candidates {
            start: none,
            poll: none,
            deliver: none,
            grant: none,
            answer: none,
            resume: none,
            act: none,
            changes: None,
        }
    }

    fn of(&self, kind: Kind) -> Option<&'a RoaringBitmap> {
        match kind {
            Kind::Start => Some(self.start),
            Kind::Poll => Some(self.poll),
            Kind::Deliver => Some(self.deliver),
            Kind::Grant => Some(self.grant),
            Kind::Answer => Some(self.answer),
            Kind::Resume => Some(self.resume),
            Kind::Act => Some(self.act),
            _ => None,
        }
    }
}

const KINDS: usize = Kind::ALL.len();

/// The state of the calm policy: its last moves decide whose turn is next.
#[derive(Clone, Debug, Default)]
pub struct Calm {
    /// Index into [`Kind::ALL`] of the kind that comes first on the next menu.
    next_kind: usize,
    /// By kind, the lowest id that may be next.
    next_id: [u32; KINDS],
}

/// One item of a menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The kind of move.
    pub kind: Kind,
    /// The id of the thing that the move touches. It is 0 for [`Kind::Advance`].
    pub id: u32,
}

impl Item {
    /// The lane of this move.
    pub fn lane(self) -> Lane {
        Lane::of(self.kind, self.id)
    }
}

/// The moves that could happen next: their number by kind, in the order of the items.
#[derive(Clone, Copy)]
pub struct Menu<'a> {
    calm: &'a Calm,
    sets: &'a Candidates<'a>,
    counts: [(Kind, usize); KINDS],
    len: usize,
}

impl Menu<'_> {
    /// The same menu, with the clock first if `is_due`: a time has come that somebody waits for. Otherwise a cell that
    /// never rests could hold the clock back for ever.
    #[must_use]
    pub fn with_time_due(mut self, is_due: bool) -> Self {
        if is_due {
            self.counts.rotate_right(1);
        }
        self
    }

    /// Whether time could pass although something else could happen and no time is due. That item is the last one.
    pub fn could_time_run_ahead(&self) -> bool {
        self.counts.last().is_some_and(|&(kind, count)| kind == Kind::Advance && count > 0)
    }

    /// Whether a time is due, so that the clock's item is the first one.
    pub fn is_time_due(&self) -> bool {
        matches!(self.counts.first(), Some((Kind::Advance, 1..)))
    }

    /// The items that came or went since the last menu, if that is known: [`Candidates::changes`].
    pub fn changes(&self) -> Option<&[Item]> {
        self.sets.changes
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing can happen any more.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The kinds of move in the order of their items, each with its number of items, which may be 0.
    pub fn counts(&self) -> &[(Kind, usize)] {
        &self.counts
    }

    /// The move that an item stands for. The last item takes about as long to find as the first.
    ///
    /// # Panics
    /// If `item` is not on the menu.
    pub fn item(&self, mut item: usize) -> Item {
        for (kind, count) in self.counts {
            if item >= count {
                item -= count;
                continue;
            }
            let Some(ids) = self.sets.of(kind) else { return Item { kind, id: 0 } };
            let first = self.calm.next_id[kind as usize];
            let before = if first == 0 { 0 } else { ids.rank(first - 1) as usize };
            let place = (before + item) % count;
            let id = ids.select(place as u32).expect("the menu counted this set");
            return Item { kind, id };
        }
        panic!("item {item} beyond the end of a menu of {}", self.len);
    }

    /// The place of an item; `None` if it is not on the menu.
    pub fn place_of(&self, item: Item) -> Option<usize> {
        let mut before = 0;
        for (kind, count) in self.counts {
            if kind != item.kind {
                before += count;
                continue;
            }
            let Some(ids) = self.sets.of(kind) else { return (count > 0 && item.id == 0).then_some(before) };
            if !ids.contains(item.id) {
                return None;
            }
            let rank = |id: u32| ids.rank(id) as usize;
            let first = self.calm.next_id[kind as usize].checked_sub(1).map_or(0, rank);
            return Some(before + (rank(item.id) - 1 + count - first) % count);
        }
        None
    }

    /// All items, in order.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        (0..self.len).map(|item| self.item(item))
    }
}

impl Calm {
    /// Counts the moves that could happen. `advance` says whether somebody waits for a time.
    pub fn menu<'a>(&'a self, sets: &'a Candidates<'a>, advance: bool) -> Menu<'a> {
        let mut counts = [(Kind::Advance, usize::from(advance)); KINDS];
        // The clock keeps the last place: time passes when nothing else can happen.
        let turning = KINDS - 1;
        for (place, slot) in counts.iter_mut().take(turning).enumerate() {
            let kind = Kind::ALL[(self.next_kind + place) % turning];
            *slot = (kind, sets.of(kind).map_or(0, |ids| ids.len() as usize));
        }
        let len = counts.iter().map(|(_, count)| count).sum();
        Menu { calm: self, sets, counts, len }
    }

    /// Notes that a move was made, so that its kind and its id come last next time. Injected faults change no turn.
    pub fn took(&mut self, kind: Kind, id: u32) {
        if kind < Kind::Advance {
            self.next_kind = kind as usize + 1;
            self.next_id[kind as usize] = id.wrapping_add(1);
        }
    }
}

/// The faults that could be injected now: for each kind, the ids that it could strike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PossibleFaults(pub Vec<(Kind, Vec<u32>)>);

impl PossibleFaults {
    /// The number of items. Item 0 stands for "no fault" and counts too.
    pub fn len(&self) -> usize {
        1 + self.0.iter().map(|(_, ids)| ids.len()).sum::<usize>()
    }

    /// Whether no fault could be injected.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// The fault that an item stands for, or `None` for item 0.
    pub fn item(&self, item: usize) -> Option<Item> {
        let mut left = item.checked_sub(1)?;
        for (kind, ids) in &self.0 {
            if let Some(&id) = ids.get(left) {
                return Some(Item { kind: *kind, id });
            }
            left -= ids.len();
        }
        None
    }

    /// The place of a kind's first item.
    pub fn first_of(&self, kind: Kind) -> usize {
        1 + self.0.iter().take_while(|(other, _)| *other != kind).map(|(_, ids)| ids.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_zero_goes_round_over_kinds_and_ids() {
        let (poll, deliver): (RoaringBitmap, RoaringBitmap) = ([2, 5].into(), [0].into());
        let none = RoaringBitmap::new();
        let sets = Candidates { poll: &poll, deliver: &deliver, ..Candidates::empty(&none) };
        let mut calm = Calm::default();
        let mut taken = Vec::new();
        for _ in 0..6 {
            let menu = calm.menu(&sets, true);
            assert_eq!(menu.len(), 4);
            let Item { kind, id } = menu.item(0);
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
        let sets = Candidates { start: &start, poll: &poll, ..Candidates::empty(&none) };
        let mut calm = Calm::default();
        calm.took(Kind::Poll, 3);
        let menu = calm.menu(&sets, true);
        let items: Vec<_> = menu.items().map(|item| (item.kind, item.id)).collect();
        let poll = Kind::Poll;
        assert_eq!(items, [(Kind::Start, 9), (poll, 7), (poll, 1), (poll, 3), (Kind::Advance, 0)]);
        for (place, item) in menu.items().enumerate() {
            assert_eq!(menu.place_of(item), Some(place));
        }
        assert_eq!(menu.place_of(Item { kind: poll, id: 2 }), None);
        assert_eq!(menu.place_of(Item { kind: Kind::Grant, id: 1 }), None);
    }

    #[test]
    fn a_time_that_is_due_comes_first() {
        let (poll, none): (RoaringBitmap, RoaringBitmap) = ([1].into(), RoaringBitmap::new());
        let sets = Candidates { poll: &poll, ..Candidates::empty(&none) };
        let calm = Calm::default();
        for (is_due, first) in [(false, Kind::Poll), (true, Kind::Advance)] {
            let menu = calm.menu(&sets, true).with_time_due(is_due);
            assert_eq!((menu.len(), menu.item(0).kind), (2, first));
            assert_eq!((menu.could_time_run_ahead(), menu.is_time_due()), (!is_due, is_due));
        }
    }

    #[test]
    fn faults_are_counted_after_none_at_all() {
        let faults = PossibleFaults(vec![(Kind::Spur, vec![4, 6]), (Kind::Cut, vec![1])]);
        let items: Vec<_> = (0..faults.len()).map(|item| faults.item(item)).collect();
        let item = |kind, id| Some(Item { kind, id });
        assert_eq!(items, [None, item(Kind::Spur, 4), item(Kind::Spur, 6), item(Kind::Cut, 1)]);
        assert_eq!((faults.first_of(Kind::Spur), faults.first_of(Kind::Cut)), (1, 3));
    }
}
