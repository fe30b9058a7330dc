//! The moves that are possible, kept up to date from menu to menu.

use crate::lanes::PerLane;
use crate::menu::{Item, Menu};
use crate::moves::{Kind, Lane};

/// The items of the last menu by lane, without that of the clock. A strategy that compares all items uses this: it
/// learns only what changed, so a step costs the same in a world of any size.
#[derive(Default)]
pub(super) struct Possible {
    /// For each lane a bit for each kind of move that it could make.
    kinds: PerLane<u16>,
}

impl Possible {
    /// Takes in the changes of the next menu. `changed` is told each lane that became able to move (`true`) or unable.
    pub(super) fn look_at_lanes(&mut self, menu: &Menu<'_>, mut changed: impl FnMut(Lane, bool)) {
        self.look_at_all(menu, |item, is_possible, others| {
            if !others {
                changed(item.lane(), is_possible);
            }
        });
    }

    /// Takes in the changes of the next menu. `changed` is told each item that came (`true`) or went.
    pub(super) fn look(&mut self, menu: &Menu<'_>, mut changed: impl FnMut(Item, bool)) {
        self.look_at_all(menu, |item, is_possible, _| changed(item, is_possible));
    }

    /// The third argument of `changed` says whether the item's lane has other items.
    fn look_at_all(&mut self, menu: &Menu<'_>, mut changed: impl FnMut(Item, bool, bool)) {
        if let Some(changes) = menu.changes() {
            for &item in changes {
                self.set(item, menu.place_of(item).is_some(), &mut changed);
            }
            return;
        }
        let gone: Vec<Item> = self.lanes().flat_map(|lane| self.items(lane)).collect();
        for item in gone.into_iter().filter(|item| menu.place_of(*item).is_none()) {
            self.set(item, false, &mut changed);
        }
        for item in menu.items().filter(|item| item.kind != Kind::Advance) {
            self.set(item, true, &mut changed);
        }
    }

    fn set(&mut self, item: Item, is_possible: bool, changed: &mut impl FnMut(Item, bool, bool)) {
        let kinds = self.kinds.at(item.lane());
        let bit = 1 << item.kind as u16;
        if (*kinds & bit != 0) != is_possible {
            *kinds ^= bit;
            changed(item, is_possible, *kinds & !bit != 0);
        }
    }

    /// Whether a lane could move.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.kinds.get(lane).is_some_and(|kinds| *kinds != 0)
    }

    /// The moves that a lane could make, in the order of their kinds.
    pub(super) fn items(&self, lane: Lane) -> impl Iterator<Item = Item> + use<> {
        let kinds = self.kinds.get(lane).copied().unwrap_or(0);
        Kind::ALL
            .into_iter()
            .filter(move |kind| kinds & (1 << *kind as u16) != 0)
            .map(move |kind| Item { kind, id: lane.id() })
    }

    /// The lanes that could move, in their order.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.kinds.iter().filter(|(_, kinds)| **kinds != 0).map(|(lane, _)| lane)
    }

    /// The place on the menu of the first item of a lane.
    pub(super) fn first_place(&self, lane: Lane, menu: &Menu<'_>) -> Option<usize> {
        if lane == Lane::Clock {
            return menu.place_of(Item { kind: Kind::Advance, id: 0 });
        }
        self.items(lane).filter_map(|item| menu.place_of(item)).min()
    }
}
