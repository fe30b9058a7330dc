//! The random order of `tokio::select!`, made to repeat.
//!
//! tokio draws the branch that `select!` polls first, and the slot of a waiter of `tokio::sync::watch`, from a small
//! generator of the thread. Its seed is the hash of a counter of the whole process, so it differs between two runs of
//! one world. `Builder::rng_seed` would set the seed, but it needs `--cfg tokio_unstable`, and it rules only inside
//! `block_on`, where no server of ours runs.
//!
//! On stable, nobody can set the state of that generator. But anybody can draw from it, as the macro does. So we learn
//! its state from its numbers, and before each step we draw until its next numbers are those that we want. A number of
//! up to eight branches depends on the upper bits only: in the lowest eighth of its range it means the first branch, and
//! in the highest eighth the last one. We want one or the other for each of the next [`STEERED`] draws.
//!
//! After the step we draw once more, and learn how many numbers the step has drawn. If it drew more than we had steered,
//! the run may not repeat, and the report names the task.

use std::collections::VecDeque;
use tokio::macros::support::thread_rng_n;

/// Draws of one step that repeat.
pub(crate) const STEERED: usize = 4;

/// How many patterns of first and last branches there are. In pattern 0 it is always the first.
pub(crate) const PATTERNS: u32 = 256;

/// Draws of one step that are counted, at most.
const COUNTED: usize = 100_000;

/// The generator of the thread, as we know it.
pub(crate) struct Order {
    pattern: u32,
    /// Draws that servers have made so far.
    drawn: u64,
    state: State,
}

impl Order {
    /// Learns the state of the thread's generator.
    pub(crate) fn new(pattern: u32) -> Self {
        Order { pattern, drawn: 0, state: State::learn() }
    }

    /// Brings the generator to a place from which the next draws are as the pattern wants them.
    pub(crate) fn prepare(&mut self) {
        let wanted: [bool; STEERED] = std::array::from_fn(|ahead| self.is_last(self.drawn + ahead as u64));
        while !self.state.goes_on_with(&wanted) {
            self.state.draw();
            thread_rng_n(1);
        }
    }

    /// Looks how many draws a step has made. Returns the end of a sentence about whoever made too many.
    pub(crate) fn settle(&mut self) -> Option<String> {
        let seen = number();
        let Some(drawn) = (0..COUNTED).find(|_| is_drawn_as(self.state.draw(), seen)) else {
            self.state = State::learn();
            return Some(format!("drew more than {COUNTED} random orders in one step of `tokio::select!`"));
        };
        self.drawn += drawn as u64;
        (drawn > STEERED).then(|| {
            format!(
                "drew {drawn} random orders in one step, and no more than {STEERED} repeat: write `biased;` into its \
                 `tokio::select!`"
            )
        })
    }

    /// Whether a draw of servers is for the last branch, and not for the first.
    fn is_last(&self, draw: u64) -> bool {
        // Fibonacci hashing: the multiplier is 2^64 divided by the golden ratio.
        let mixed = (draw + 1).wrapping_mul(u64::from(self.pattern)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> 63 == 1
    }
}

/// The state of tokio's generator: 64 bits of Marsaglia's xorshift, whose two halves are added
/// (<https://www.jstatsoft.org/article/view/v008i14>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    one: u32,
    two: u32,
}

impl State {
    /// The next number.
    fn draw(&mut self) -> u32 {
        let next = mix(self.one) ^ fold(self.two);
        *self = State { one: self.two, two: next };
        self.one.wrapping_add(self.two)
    }

    /// Whether the next numbers are in the lowest or, if wanted, in the highest eighth.
    fn goes_on_with(mut self, wanted: &[bool]) -> bool {
        wanted.iter().all(|&is_last| self.draw() >> 29 == if is_last { 7 } else { 0 })
    }

