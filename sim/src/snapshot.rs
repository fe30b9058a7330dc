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

use crate::calls::calls;
use crate::run::Run;
use crate::schema::PEER_SCHEMA;

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
    match view {
        View::Calls => calls(run, &PEER_SCHEMA),
        View::Frames => {
            let mut text = String::new();
            for link in &*run.frames(&PEER_SCHEMA) {
                text += &format!("link of {}\n", link.cell);
                for frame in &link.frames {
                    text += &format!("  {frame}\n");
                }
            }
            text
        }
        View::Steps => run.transcript.steps_text(&PEER_SCHEMA),
    }
}

/// Compares a run with `snapshots/FAMILY/SCENARIO.snap` beside the manifest of the calling crate. The seed and the
/// strategy are only in the snapshot's metadata. `INSTA_UPDATE=always` and `cargo insta review` work as usual.
///
/// Takes a [`Run`](crate::Run), `"family/scenario"`, a [`View`](crate::snapshot::View), and another folder than
/// `snapshots` if you like. The calling crate needs `insta`.
///
/// # Panics
/// If the run did not finish, or if it differs from the snapshot.
#[macro_export]
macro_rules! assert_transcript {
    ($run:expr, $name:expr, $view:expr $(,)?) => {
        $crate::assert_transcript!($run, $name, $view, concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"))
    };
    ($run:expr, $name:expr, $view:expr, $folder:expr $(,)?) => {{
        let run: &$crate::Run = &$run;
        assert!(run.outcome.is_finished(), "seed {}: {}", run.seed, run.outcome);
        let name = $name;
        let (family, scenario) = name.split_once('/').expect("a name is FAMILY/SCENARIO");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(std::path::Path::new($folder).join(family));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(format!("seed {}, {}", run.seed, run.origin));
        settings.bind(|| insta::assert_snapshot!(scenario, $crate::snapshot::text(run, $view)));
    }};
}
