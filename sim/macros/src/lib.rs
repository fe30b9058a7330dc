//! The attribute `#[wavetank_sim::test]`. `wavetank-sim` exports it, and its documentation stands there.

mod options;
mod test;

use proc_macro::TokenStream;

/// Makes a test of a scenario: it runs under many seeds, and a failure is explained, shrunk, saved and replayed.
///
/// The name of the check is its path, `shop::cart::buys`. Tokens have it as `shop__cart__buys`. `cargo test` and nextest
/// run it like any test, in unit tests and in integration tests, and `cargo wavetank run buys` sweeps it over processes.
///
/// The options are those of [`Check`](https://docs.rs/wavetank-sim/latest/wavetank_sim/check/struct.Check.html), with
/// any expression as a value:
///
/// | option | for |
/// | --- | --- |
/// | `seeds = 500`, `seeds = 100..200` | the seeds; without it, 100 |
/// | `profile = "harsh"`, `profile = Profile::harsh()` | the profile, by its name or as a value |
/// | `strategy = "pct:3"` | the strategy, by its name or as a value |
/// | `schema = SHOP` | a CodeGeneratorRequest by which reports name calls and values |
/// | `canary`, `canary = true` | repeat and compare each run |
/// | `jobs = 4` | threads for the seeds |
/// | `without(Oracle::Resources, "std keeps its handles")` | switch an oracle off, with the reason; once for each |
/// | `each = \|run\| assert!(…)` | an assertion about every run that finished |
/// | `max_choices`, `max_steps`, `shrink_runs` | the limits of runs and of shrinking |
/// | `failures = "folder"`, `no_failures` | the folder of saved failures, or none |
/// | `should_fail = "the books are right"` | for a planted fault: a seed must fail with this text in its report; once for each text |
/// | `report = "folder"` | the folder of pages about failures |
/// | `crate = path` | the path of `wavetank_sim`, if it has another name |
///
/// Other attributes stay: `#[ignore]`, `#[should_panic]`, `#[cfg(…)]`, `#[allow(…)]`. The function may return a
/// `Result`: an error is a failure of its world. Background work belongs into tasks of the world, so it is not `async`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    test::expand(options.into(), function.into()).into()
}
