//! The moves that each lane has left according to a survey, and the weights that follow from them.

use super::Survey;
use super::possible::Possible;
use crate::lanes::{LaneWeights, PerLane};
use crate::menu::{Item, Menu};
use crate::moves::{Kind, Lane};
use std::collections::VecDeque;

/// How many steps a chain of waiting lanes is followed to find a lane that can go.
pub(super) const MAX_HOPS: u32 = 16;

/// The most lanes whose moves are counted anew for one pick. If more lanes wait for the one that moved, the others are
/// counted at the next picks. So a pick costs the same in a world of any size, and up to this many lanes all weights are
/// exact.
const MAX_COUNTED: usize = 64;

/// The lanes that can move. The clock can move if a time is due.
#[derive(Default)]
pub(super) struct Able {
    possible: Possible,
    is_time_due: bool,
}

impl Able {
    /// Takes in the changes of the next menu. `toggled` is told each lane that became able to move or unable.
    pub(super) fn look(&mut self, menu: &Menu<'_>, mut toggled: impl FnMut(Lane)) {
        self.possible.look_at_lanes(menu, |lane, _| toggled(lane));
    }

    /// The same for the clock alone.
    pub(super) fn look_at_clock(&mut self, menu: &Menu<'_>, toggled: impl FnOnce(Lane)) {
        if self.is_time_due != menu.is_time_due() {
            self.is_time_due = menu.is_time_due();
            toggled(Lane::Clock);
        }
    }

    pub(super) fn can_move(&self, lane: Lane) -> bool {
        match lane {
            Lane::Clock => self.is_time_due,
            lane => self.possible.has(lane),
        }
    }

    /// The moves that a lane can make.
    pub(super) fn items(&self, lane: Lane) -> impl Iterator<Item = Item> + use<> {
        let clock = lane == Lane::Clock && self.is_time_due;
        self.possible.items(lane).chain(clock.then_some(Item { kind: Kind::Advance, id: 0 }))
    }
}

/// The moves that each lane has left. They count for the lane itself up to the point at which it waits for another, and
/// from there on for the lane that it waits for.
pub(super) struct Remaining {
    lanes: PerLane<Left>,
    /// The weights of the lanes that can move.
    weights: LaneWeights,
    /// The lanes whose moves are to be counted anew, in the order in which that was noticed.
    uncounted: VecDeque<Lane>,
    /// The lanes whose weight may have changed.
    unweighed: Vec<Lane>,
    /// Whether no weight was asked for so far.
    is_new: bool,
}

/// What is known of one lane.
#[derive(Default)]
struct Left {
    /// The moves that it has left.
    own: u64,
    made: u32,
    /// The points at which it became able to move in the survey: how many moves it had made, and the lane that moved just
    /// before.
    wakes: Vec<(u32, Lane)>,
    /// The lanes for which its moves count, each with the number of moves.
    counts_for: [Option<(Lane, u64)>; 2],
    /// The moves that count for it.
    sum: u64,
    /// The lanes whose count depends on this one, each with the number of its count. Older counts no longer matter.
    dependents: Vec<(Lane, u32)>,
    /// The number of its last count.
    count: u32,
    is_uncounted: bool,
    is_unweighed: bool,
}

impl Remaining {
    pub(super) fn new(survey: &Survey, counts: impl Fn(Lane) -> bool) -> Self {
        let mut lanes = PerLane::<Left>::default();
        for (&lane, wakes) in &survey.wakes {
            lanes.at(lane).wakes.clone_from(wakes);
        }
        let mut uncounted = VecDeque::new();
        for (&lane, &moves) in survey.moves.iter().filter(|(lane, _)| counts(**lane)) {
            let left = lanes.at(lane);
            left.own = u64::from(moves);
            left.is_uncounted = true;
            uncounted.push_back(lane);
        }
        let (weights, unweighed) = (LaneWeights::default(), Vec::new());
        Remaining { lanes, weights, uncounted, unweighed, is_new: true }
    }

    /// Notes that a lane became able to move, or unable.
    pub(super) fn toggled(&mut self, lane: Lane) {
        self.count_again(lane);
        self.weigh_again(lane);
        for (dependent, count) in std::mem::take(&mut self.lanes.at(lane).dependents) {
            if self.lanes.at(dependent).count == count {
                self.count_again(dependent);
            }
        }
    }

    /// Notes that a lane made a move.
    pub(super) fn went(&mut self, lane: Lane, able: &Able) {
        let left = self.lanes.at(lane);
        left.made += 1;
        left.own = left.own.saturating_sub(1);
        if able.can_move(lane) {
            self.count_again(lane);
        } else {
            // It was the only one that could move, as the clock is when all others wait.
            self.toggled(lane);
        }
    }

