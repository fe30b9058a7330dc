//! Fuzzes the reader of tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank_lab::targets::token;

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = token(bytes) {
        panic!("{found}");
    }
});
