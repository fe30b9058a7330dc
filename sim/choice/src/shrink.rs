//! Shrinking: from choices that fail to the simplest choices that still fail in the same way.
//!
//! The only representation is the sequence of choices. It has one total order: shorter first, then smaller from the
//! left (shortlex), as in Hypothesis' shrinker (MacIver & Donaldson, "Test-Case Reduction via Test-Case Generation",
//! ECOOP 2020). Blocks are cut coarse to fine, as in delta debugging (Zeller & Hildebrandt, "Simplifying and Isolating
//! Failure-Inducing Input", IEEE TSE 28(2), 2002). Every prefix of legal choices is legal, and so is every lowered
//! value. So nothing here knows the meaning of a choice. Not here: the decision whether two runs fail in the same way.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

/// The result of shrinking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The simplest choices found that still fail, without zeros at the end.
    pub choices: Vec<u32>,
    /// The length of the original sequence of choices.
    pub from: usize,
    /// How many runs were used.
    pub runs: usize,
    /// Whether nothing simpler is left to try: no block to delete, no value to lower. Otherwise the runs were used up.
    pub fixed_point: bool,
}

/// Shrinks choices that fail, in at most `budget_runs` runs.
///
/// `fails` runs a candidate. If it fails in the same way, `fails` returns the choices that the run really used. These
/// are adopted instead of the candidate if they are simpler still. Only candidates that are simpler than the best so
/// far are ever run, and none is run twice. Zeros at the end have no effect and are cut.
///
/// ```
/// use wavetank_choice::shrink::shrink;
///
/// // Fails where a 7 comes before a 5.
/// let fails = |choices: &[u32]| {
///     let seven = choices.iter().position(|&c| c == 7)?;
///     choices[seven..].contains(&5).then(|| choices.to_vec())
/// };
/// let shrunk = shrink(&[3, 7, 9, 2, 5, 1], 1000, fails);
/// assert_eq!(shrunk.choices, [7, 5]);
/// assert!(shrunk.fixed_point);
/// ```
pub fn shrink(choices: &[u32], budget_runs: usize, fails: impl FnMut(&[u32]) -> Option<Vec<u32>>) -> Shrunk {
    let best = trimmed(choices.to_vec());
    let mut search = Search { tried: BTreeSet::new(), best, runs: 0, budget_runs, is_over: false, fails };
    loop {
        let before = search.best.clone();
        search.attempt(Vec::new());
        search.blocks();
        search.lower_each();
        search.lower_and_delete();
        search.move_right();
        search.swap();
        let is_stuck = search.best == before && !search.delete_and_raise();
        if is_stuck || search.is_over {
            break;
        }
    }
    let Search { best, runs, is_over, .. } = search;
    Shrunk { choices: best, from: choices.len(), runs, fixed_point: !is_over }
}

