//! Questions about `wasi:random`.

use wasip2::random::{
    insecure::{get_insecure_random_bytes, get_insecure_random_u64},
    insecure_seed::insecure_seed,
    random::{get_random_bytes, get_random_u64},
};

use crate::{Question, yes_or};

pub const QUESTIONS: &[Question] = &[
    ("random-length", length),
    ("random-fresh", fresh),
    ("random-u64", number),
    ("random-follows-the-seed", follows_the_seed),
    ("insecure-length", insecure_length),
    ("insecure-evenly-spread", insecure_evenly_spread),
    ("insecure-u64", insecure_number),
    ("insecure-follows-the-seed", insecure_follows_the_seed),
    ("insecure-seed", seed),
    ("insecure-seed-twice", seed_twice),
    ("insecure-seed-beside-random", seed_beside_random),
    ("insecure-seed-follows-the-seed", seed_follows_the_seed),
];

const LENGTHS: [u64; 7] = [0, 1, 7, 32, 4096, 65_537, 1 << 20];

fn lengths(draw: impl Fn(u64) -> Vec<u8>) -> String {
    let wrong = LENGTHS.iter().find(|&&len| draw(len).len() as u64 != len);
    yes_or(wrong.is_none(), || format!("not of length {wrong:?}"))
}

fn length() -> String {
    lengths(get_random_bytes)
}

fn insecure_length() -> String {
    lengths(get_insecure_random_bytes)
}

/// No two of a hundred draws of 16 bytes are the same.
fn fresh() -> String {
    let mut draws: Vec<_> = (0..100).map(|_| get_random_bytes(16)).collect();
    draws.sort();
    draws.dedup();
    format!("{} of 100", draws.len())
}

fn number() -> String {
    yes_or(get_random_u64() != get_random_u64(), || "the same twice".into())
}

fn insecure_number() -> String {
    yes_or(get_insecure_random_u64() != get_insecure_random_u64(), || "the same twice".into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn follows_the_seed() -> String {
    format!("{} {:016x}", hex(&get_random_bytes(16)), get_random_u64())
}

fn insecure_follows_the_seed() -> String {
    format!("{} {:016x}", hex(&get_insecure_random_bytes(16)), get_insecure_random_u64())
}

/// In 64 KiB each byte value comes about 256 times. By chance alone none comes half or twice as often.
fn insecure_evenly_spread() -> String {
    let mut counts = [0; 256];
    for byte in get_insecure_random_bytes(1 << 16) {
        counts[usize::from(byte)] += 1;
    }
    let wrong = counts.iter().find(|count| !(128..512).contains(*count));
    yes_or(wrong.is_none(), || format!("one came {wrong:?} times"))
}

fn seed() -> String {
    let seed = insecure_seed();
    yes_or(seed != (0, 0), || "0".into())
}

fn seed_twice() -> String {
    let (first, second) = (insecure_seed(), insecure_seed());
    yes_or(first == second, || "two seeds".into())
}

/// Other random draws do not change the seed.
fn seed_beside_random() -> String {
    let first = insecure_seed();
    get_random_u64();
    get_insecure_random_bytes(3);
    let second = insecure_seed();
    yes_or(first == second, || "two seeds".into())
}

fn seed_follows_the_seed() -> String {
    let (low, high) = insecure_seed();
    format!("{low:016x}{high:016x}")
}