    /// Draws numbers of the thread's generator until only one state fits them. That takes three, or a few more.
    fn learn() -> Self {
        let mut seen = VecDeque::from([number(), number()]);
        loop {
            seen.push_back(number());
            let candidates = State::after(seen[0] + 1, seen[1] + 1);
            let mut fitting = candidates.into_iter().filter_map(|mut state| {
                seen.iter().skip(2).all(|&number| is_drawn_as(state.draw(), number)).then_some(state)
            });
            if let (Some(state), None) = (fitting.next(), fitting.next()) {
                return state;
            }
            // A number of 0 stands for two, so leave the oldest one out if none fits.
            if seen.len() > 6 {
                seen.pop_front();
            }
        }
    }

    /// The states that the generator may be in after these two numbers.
    ///
    /// Before the second number the halves are a and b, with a + b the first number, and c = mix(a) ^ fold(b) is the
    /// new half, with b + c the second one. Suppose that the lower half of a is known. Then bit i of the equation for c
    /// gives bit i + 16 of b, first for the nine lowest bits and then for the others. So 65,536 attempts are enough.
    fn after(first: u32, second: u32) -> Vec<State> {
        let between = second.wrapping_sub(first);
        let c_of = |a: u32| between.wrapping_add(a);
        let try_lower_half = |lower: u32| {
            let b_lower = first.wrapping_sub(lower) & 0xffff;
            let nine_bits = (c_of(lower) ^ mix(lower) ^ b_lower) & 0x1ff;
            let a_25_bits = first.wrapping_sub(b_lower | nine_bits << 16) & 0x1ff_ffff;
            let b_upper = (c_of(a_25_bits) ^ mix(a_25_bits) ^ b_lower) & 0xffff;
            let b = b_lower | b_upper << 16;
            let a = first.wrapping_sub(b);
            (c_of(a) == mix(a) ^ fold(b)).then_some(State { one: b, two: c_of(a) })
        };
        (0..1 << 16).filter_map(try_lower_half).collect()
    }
}

fn mix(half: u32) -> u32 {
    let shifted = half ^ half << 17;
    shifted ^ shifted >> 7
}

fn fold(half: u32) -> u32 {
    half ^ half >> 16
}

/// A number of the thread's generator, less one: tokio scales it to a range of 2^32 - 1.
fn number() -> u32 {
    thread_rng_n(u32::MAX)
}

/// Whether tokio returns `seen` if it draws `drawn`.
fn is_drawn_as(drawn: u32, seen: u32) -> bool {
    drawn.saturating_sub(1) == seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_learnt_from_the_numbers() {
        for _ in 0..20 {
            let mut state = State::learn();
            for _ in 0..50 {
                assert!(is_drawn_as(state.draw(), number()));
            }
        }
    }

    #[test]
    fn the_next_draws_are_the_first_or_the_last_branch() {
        for pattern in [0, 1, 77, 255] {
            let mut order = Order::new(pattern);
            for branches in 2..=8 {
                let wanted: Vec<u32> = (order.drawn..order.drawn + STEERED as u64)
                    .map(|draw| if order.is_last(draw) { branches - 1 } else { 0 })
                    .collect();
                order.prepare();
                let drawn: Vec<u32> = (0..STEERED).map(|_| thread_rng_n(branches)).collect();
                assert_eq!(drawn, wanted, "pattern {pattern}, {branches} branches");
                assert_eq!(order.settle(), None);
            }
        }
    }

    #[test]
    fn patterns_mix_first_and_last() {
        let order = Order::new(0);
        assert!((0..100).all(|draw| !order.is_last(draw)));
        let order = Order::new(77);
        let last = (0..100).filter(|&draw| order.is_last(draw)).count();
        assert!((20..80).contains(&last), "{last}");
    }

    #[test]
    fn too_many_draws_in_one_step_are_counted() {
        let mut order = Order::new(3);
        for _ in 0..3 {
            order.prepare();
            for _ in 0..=STEERED {
                thread_rng_n(2);
            }
            let breach = order.settle().expect("one too many");
            assert!(breach.starts_with("drew 5 random orders in one step"), "{breach}");
        }
        order.prepare();
        assert_eq!(order.settle(), None);
    }
}