    fn count_again(&mut self, lane: Lane) {
        let left = self.lanes.at(lane);
        if !std::mem::replace(&mut left.is_uncounted, true) {
            self.uncounted.push_back(lane);
        }
    }

    fn weigh_again(&mut self, lane: Lane) {
        let left = self.lanes.at(lane);
        if !std::mem::replace(&mut left.is_unweighed, true) {
            self.unweighed.push(lane);
        }
    }

    pub(super) fn own(&self, lane: Lane) -> u64 {
        self.lanes.get(lane).map_or(0, |left| left.own)
    }

    /// The lane for which a lane that cannot move now waits: the one that let it move again at this point of the
    /// survey.
    pub(super) fn waits_for(&self, lane: Lane) -> Option<Lane> {
        let left = self.lanes.get(lane)?;
        first_from(&left.wakes, left.made).or(left.wakes.last()).map(|(_, by)| *by)
    }

    /// How likely a lane is to go. The weight is the moves that it has left before it waits for another, plus those of
    /// the lanes that wait for it. It is at least 1 if the lane can move, because an estimate may be wrong.
    pub(super) fn weight(&self, lane: Lane, able: &Able) -> u64 {
        if able.can_move(lane) { self.lanes.get(lane).map_or(1, |left| left.sum.max(1)) } else { 0 }
    }

    /// Brings the weights up to date. `changed` is told each weight that may have changed.
    pub(super) fn weigh(&mut self, able: &Able, mut changed: impl FnMut(Lane, u64)) {
        let most = if std::mem::take(&mut self.is_new) { usize::MAX } else { MAX_COUNTED };
        for _ in 0..most {
            let Some(lane) = self.uncounted.pop_front() else { break };
            self.count(lane, able);
        }
        let mut unweighed = std::mem::take(&mut self.unweighed);
        for lane in unweighed.drain(..) {
            self.lanes.at(lane).is_unweighed = false;
            let weight = self.weight(lane, able);
            self.weights.set(lane, weight);
            changed(lane, weight);
        }
        self.unweighed = unweighed;
    }

    /// The weights of the lanes that can move, as of the last [`weigh`](Self::weigh).
    pub(super) fn weights(&self) -> &LaneWeights {
        &self.weights
    }

    /// Counts the moves of a lane for those for which they count now.
    fn count(&mut self, lane: Lane, able: &Able) {
        let left = self.lanes.at(lane);
        left.is_uncounted = false;
        left.count = left.count.wrapping_add(1);
        let (count, own, made) = (left.count, left.own, left.made);
        for (other, moves) in std::mem::take(&mut left.counts_for).into_iter().flatten() {
            self.lanes.at(other).sum -= moves;
            self.weigh_again(other);
        }
        if own == 0 {
            return;
        }
        let mut counts_for = [None; 2];
        let (mut at, mut moves) = (self.waits_for(lane), own);
        if able.can_move(lane) {
            let wake = first_from(&self.lanes.at(lane).wakes, made + 1).copied();
            let until = wake.map_or(own, |(after, _)| own.min(u64::from(after - made)));
            counts_for[0] = Some((lane, until));
            (at, moves) = (wake.map(|(_, by)| by), own - until);
        }
        for _ in 0..MAX_HOPS {
            let Some(other) = at.filter(|_| moves > 0) else { break };
            if other != lane {
                self.depend(lane, count, other);
            }
            if able.can_move(other) {
                counts_for[1] = Some((other, moves));
                break;
            }
            at = self.waits_for(other);
        }
        for (other, moves) in counts_for.into_iter().flatten() {
            self.lanes.at(other).sum += moves;
            self.weigh_again(other);
        }
        self.lanes.at(lane).counts_for = counts_for;
    }

    fn depend(&mut self, lane: Lane, count: u32, on: Lane) {
        let mut dependents = std::mem::take(&mut self.lanes.at(on).dependents);
        // Entries of older counts are dropped before the list would have to grow.
        if dependents.len() == dependents.capacity() {
            dependents.retain(|&(lane, count)| self.lanes.get(lane).is_some_and(|left| left.count == count));
        }
        dependents.push((lane, count));
        self.lanes.at(on).dependents = dependents;
    }
}

/// A lane's first wait that comes after this many of its moves, or later. The waits are in order.
fn first_from(wakes: &[(u32, Lane)], moves: u32) -> Option<&(u32, Lane)> {
    wakes.get(wakes.partition_point(|(after, _)| *after < moves))
}
