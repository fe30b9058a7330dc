//! Lays two runs side by side: the steps at which they do the same, and the first at which they differ.

use crate::moves::Move;
use crate::transcript::Transcript;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;

/// Steps between the common start and the common end of two runs that are compared one by one, at most.
const COMPARED: usize = 4_000;

/// Blocks of equal steps (the first in the one run, in the other, and a length), and the first steps that differ.
pub(super) fn aligned(
    one: &Transcript,
    other: &Transcript,
    most: usize,
) -> (Vec<[u64; 3]>, Option<[u64; 2]>) {
    let moves = |of: &Transcript| of.steps.iter().take(most).map(|step| step.moved).collect::<Vec<_>>();
    let (first, second) = (moves(one), moves(other));
    let shorter = first.len().min(second.len());
    let differs = (0..shorter).find(|&at| {
        let events = |of: &Transcript| of.events[of.steps[at].caused.clone()].to_vec();
        first[at] != second[at] || events(one) != events(other)
    });
    let differs = differs.or((first.len() != second.len()).then_some(shorter));
    let differs_at = differs.map(|at| {
        let step = |len: usize| (at + 1).min(len) as u64;
        [step(first.len()), step(second.len())]
    });
    let start = first.iter().zip(&second).take_while(|(one, other)| one == other).count();
    let ends = first[start..].iter().rev().zip(second[start..].iter().rev());
    let end = ends.take_while(|(one, other)| one == other).count();
    let middle = [&first[start..first.len() - end], &second[start..second.len() - end]];
    let mut blocks = vec![[0, 0, start]];
    if middle.iter().all(|moves| moves.len() <= COMPARED) {
        let mut numbers = BTreeMap::new();
        let [one, other] = middle.map(|moves| numbered(moves, &mut numbers));
        for op in capture_diff_slices(Algorithm::Myers, &one, &other) {
            if let DiffOp::Equal { old_index, new_index, len } = op {
                blocks.push([start + old_index, start + new_index, len]);
            }
        }
    }
    blocks.push([first.len() - end, second.len() - end, end]);
    let blocks = blocks.into_iter().filter(|[.., len]| *len > 0);
    let same = blocks.map(|[one, other, len]| [one as u64 + 1, other as u64 + 1, len as u64]);
    (same.collect(), differs_at)
}

/// Each move as a number, which is the same for equal moves.
fn numbered(moves: &[Move], numbers: &mut BTreeMap<Move, usize>) -> Vec<usize> {
    let mut all = Vec::new();
    for moved in moves {
        let next = numbers.len();
        all.push(*numbers.entry(*moved).or_insert(next));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Step;

    fn polls(actors: &[u32]) -> Transcript {
        let steps = actors.iter().map(|actor| Step { moved: Move::Poll(*actor), caused: 0..0 });
        Transcript { steps: steps.collect(), events: Vec::new() }
    }

    #[test]
    fn two_exchanged_steps_lie_between_equal_ones() {
        let (same, differs) = aligned(&polls(&[1, 2, 3, 4]), &polls(&[1, 3, 2, 4]), 100);
        assert_eq!(differs, Some([2, 2]));
        assert_eq!(same.iter().map(|[.., len]| len).sum::<u64>(), 3, "{same:?}");
        assert_eq!((same.first(), same.last()), (Some(&[1, 1, 1]), Some(&[4, 4, 1])));
    }

    #[test]
    fn equal_runs_do_not_differ_and_a_longer_one_does_at_its_end() {
        assert_eq!(aligned(&polls(&[1, 2]), &polls(&[1, 2]), 100), (vec![[1, 1, 2]], None));
        assert_eq!(aligned(&polls(&[1, 2]), &polls(&[1]), 100), (vec![[1, 1, 1]], Some([2, 1])));
    }
}
