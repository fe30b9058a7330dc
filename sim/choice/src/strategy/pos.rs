//! Partial order sampling: priorities for moves, not for lanes.

use super::possible::Possible;
use super::time::Time;
use super::{Request, Strategy, Weather};
use crate::lanes::PerLane;
use crate::menu::{Item, Menu};
use crate::moves::{Kind, Lane};
use crate::profile::Profile;
use crate::seed::{Purpose, Seed};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeSet;

/// POS (Yuan, Yang, Gu, CAV 2018).
///
/// Each move gets a random priority when it first becomes possible, and the move with the highest priority goes. After
/// it, the moves that race with it get new priorities. So both orders of two racing moves are about equally likely,
/// however long one of the two has waited.
///
/// Two moves race if they are of one lane, if one polls an actor and the other moves a pipe that this actor has read or
/// written, or if they poll two actors at the ends of one pipe. The actors at the ends of a pipe are learnt from the
/// pipes that their polls have touched. Anything else that actors share (a task's captured `Rc`) is invisible: polls of
/// such actors do not race here.
pub struct Pos {
    rng: ChaCha8Rng,
    possible: Possible,
    /// For each lane, the priorities of its moves by kind.
    priorities: PerLane<[Option<u32>; Kind::ALL.len()]>,
    /// The possible moves that have a priority, in its order.
    ranked: BTreeSet<(u32, Item)>,
    /// Possible moves that have no priority yet.
    unranked: Vec<Item>,
    /// For each lane, the lanes that it was seen to touch: for an actor its pipes, for a pipe its actors.
    touched: PerLane<BTreeSet<Lane>>,
    /// The last move. Its races are settled once it is known which pipes it touched.
    moved: Option<Lane>,
    /// Empty, kept for its memory.
    racing: Vec<Lane>,
    time: Time,
    weather: Weather,
}

impl Pos {
    /// The sampler of one seed.
    pub fn new(seed: Seed, profile: &Profile) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        Pos {
            rng,
            possible: Possible::default(),
            priorities: PerLane::default(),
            ranked: BTreeSet::new(),
            unranked: Vec::new(),
            touched: PerLane::default(),
            moved: None,
            racing: Vec::new(),
            time,
            weather: Weather::new(seed, profile),
        }
    }

    /// Takes the priorities of all moves that race with the last one. This takes a time that grows with the number of
    /// pipes that its actor has touched.
    fn settle(&mut self) {
        let Some(moved) = self.moved.take() else { return };
        let mut racing = std::mem::take(&mut self.racing);
        racing.extend(self.racing(moved));
        for lane in racing.drain(..) {
            let priorities = std::mem::take(self.priorities.at(lane));
            for (kind, priority) in Kind::ALL.into_iter().zip(priorities) {
                let item = Item { kind, id: lane.id() };
                if priority.is_some_and(|priority| self.ranked.remove(&(priority, item))) {
                    self.unranked.push(item);
                }
            }
        }
        self.racing = racing;
    }

    /// The lanes whose moves race with a move of this one. Some may come twice.
    fn racing(&self, moved: Lane) -> impl Iterator<Item = Lane> {
        let touched = |lane: Lane| self.touched.get(lane).into_iter().flatten().copied();
        let is_actor = matches!(moved, Lane::Actor(_));
        let beyond = touched(moved).filter(move |_| is_actor).flat_map(touched);
        touched(moved).chain(beyond).chain([moved])
    }

    /// Gives a priority to each possible move that has none, in the order of the menu.
    fn rank_new_ones(&mut self, menu: &Menu<'_>) {
        let is_due = menu.is_time_due();
        let counts = |item: &Item| item.kind != Kind::Advance || is_due;
        let place = |item: Item| menu.place_of(item).filter(|_| counts(&item)).map(|place| (place, item));
        let mut new: Vec<_> = self.unranked.drain(..).filter_map(place).collect();
        new.sort_unstable();
        new.dedup();
        for (_, item) in new {
            let priority = &mut self.priorities.at(item.lane())[item.kind as usize];
            let priority = *priority.get_or_insert_with(|| self.rng.next_u32());
            self.ranked.insert((priority, item));
        }
    }
}

impl Strategy for Pos {
    fn look(&mut self, menu: &Menu<'_>) {
        self.settle();
        self.possible.look(menu, |item, is_possible| {
            match (self.priorities.at(item.lane())[item.kind as usize], is_possible) {
                (Some(priority), true) => drop(self.ranked.insert((priority, item))),
                (Some(priority), false) => drop(self.ranked.remove(&(priority, item))),
                (None, true) => self.unranked.push(item),
                (None, false) => {}
            }
        });
    }

    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        if self.time.others(menu, &mut self.rng).is_none() {
            return menu.len() - 1;
        }
        let clock = Item { kind: Kind::Advance, id: 0 };
        if menu.is_time_due() {
            self.unranked.push(clock);
        } else if let Some(priority) = self.priorities.at(Lane::Clock)[clock.kind as usize] {
            self.ranked.remove(&(priority, clock));
        }
        self.rank_new_ones(menu);
        // Among equals the first on the menu is taken.
        let Some((highest, _)) = self.ranked.last().copied() else { return 0 };
        let equals = self.ranked.range((highest, Item { kind: Kind::Start, id: 0 })..);
        equals.filter_map(|(_, item)| menu.place_of(*item)).min().unwrap_or(0)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        self.settle();
        self.moved = Some(item.lane());
    }

    fn touched(&mut self, pipe: u32) {
        if let Some(actor @ Lane::Actor(_)) = self.moved {
            self.touched.at(actor).insert(Lane::Pipe(pipe));
            self.touched.at(Lane::Pipe(pipe)).insert(actor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touched_a_pipe_races_with_it_and_with_who_else_did() {
        let mut pos = Pos::new(Seed(1), &Profile::calm());
        for (actor, pipe) in [(0, 7), (1, 7), (2, 8)] {
            pos.went(Item { kind: Kind::Poll, id: actor });
            pos.touched(pipe);
        }
        let (actor, pipe) = (Lane::Actor, Lane::Pipe);
        let racing = |lane| pos.racing(lane).collect::<BTreeSet<_>>();
        assert_eq!(racing(actor(0)), [actor(0), actor(1), pipe(7)].into());
        assert_eq!(racing(pipe(7)), [actor(0), actor(1), pipe(7)].into());
        assert_eq!(racing(actor(2)), [actor(2), pipe(8)].into());
        assert_eq!(racing(pipe(8)), [actor(2), pipe(8)].into());
        assert_eq!(racing(Lane::Clock), [Lane::Clock].into());
    }
}
