//! Fuzzes a vat and a cell with a hostile peer. Faults of libraries that docs/src/how-to/fuzzing.md lists are ignored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank_lab::targets::wire;

const KNOWN: &str = include_str!("../../docs/src/how-to/fuzzing.md");

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = wire(bytes)
        && !KNOWN.contains(&format!("`{}`", found.signature))
    {
        panic!("{found}");
    }
});
