//! Fuzzes the choices of a scenario, read from bytes. The scenario is `pid0`, or the one named by WAVETANK_SCENARIO.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use wavetank_lab::scenario::find;
use wavetank_lab::targets::budgets;
use wavetank_sim::scenario::Scenario;

#[expect(clippy::disallowed_methods, reason = "read once, before any world")]
fn scenario() -> &'static Scenario {
    static SCENARIO: OnceLock<&'static Scenario> = OnceLock::new();
    SCENARIO.get_or_init(|| {
        let name = std::env::var("WAVETANK_SCENARIO").unwrap_or_else(|_| "pid0".into());
        find(&name).unwrap_or_else(|| panic!("no scenario is called {name:?}"))
    })
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = budgets(scenario().build, bytes) {
        panic!("{found}");
    }
});
