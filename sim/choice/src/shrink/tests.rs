use super::{Shrunk, shrink, simpler, trimmed};
use crate::seed::{Purpose, Seed};
use rand_chacha::rand_core::Rng;

/// Random choices below `bound`.
fn choices(seed: u64, len: usize, bound: u32) -> Vec<u32> {
    let mut rng = Seed(seed).stream(Purpose::Choices);
    (0..len).map(|_| rng.next_u32() % bound).collect()
}

/// Shrinks with a plain predicate, and asserts the properties that must always hold.
#[track_caller]
fn shrunk(from: &[u32], budget_runs: usize, fails: impl Fn(&[u32]) -> bool) -> Shrunk {
    assert!(fails(from), "what is to be shrunk fails");
    let mut runs = 0;
    let shrunk = shrink(from, budget_runs, |candidate| {
        runs += 1;
        fails(candidate).then(|| candidate.to_vec())
    });
    assert!(fails(&shrunk.choices), "{shrunk:?} fails");
    assert!(simpler(&shrunk.choices, &trimmed(from.to_vec())).is_le(), "{shrunk:?} is no larger");
    assert_eq!(shrunk.runs, runs);
    assert!(runs <= budget_runs, "{runs} runs");
    shrunk
}

fn has_7_then_5(choices: &[u32]) -> bool {
    let seven = choices.iter().position(|&c| c == 7);
    seven.is_some_and(|at| choices[at..].contains(&5))
}

#[test]
fn the_known_minimum_is_reached() {
    let sum = |choices: &[u32]| choices.iter().map(|&c| u64::from(c)).sum::<u64>() >= 100;
    for seed in 0..50 {
        let from = choices(seed, 60, 12);
        assert_eq!(shrunk(&from, 10_000, sum).choices, [100], "seed {seed}");
        let mut from = choices(seed, 60, 12);
        from.extend([7, 1, 5]);
        assert_eq!(shrunk(&from, 10_000, has_7_then_5).choices, [7, 5], "seed {seed}");
        let three_large = |choices: &[u32]| choices.iter().filter(|&&c| c > 4).count() >= 3;
        assert_eq!(shrunk(&from, 10_000, three_large).choices, [5, 5, 5], "seed {seed}");
    }
}

#[test]
fn positions_that_matter_stay_and_all_else_is_dull() {
    // Positions matter, as in a run: nothing can be deleted before place 9.
    let fails = |choices: &[u32]| choices.get(9).is_some_and(|&c| c >= 3);
    for seed in 0..50 {
        let mut from = choices(seed, 40, 9);
        from[9] = 8;
        assert_eq!(shrunk(&from, 10_000, fails).choices, [0, 0, 0, 0, 0, 0, 0, 0, 0, 3], "seed {seed}");
    }
}

#[test]
fn a_needle_of_3_among_500_takes_few_runs() {
    let is_needle = |choices: &[u32]| {
        let mut rest = choices.iter();
        [901, 902, 903].iter().all(|needle| rest.any(|c| c == needle))
    };
    let mut most = 0;
    for seed in 0..50 {
        let mut from = choices(seed, 500, 900);
        let at = (seed as usize * 7) % 150;
        (from[at], from[at + 170], from[at + 340]) = (901, 902, 903);
        let shrunk = shrunk(&from, 10_000, is_needle);
        assert_eq!(shrunk.choices, [901, 902, 903]);
        most = most.max(shrunk.runs);
    }
    assert!(most <= 200, "{most} runs");
}

#[test]
fn nothing_and_what_always_fails() {
    let always = shrunk(&[4, 0, 9], 10, |_| true);
    assert_eq!(always, Shrunk { choices: vec![], from: 3, runs: 1, fixed_point: true });
    let empty = shrunk(&[], 10, |_| true);
    assert_eq!(empty, Shrunk { choices: vec![], from: 0, runs: 0, fixed_point: true });
}

#[test]
fn without_runs_it_says_that_it_is_not_done() {
    let from = choices(1, 100, 9);
    let same = from.clone();
    assert_eq!(shrunk(&from, 0, |_| true).choices, trimmed(same));
    for budget_runs in 0..60 {
        let mut from = choices(1, 100, 7);
        from.extend([7, 5]);
        let shrunk = shrunk(&from, budget_runs, has_7_then_5);
        // If the runs are used up, a fixed point is not claimed.
        assert!(shrunk.fixed_point || shrunk.runs == budget_runs, "{shrunk:?}");
        assert!(!shrunk.fixed_point || shrunk.choices == [7, 5], "{shrunk:?}");
    }
}

#[test]
fn what_a_run_really_used_is_adopted_where_it_is_simpler() {
    // Uses at most four values, none above 3.
    let used = |candidate: &[u32]| candidate.iter().take(4).map(|&c| c.min(3)).collect::<Vec<_>>();
    let shrunk = shrink(&[9, 9, 9, 9, 9, 9], 100, |candidate| {
        let used = used(candidate);
        (used.len() == 4 && used.iter().all(|&c| c >= 2)).then_some(used)
    });
    assert_eq!(shrunk.choices, [2, 2, 2, 2]);
    // Used choices that are larger than the candidate are not adopted.
    let larger = shrink(&[9, 9], 100, |c| (!c.is_empty()).then(|| vec![9; 20]));
    assert_eq!(larger.choices, [1]);
}

/// A predicate without any structure: some sequences fail, depending on their hash.
fn fails_by_hash(salt: u64, choices: &[u32]) -> bool {
    let hash = choices
        .iter()
        .fold(salt, |hash, &c| (hash ^ u64::from(c)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    hash % 5 == 0 || choices.iter().sum::<u32>() > 30
}

#[test]
fn at_the_fixed_point_no_single_deletion_or_lowering_fails() {
    let mut judged = 0;
    for seed in 0..300 {
        let from = choices(seed, 30, 6);
        let fails = |choices: &[u32]| choices.len() > 2 && fails_by_hash(seed, choices);
        if !fails(&from) {
            continue;
        }
        judged += 1;
        let shrunk = shrunk(&from, 100_000, fails);
        assert!(shrunk.fixed_point);
        let best = shrunk.choices;
        for at in 0..best.len() {
            let mut deleted = best.clone();
            deleted.remove(at);
            let lowered = [0, best[at].saturating_sub(1)].map(|value| {
                let mut lowered = best.clone();
                lowered[at] = value;
                lowered
            });
            for other in [vec![deleted], lowered.to_vec()].concat() {
                let other = trimmed(other);
                assert!(other == best || !fails(&other), "seed {seed}: {best:?}, but {other:?} fails too");
            }
        }
    }
    assert!(judged > 100, "{judged} of 300 fail before they are shrunk");
}

#[test]
fn the_same_choices_shrink_to_the_same() {
    let from = choices(3, 200, 50);
    let fails = |choices: &[u32]| choices.iter().filter(|&&c| c % 7 == 3).count() >= 4;
    assert_eq!(shrunk(&from, 300, fails), shrunk(&from, 300, fails));
}
