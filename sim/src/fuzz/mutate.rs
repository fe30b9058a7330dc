//! Mutation of choices: how a fuzzer makes a new case of one that it kept. Pure; it knows nothing of runs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;
use wavetank_choice::choice::{Choice, Meaning};
use wavetank_choice::seed::below;

/// Maximum number of choices after a mutation.
const MAX_CHOICES: usize = 2_000;

/// A mutated case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its choices.
    pub choices: Vec<u32>,
    /// Whether more choices are drawn after them; otherwise the world is calm then.
    pub goes_on: bool,
}

/// Mutates a case a little, or crosses it with another.
pub fn change(case: &[Choice], other: &[Choice], rng: &mut ChaCha8Rng) -> Changed {
    let mut choices: Vec<u32> = case.iter().map(|choice| choice.value).collect();
    let mut goes_on = below(rng, 4) > 0;
    for _ in 0..1 << below(rng, 3) {
        match below(rng, 12) {
            // Keep the beginning of a run and draw the rest anew. This mutation keeps the most meaning, because choices
            // behind any other change no longer mean the same.
            0..4 => {
                choices.truncate(place(choices.len() + 1, rng));
                goes_on = true;
            }
            4 | 5 => value(&mut choices, case, rng),
            6 => fill(&mut choices, rng),
            7 => {
                let block = block(choices.len(), rng);
                choices.drain(block);
            }
            8 => {
                let block = block(choices.len(), rng);
                let copy = choices[block].to_vec();
                let to = place(choices.len() + 1, rng);
                choices.splice(to..to, copy);
            }
            9 => {
                let to = place(choices.len() + 1, rng);
                let some: Vec<u32> = (0..1 << below(rng, 4)).map(|_| any(rng)).collect();
                choices.splice(to..to, some);
            }
            10 => {
                let (keep, from) = (place(choices.len() + 1, rng), place(other.len() + 1, rng));
                choices.truncate(keep);
                choices.extend(other[from..].iter().map(|choice| choice.value));
            }
            _ if choices.len() > 1 => {
                let at = place(choices.len() - 1, rng);
                choices.swap(at, at + 1);
            }
            _ => {}
        }
    }
    choices.truncate(MAX_CHOICES);
    Changed { choices, goes_on }
}

/// A place below `bound`, which is at least 1.
fn place(bound: usize, rng: &mut ChaCha8Rng) -> usize {
    below(rng, bound as u32) as usize
}

/// A random block of a sequence of `len`, within its bounds; short blocks are as likely as long ones.
fn block(len: usize, rng: &mut ChaCha8Rng) -> std::ops::Range<usize> {
    let from = place(len + 1, rng);
    let longest = 1 << below(rng, (len - from).max(1).ilog2() + 1);
    from..(from + 1 + place(longest, rng)).min(len)
}

/// Gives one choice another value. It first draws a subject, because picks are many and choices about a budget are few.
fn value(choices: &mut [u32], case: &[Choice], rng: &mut ChaCha8Rng) {
    let mut places: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (at, choice) in case.iter().enumerate().take(choices.len()) {
        places.entry(about(choice.of)).or_default().push(at);
    }
    if places.is_empty() {
        return;
    }
    let nth = place(places.len(), rng);
    let of = places.values().nth(nth).expect("one of them");
    choices[of[place(of.len(), rng)]] = any(rng);
}

/// Gives a block of choices the same value.
fn fill(choices: &mut Vec<u32>, rng: &mut ChaCha8Rng) {
    let from = place(choices.len() + 1, rng);
    let count = 1 + place(2 << below(rng, 6), rng);
    let value = if below(rng, 2) == 0 { 1 } else { any(rng) };
    choices.resize(choices.len().max(from + count), 0);
    choices[from..from + count].fill(value);
}

/// A number: zero, small, near a power of two, or any. A value that is too large wraps around.
fn any(rng: &mut ChaCha8Rng) -> u32 {
    match below(rng, 8) {
        0 => 0,
        1..5 => below(rng, 4),
        5 => below(rng, 64),
        6 => (1_u32 << below(rng, 20)).wrapping_add(below(rng, 3)).wrapping_sub(1),
        _ => rng.next_u32(),
    }
}

/// The subject of a choice, without its party.
fn about(of: Meaning) -> u8 {
    match of {
        Meaning::Item(..) | Meaning::NoFault => 0,
        Meaning::Amount(_) => 1,
        Meaning::Pipe(_) => 2,
        Meaning::Value => 3,
        Meaning::Level => 4,
        Meaning::Slice(_) => 5,
        Meaning::Trap(_) | Meaning::Refuse(_) => 6,
        Meaning::Gap => 7,
        Meaning::Bytes(_) => 8,
        Meaning::Span => 9,
        Meaning::Act(_) => 10,
        Meaning::Task(_) => 11,
        Meaning::Latency(_) => 12,
        Meaning::Failure(_) => 13,
        Meaning::Half(_) => 14,
        Meaning::Host(_) => 15,
        Meaning::Draw(_) => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavetank_choice::seed::{Purpose, Seed};

    #[test]
    fn any_change_of_any_case_can_be_made_and_made_again() {
        let case = |len: u32| -> Vec<Choice> {
            (0..len).map(|value| Choice { value, of: Meaning::Amount(value) }).collect()
        };
        let mut changed_cases = 0;
        let mut that_go_on = 0;
        for seed in 0..2_000 {
            let change = || {
                let mut rng = Seed(seed).stream(Purpose::Fuzz);
                super::change(&case((seed % 7) as u32), &case((seed % 5) as u32), &mut rng)
            };
            let changed = change();
            assert_eq!(changed, change());
            assert!(changed.choices.len() <= MAX_CHOICES);
            let values: Vec<u32> = (0..(seed % 7) as u32).collect();
            changed_cases += u32::from(changed.choices != values);
            that_go_on += u32::from(changed.goes_on);
        }
        // A mutation may change nothing, above all of an empty case.
        assert!(changed_cases > 1_200, "{changed_cases} of 2,000");
        assert!((1_000..2_000).contains(&that_go_on), "{that_go_on} of 2,000");
    }
}
