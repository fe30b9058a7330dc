//! A number that distinguishes parameters of calls.

use capnp::MessageSize;
use capnp::any_pointer;
use capnp::message;
use twox_hash::XxHash3_64;

/// The longest parameters whose content is hashed, in words.
const LOOKED_AT_WORDS: u64 = 512;

/// A number that distinguishes parameters: the XXH3 of their canonical form. If they are longer than 512 words or hold
/// capabilities, it is the hash of their size alone. It is 0 if they cannot be read.
///
/// Equal parameters have equal numbers, however they are split into segments.
/// <https://capnproto.org/encoding.html#canonicalization>
pub fn fingerprint(params: any_pointer::Reader<'_>) -> u64 {
    let Ok(MessageSize { word_count, cap_count }) = params.target_size() else { return 0 };
    if word_count > LOOKED_AT_WORDS || cap_count > 0 {
        return XxHash3_64::oneshot(format!("{word_count} words, {cap_count} capabilities").as_bytes());
    }
    let mut canonical = message::Builder::new(message::HeapAllocator::new());
    if canonical.set_root_canonical(params).is_err() {
        return 0;
    }
    XxHash3_64::oneshot(canonical.get_segments_for_output()[0])
}
