//! The golden digests: both the debug and the release build check them against one file.
//!
//! A binary of its own, so that the release build need not compile all tests.

use wavetank_sim::run;
use wavetank_sim::scenario::Scenario;
use wavetank_tests::{ending, hex, in_repository, setup};

#[test]
fn golden_digests() {
    let mut lines = Vec::new();
    for Scenario { name, build, .. } in ending() {
        for seed in [0, 1, 7] {
            let digest = run(build, &setup(seed)).transcript.digest();
            lines.push(format!("{name} seed {seed} {}", hex(&digest)));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(in_repository("snapshots/golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("digests", lines.join("\n")));
}
