//! Partial order sampling: priorities for moves, not for lanes.

use super::time::Time;
use super::{Request, Strategy, Weather};
use crate::menu::{Item, Menu};
use crate::moves::{Kind, Lane};
use crate::profile::Profile;
use crate::seed::{Purpose, Seed};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::{BTreeMap, BTreeSet};

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
    priorities: BTreeMap<(Kind, u32), u32>,
    /// For each actor, the pipes that it was seen to touch.
    pipes: BTreeMap<u32, BTreeSet<u32>>,
    /// The last move. Its races are settled once it is known which pipes it touched.
    moved: Option<Lane>,
    time: Time,
    weather: Weather,
}

impl Pos {
    /// The sampler of one seed.
    pub fn new(seed: Seed, profile: &Profile) -> Self {
        let mut rng = seed.stream(Purpose::Choices);
        let time = Time::new(&mut rng);
        let (priorities, pipes) = (BTreeMap::new(), BTreeMap::new());
        Pos { rng, priorities, pipes, moved: None, time, weather: Weather::new(seed, profile) }
    }

    fn settle(&mut self) {
        let Some(moved) = self.moved.take() else { return };
        let pipes = &self.pipes;
        self.priorities.retain(|&(kind, id), _| !race(pipes, Lane::of(kind, id), moved));
    }
}

fn race(pipes: &BTreeMap<u32, BTreeSet<u32>>, one: Lane, other: Lane) -> bool {
    if one == other {
        return true;
    }
    let of = |actor: &u32| pipes.get(actor);
    match (&one, &other) {
        (Lane::Actor(actor), Lane::Pipe(pipe)) | (Lane::Pipe(pipe), Lane::Actor(actor)) => {
            of(actor).is_some_and(|pipes| pipes.contains(pipe))
        }
        (Lane::Actor(one), Lane::Actor(other)) => {
            of(one).zip(of(other)).is_some_and(|(ours, theirs)| !ours.is_disjoint(theirs))
        }
        _ => false,
    }
}

impl Strategy for Pos {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        self.settle();
        let Some(others) = self.time.others(menu, &mut self.rng) else { return menu.len() - 1 };
        let (priorities, rng) = (&mut self.priorities, &mut self.rng);
        let mut priority =
            |item: Item| *priorities.entry((item.kind, item.id)).or_insert_with(|| rng.next_u32());
        let ranked = menu.items().take(others).enumerate().map(|(place, item)| (priority(item), place));
        // Among equals the first wins, but there are hardly any.
        ranked.max_by_key(|&(priority, place)| (priority, std::cmp::Reverse(place))).map_or(0, |best| best.1)
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        self.weather.draw(ask)
    }

    fn went(&mut self, item: Item) {
        self.settle();
        self.moved = Some(item.lane());
    }

    fn touched(&mut self, pipe: u32) {
        if let Some(Lane::Actor(actor)) = self.moved {
            self.pipes.entry(actor).or_default().insert(pipe);
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
        let race = |one, other| race(&pos.pipes, one, other);
        let (actor, pipe) = (Lane::Actor, Lane::Pipe);
        assert!(race(actor(0), pipe(7)) && race(pipe(7), actor(1)) && race(actor(0), actor(1)));
        assert!(race(actor(2), actor(2)) && race(pipe(8), pipe(8)));
        assert!(!race(actor(2), pipe(7)) && !race(actor(0), actor(2)) && !race(pipe(7), pipe(8)));
    }
}
