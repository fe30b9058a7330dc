//! Targets of libFuzzer for checks.

/// A target of libFuzzer for a check, in a fuzz crate as `cargo fuzz init` makes it, which depends on `libfuzzer-sys`.
///
/// ```ignore
/// #![no_main]
/// use wavetank_sim::check;
/// wavetank_sim::fuzz_check!(check("buys", shop::scenarios::buys).schema(shop::SCHEMA));
/// ```
///
/// The bytes are the choices of a run: see [`run_bytes`](crate::check::Check::run_bytes). So the target and
/// `wavetank fuzz --corpus` can work on the same folder.
#[macro_export]
macro_rules! fuzz_check {
    ($check:expr) => {
        ::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            ::std::thread_local! {
                static CHECK: $crate::check::AnyCheck = $check.boxed();
            }
            CHECK.with(|check| check.run_bytes(bytes));
        });
    };
}
