//! Fuzzes the decoder of transcripts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank_lab::targets::frames;

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = frames(bytes) {
        panic!("{found}");
    }
});