/// Shortlex: shorter first, then smaller from the left.
pub fn simpler(one: &[u32], other: &[u32]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn trimmed(mut choices: Vec<u32>) -> Vec<u32> {
    while choices.last() == Some(&0) {
        choices.pop();
    }
    choices
}

/// The most choices that are deleted together while a neighbour changes. Examples are the amount after its item, the
/// flow of a cell's pipes after its start, and the draws for one more element of a longer list.
const DELETED_NEXT: usize = 4;

struct Search<F> {
    best: Vec<u32>,
    tried: BTreeSet<Vec<u32>>,
    runs: usize,
    budget_runs: usize,
    /// Whether some candidate was not tried because the runs were used up.
    is_over: bool,
    fails: F,
}

impl<F: FnMut(&[u32]) -> Option<Vec<u32>>> Search<F> {
    /// Runs a candidate if it is simpler, and adopts it if it fails.
    fn attempt(&mut self, candidate: Vec<u32>) -> bool {
        let candidate = trimmed(candidate);
        if simpler(&candidate, &self.best).is_ge() || self.tried.contains(&candidate) {
            return false;
        }
        if self.runs >= self.budget_runs {
            self.is_over = true;
            return false;
        }
        self.runs += 1;
        let used = (self.fails)(&candidate);
        self.tried.insert(candidate.clone());
        let Some(used) = used.map(trimmed) else { return false };
        self.best = if simpler(&used, &candidate).is_lt() { used } else { candidate };
        true
    }

    /// Tries the best sequence with a change.
    fn attempt_with(&mut self, change: impl FnOnce(&mut Vec<u32>)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.attempt(candidate)
    }

    fn delete(&mut self, block: Range<usize>) -> bool {
        self.attempt_with(|choices| drop(choices.drain(block)))
    }

    fn zero(&mut self, block: Range<usize>) -> bool {
        self.attempt_with(|choices| choices[block].fill(0))
    }

    fn set(&mut self, at: usize, value: u32) -> bool {
        self.attempt_with(|choices| choices[at] = value)
    }

    /// Deletes blocks, or sets them to 0 if a deletion shifts too much. It starts with half of everything and ends with
    /// single choices. It goes from the end to the start, because later choices depend on earlier ones.
    fn blocks(&mut self) {
        let mut size = self.best.len();
        while size > 0 {
            let mut end = self.best.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                if self.delete(start..end) {
                    end = self.delete_more(start, size);
                } else {
                    self.zero(start..end);
                    end = start;
                }
                end = end.min(self.best.len());
            }
            size /= 2;
        }
    }

    /// If a block could be deleted, more choices before it may be deletable too. Each attempt takes twice as many.
    fn delete_more(&mut self, mut start: usize, size: usize) -> usize {
        let mut more = size;
        loop {
            start = start.min(self.best.len());
            let from = start.saturating_sub(more);
            if from == start || !self.delete(from..start) {
                return start;
            }
            (start, more) = (from, more * 2);
        }
    }

    /// Lowers each value to 0. If that does not fail, it halves its way down to the smallest value that fails, so that
    /// the value one below was tried too.
    fn lower_each(&mut self) {
        let mut at = 0;
        while at < self.best.len() {
            let mut passes = 0;
            if self.best[at] > 0 && !self.set(at, 0) {
                while self.best.get(at).is_some_and(|&value| value - passes > 1) {
                    let middle = passes + (self.best[at] - passes) / 2;
                    if !self.set(at, middle) {
                        passes = middle;
                    } else if self.best.get(at).is_none_or(|&value| value <= passes) {
                        // The run used a smaller value than it was given.
                        break;
                    }
                }
            }
            at += 1;
        }
    }

    /// Lowers a value and deletes the choices after it: fewer pieces need fewer amounts.
    fn lower_and_delete(&mut self) {
        let mut at = 0;
        while at < self.best.len() {
            let lowered = (1..=DELETED_NEXT).any(|next| {
                let end = at + 1 + next;
                end <= self.best.len()
                    && self.best[at] > 0
                    && self.attempt_with(|choices| {
                        choices[at] -= 1;
                        choices.drain(at + 1..end);
                    })
            });
            if !lowered {
                at += 1;
            }
        }
    }

    /// Deletes a few choices and raises the next one, once. This helps because a move that was not made stays on the
    /// menu, so the items behind it have higher numbers.
    fn delete_and_raise(&mut self) -> bool {
        let ways = (0..self.best.len()).flat_map(|at| (1..=DELETED_NEXT).map(move |size| (at, size)));
        ways.flat_map(|(at, size)| [(at, size, 1), (at, size, 2)]).any(|(at, size, more)| {
            at + size < self.best.len()
                && self.attempt_with(|choices| {
                    choices.drain(at..at + size);
                    choices[at] = choices[at].saturating_add(more);
                })
        })
    }

    /// Moves as much as possible from a value to the next one. The earlier value becomes 0 or as low as possible, and
    /// may then be deleted.
    fn move_right(&mut self) {
        for at in 0..self.best.len() {
            // Tries half as much each time, and 1 at the end.
            let mut amount = self.best.get(at).copied().unwrap_or(0);
            while amount > 0 && at + 1 < self.best.len() {
                let moved = amount <= self.best[at] && {
                    self.attempt_with(|choices| {
                        choices[at] -= amount;
                        choices[at + 1] = choices[at + 1].saturating_add(amount);
                    })
                };
                if !moved {
                    amount /= 2;
                }
            }
        }
    }

    /// Swaps neighbours if the second is smaller.
    fn swap(&mut self) {
        for at in 1..self.best.len() {
            // Move a choice to the left as far as possible.
            let mut to = at;
            while to > 0
                && to < self.best.len()
                && self.best[to - 1] > self.best[to]
                && self.attempt_with(|choices| choices.swap(to - 1, to))
            {
                to -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
