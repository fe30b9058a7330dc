//! The output of guests as tracing events. This test has its own process, because tracing's subscriber is shared by the
//! whole process, and other tests would fill it.

use wavetank_lab::scenario;
use wavetank_sim::check::engine;
use wavetank_sim::{Seed, Setup, run};

#[test]
#[tracing_test::traced_test]
fn what_guests_say_arrives_as_tracing_events_with_the_cells_name() {
    for (name, stream) in [("pid0", "stderr"), ("pid0-streams", "stdout")] {
        let build = scenario::find(name).expect("a built-in scenario").build;
        let run = run(build, &Setup::new(engine(), Seed(1)));
        assert!(run.outcome.is_finished(), "{}", run.outcome);
        let cell = format!("cell=\"child-echo\" stream=\"{stream}\"");
        logs_assert(|lines: &[&str]| {
            let said = lines.iter().any(|line| line.contains(&cell) && line.contains("CHILD_OK"));
            if said { Ok(()) } else { Err(format!("{name}: no line with {cell} and CHILD_OK in {lines:?}")) }
        });
    }
}
