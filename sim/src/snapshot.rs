//! Snapshots of transcripts with insta, in one line.
//!
//! ```no_run
//! use wavetank_sim::snapshot::View;
//! use wavetank_sim::{check, guests, peer};
//!
//! let boots = check("boots", |world| {
//!     world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
//! });
//! wavetank_sim::assert_transcript!(boots.run_seed(7), "boots/pid0", View::Calls);
//! ```

use crate::calls::redacted_calls;
use crate::run::Run;
use wavetank_trace::Redactions;

/// The part of a transcript that a snapshot shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Calls and their results. They are the same for every schedule in which the application behaved the same.
    Calls,
    /// The RPC frames of each link. They are the same if they were sent in the same order.
    Frames,
    /// Every move and its effects. They are the same if the choices are the same.
    Steps,
}

/// The text of a run.
pub fn text(run: &Run, view: View) -> String {
    redacted_text(run, view, &Redactions::default())
}

/// The text of a run without the values that these paths lead to.
pub fn redacted_text(run: &Run, view: View, redactions: &Redactions) -> String {
    match view {
        View::Calls => redacted_calls(run, redactions),
        View::Frames => {
            let mut text = String::new();
            for link in &*run.frames() {
                text += &format!("link of {}\n", link.cell);
                for frame in &link.frames {
                    text += &format!("  {}\n", redactions.frame(frame));
                }
            }
            text
        }
        View::Steps => run.transcript.redacted_steps_text(&run.schema, redactions),
    }
}

/// The redactions of these paths, each replaced by its text, or by `[redacted]`.
///
/// # Panics
/// If a path cannot be read; see [`wavetank_trace::redact`].
#[track_caller]
pub fn redactions(paths: &[(&str, &str)]) -> Redactions {
    let mut redactions = Redactions::default();
    for (path, replacement) in paths {
        redactions.add(path, replacement).unwrap_or_else(|e| panic!("{e}"));
    }
    redactions
}

/// Compares a run with `snapshots/FAMILY/SCENARIO.snap` beside the manifest of the calling crate. The seed and the
/// strategy are only in the snapshot's metadata. `INSTA_UPDATE=always` and `cargo insta review` work as usual.
///
/// Takes a [`Run`](crate::Run), `"family/scenario"`, a [`View`](crate::snapshot::View), and another folder than
/// `snapshots` if you like. The calling crate needs `insta`.
///
/// Values that differ from run to run for a good reason can be redacted, by the [path](wavetank_trace::redact) that
/// leads to them:
///
/// ```no_run
/// # let run = wavetank_sim::check("idle", |_: &mut wavetank_sim::World| ()).run_seed(1);
/// use wavetank_sim::snapshot::View;
///
/// wavetank_sim::assert_transcript!(run, "shop/order", View::Calls, redact = [("Shop.order.id", "[id]")]);
/// ```
///
/// # Panics
/// If the run did not finish, or if it differs from the snapshot.
#[macro_export]
macro_rules! assert_transcript {
    ($run:expr, $name:expr, $view:expr $(,)?) => {
        $crate::assert_transcript!($run, $name, $view, redact = [])
    };
    ($run:expr, $name:expr, $view:expr, redact = $redact:expr $(,)?) => {
        $crate::assert_transcript!(
            $run,
            $name,
            $view,
            concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"),
            redact = $redact
        )
    };
    ($run:expr, $name:expr, $view:expr, $folder:expr $(,)?) => {
        $crate::assert_transcript!($run, $name, $view, $folder, redact = [])
    };
    ($run:expr, $name:expr, $view:expr, $folder:expr, redact = $redact:expr $(,)?) => {{
        let run: &$crate::Run = &$run;
        assert!(run.outcome.is_finished(), "seed {}: {}", run.seed, run.outcome);
        let name = $name;
        let (family, scenario) = name.split_once('/').expect("a name is FAMILY/SCENARIO");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(std::path::Path::new($folder).join(family));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(format!("seed {}, {}", run.seed, run.origin));
        let redactions = $crate::snapshot::redactions(&$redact);
        let text = $crate::snapshot::redacted_text(run, $view, &redactions);
        settings.bind(|| insta::assert_snapshot!(scenario, text));
    }};
}
