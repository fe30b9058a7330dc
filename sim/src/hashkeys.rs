//! Makes hash order follow the seed.
//!
//! std draws the keys of its hash maps once per thread from libc's `getrandom`. It finds the function defined here
//! instead: on a world's thread this answers from the seed, on all other threads it makes the real system call. So hash
//! order, which leaks out of libraries (capnp-rpc walks hash maps when a link breaks), belongs to the seed: it is
//! reproduced, and it differs between seeds.
//!
//! This works on Linux only. On other systems std asks for randomness in other ways, and hash order stays random;
//! [`effective`] reports that. This is the only unsafe code of this crate.

#![expect(unsafe_code, reason = "std finds its source of randomness by a symbol of C")]

use rand_chacha::rand_core::Rng;
use std::cell::Cell;
use wavetank_choice::seed::{Purpose, Seed};

thread_local! {
    static SEED: Cell<Option<Seed>> = const { Cell::new(None) };
}

/// Makes this thread a world's thread, with hash keys from `seed`. Call it before the thread's first hash map.
pub fn enter(seed: Seed) {
    SEED.set(Some(seed));
}

/// Whether hash keys really follow the seed on this system: two fresh threads with one seed agree, and a thread with
/// another seed does not.
pub fn effective() -> bool {
    let first = keyed_hash(Seed(1));
    first == keyed_hash(Seed(1)) && first != keyed_hash(Seed(2))
}

#[expect(clippy::disallowed_types, reason = "this is where it is looked at")]
fn keyed_hash(seed: Seed) -> u64 {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher;
    let hash = move || {
        enter(seed);
        RandomState::new().hash_one(0)
    };
    std::thread::scope(|scope| scope.spawn(hash).join()).expect("hashing a number does not panic")
}

/// Fills `bytes` if this thread belongs to a world.
fn fill(bytes: &mut [u8]) -> bool {
    let Some(seed) = SEED.get() else { return false };
    seed.stream(Purpose::HashKeys).fill_bytes(bytes);
    true
}

/// `getrandom(2)`. std finds this one before libc's.
///
/// # Safety
/// The same as for libc's function: `buffer` must be valid for writes of `len` bytes.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    len: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    if len > 0 {
        // SAFETY: the caller promises `len` writable bytes, and they are written before anything reads them.
        let bytes = unsafe {
            std::ptr::write_bytes(buffer.cast::<u8>(), 0, len);
            std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len)
        };
        if fill(bytes) {
            return len as libc::ssize_t;
        }
    }
    // SAFETY: the arguments are passed on unchanged.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) as libc::ssize_t }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn hash_keys_follow_the_seed() {
        assert!(super::effective());
    }
}
