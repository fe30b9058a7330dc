//! The bug benchmark: faults that really happened, each as a scenario beside its mended twin.
//!
//! Six families. `g..` are guests whose fault is in the component (`guests/bugs`, `guests/faults`). `h..` are hosts and
//! `w..` the WASI that hosts offer, both written as tasks of vats. `p..` are servers that pause. `v..` are vats that call
//! each other. The others are the shapes that papers compare schedulers on. A case is a pair of scenarios over the public
//! API. The buggy one fails under some schedule, or in a way that only a special oracle can see; the mended one finishes
//! under every schedule.
//!
//! Not here: the same faults in the tank itself, because no scenario can put one there. `tests/it/wasi.rs` and the
//! canary check those.

mod cells;
mod hosts;
pub mod measure;
mod pauses;
mod shapes;
pub mod triggers;
mod vats;

use triggers::{Culprit, Trigger};
use wavetank_choice::moves::Kind;
use wavetank_sim::canary::run_compared;
use wavetank_sim::run::{Run, Setup, run};
use wavetank_sim::world::{World, yield_now};

/// A fault and its mended twin.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: small letters, digits, dashes and underscores.
    pub id: &'static str,
    /// Who holds the fault.
    pub culprit: Culprit,
    /// What brings it out.
    pub trigger: Trigger,
    /// What the fault is, in one line.
    pub summary: &'static str,
    /// Builds the world with the fault.
    pub buggy: fn(&mut World),
    /// Builds the world that does the same job without the fault.
    pub mended: fn(&mut World),
    /// Whether the fault shows only if a second run of the same seed is compared with the first.
    pub is_compared: bool,
}

impl Case {
    /// Runs one of its worlds in the way that can find the fault: once, or under the [canary](wavetank_sim::canary).
    pub fn run(&self, build: fn(&mut World), setup: &Setup) -> Run {
        if self.is_compared { run_compared(build, setup) } else { run(build, setup) }
    }
}

/// Whether the world has the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Buggy,
    Mended,
}

use Culprit::{Cycle, Guest, Scenario, Vat};
use Trigger::{Always, Damage, Failure, Flow, Host, Order, Value, Weather};
use Way::{Buggy, Mended};

/// One line of [`ALL`]: the function that builds both worlds, with its further arguments after the way.
macro_rules! case {
    ($id:literal, $culprit:expr, $trigger:expr, $summary:literal, $build:path $(, $with:expr)*) => {
        Case {
            id: $id,
            culprit: $culprit,
            trigger: $trigger,
            summary: $summary,
            buggy: |world| $build(world, Buggy $(, $with)*),
            mended: |world| $build(world, Mended $(, $with)*),
            is_compared: false,
        }
    };
}

/// All cases.
pub const ALL: &[Case] = &[
    // Guests.
    case!("g01", Guest("fault-handle"), Always, "a handle passed as a plain number", cells::fault_handle),
    case!("g02", Guest("g02"), Flow("g02 stdout"), "a permit kept across turns", cells::permit),
    case!(
        "g02-overwrite",
        Guest("fault-overwrite"),
        Always,
        "a write of more than check-write granted",
        cells::fault_overwrite
    ),
    case!("g03-drop", Guest("fault-drop"), Always, "a stream dropped before its pollable", cells::fault_drop),
    case!(
        "g03-leak",
        Guest("g03-leak"),
        Always,
        "a session forgotten instead of ended",
        cells::echoes,
        "g03-leak"
    ),
    case!("g03-timers", Guest("g03-timers"), Always, "a pollable forgotten for each timer", cells::timers),
    case!(
        "g04",
        Guest("g04"),
        Flow("g04 connection"),
        "RPC polled, then the application, then a block",
        cells::echoes,
        "g04"
    ),
    case!(
        "g05",
        Guest("g05"),
        Always,
        "RPC polled again on a condition; a timer hides it",
        cells::echoes,
        "g05"
    ),
    case!(
        "g05-quiet",
        Guest("g05-quiet"),
        Always,
        "the same, and no timer in turns that wrote",
        cells::echoes,
        "g05-quiet"
    ),
    case!(
        "g05-few",
        Guest("g05-few"),
        Always,
        "the same with three calls",
        cells::few_echoes,
        "g05-few",
        "g05-quiet"
    ),
    case!(
        "g05-late",
        Guest("g05-late"),
        Always,
        "a link that is read by the clock, and never waited for",
        cells::few_echoes,
        "g05-late",
        "g05-late"
    ),
    case!(
        "g06",
        Guest("g06"),
        Flow("g06 connection out"),
        "a refused write left out of the poll set",
        cells::echoes,
        "g06"
    ),
    case!(
        "g07",
        Guest("g07"),
        Order(&["g07", "host"]),
        "a stream at its end left in the poll set",
        cells::late_answer
    ),
    case!(
        "g07-spin",
        Guest("fault-spin"),
        Always,
        "asking in a loop instead of blocking in poll",
        cells::fault_spin
    ),
    case!(
        "g08",
        Guest("g08"),
        Order(&["g08", "host"]),
        "a finished RPC system counted as progress",
        cells::dead_link
    ),
    case!("g09", Guest("g09"), Always, "a child's stderr that nobody reads", cells::loud_child),
    case!(
        "g10",
        Guest("g10"),
        Order(&["g10", "host", "launcher", "writer"]),
        "the far end of stdin dropped before it is written",
        cells::dropped_stdio
    ),
    case!(
        "g11",
        Guest("g11"),
        Order(&["g11", "host"]),
        "an empty read taken for the end",
        cells::counted_stdin,
        "g11"
    ),
    case!(
        "g11-eof",
        Guest("g11-eof"),
        Always,
        "the end taken for an empty read",
        cells::counted_stdin,
        "g11-eof"
    ),
    case!("g12", Guest("g12"), Always, "a blocking read in a cooperative loop", cells::quiet_stdin),
    case!("g13", Guest("g13"), Value, "a log line over 4096 bytes in one blocking write", cells::log_line),
    case!("g14", Guest("g14"), Always, "the application's error swallowed", cells::failing_call),
    case!(
        "g15",
        Guest("g15"),
        Flow("g15 stdin"),
        "one read taken to bring a whole header",
        cells::framed_stdin
    ),
    case!(
        "g16",
        Guest("g16"),
        Always,
        "a failed write swallowed, on a link that is half broken",
        cells::half_broken_link
    ),
    case!("g17", Guest("g17"), Always, "a heartbeat that outlives its link", cells::heartbeat),
    case!("g20", Guest("g20"), Always, "a child's failure kept to itself", cells::failing_child),
    case!("g21", Guest("g21"), Always, "one of 32 children never waited for", cells::many_children),
    case!(
        "g22",
        Guest("g22"),
        Damage,
        "a stream dropped before its pollable where a call failed",
        cells::failing_link
    ),
    case!("g23", Guest("g23"), Host, "bytes that are never flushed", cells::echoes, "g23"),
    case!("g24", Guest("g24"), Host, "two writes on one permit", cells::prints, "g24"),
    case!("g25", Guest("g25"), Flow("g25 stdout"), "a write during a flush", cells::prints, "g25"),
    case!(
        "g26",
        Guest("g26"),
        Weather(Kind::Spur),
        "a ready pollable taken for bytes",
        cells::pieces_of_stdin
    ),
    case!(
        "g27",
        Guest("g27"),
        Flow("g27 stdin"),
        "a short read taken for the last",
        cells::counted_stdin,
        "g27"
    ),
    case!("g28", Guest("g28"), Host, "a poll taken to name all that is ready", cells::echoes, "g28"),
    case!(
        "wait-now",
        Guest("wait-now"),
        Always,
        "a clock read in a loop, for a time and for ever",
        cells::waits,
        "wait-now"
    ),
    case!(
        "wait-ready",
        Guest("wait-ready"),
        Always,
        "a timer asked in a loop, for a time and for ever",
        cells::waits,
        "wait-ready"
    ),
    case!(
        "wait-poll",
        Guest("wait-poll"),
        Always,
        "a poll that is always ready, for a time and for ever",
        cells::waits,
        "wait-poll"
    ),
    case!(
        "wait-bytes",
        Guest("wait-bytes"),
        Always,
        "bytes asked for in a loop, that come and that never come",
        cells::waits_for_bytes
    ),
    case!("hot", Guest("hot"), Always, "a computation without an end", cells::computation),
    // Hosts.
    case!("h01", Scenario, Always, "a peer that never speaks, and no bound on the wait", hosts::mute_peer),
    case!(
        "h02",
        Scenario,
        Always,
        "an answer awaited while nobody polls its RPC system",
        hosts::unpolled_system
    ),
    case!(
        "h03",
        Scenario,
        Order(&["spawner", "child", "host", "caller"]),
        "a dropped kill channel read as an order to kill",
        hosts::dropped_process
    ),
    case!(
        "h04",
        Scenario,
        Order(&["spawner", "child", "host", "caller"]),
        "a spawn cancelled before its hand-over leaves the cell",
        hosts::cancelled_spawn
    ),
    case!(
        "h05",
        Scenario,
        Order(&["reader", "writer", "peer"]),
        "one lock held across a read, shared with the writer",
        hosts::lock_across_read
    ),
    case!(
        "h06",
        Scenario,
        Order(&["child", "first", "second"]),
        "a wait that takes the receiver, then is cancelled",
        hosts::cancelled_wait
    ),
    case!("h07", Scenario, Value, "a read that allocates what it was asked for", hosts::greedy_read),
    case!("h08", Scenario, Always, "a grant of fuel that ends between two ticks", hosts::tick_grants),
    case!(
        "h09",
        Scenario,
        Order(&["events", "cell"]),
        "a one-shot budget refilled at each return of the host",
        hosts::refilled_budget
    ),
    case!(
        "h10",
        Scenario,
        Order(&["operator", "supervisor", "child"]),
        "an old child's result judged as its successor's",
        hosts::old_result
    ),
    case!(
        "h11",
        Scenario,
        Order(&["events", "loop", "timer"]),
        "an event received, then its processing cancelled",
        hosts::cancelled_event
    ),
    case!(
        "h12",
        Scenario,
        Order(&["server", "host", "keeper", "test"]),
        "an abort test that passes before the guest has run",
        hosts::vacuous_abort
    ),
    Case {
        is_compared: true,
        ..case!("h13", Scenario, Always, "waiters woken in the order of a hash map", hosts::hashed_waiters)
    },
    // The WASI that hosts provide.
    case!(
        "w01",
        Scenario,
        Order(&["copy", "host", "program", "worker"]),
        "a stdout that drops the waker of whoever waits for it",
        hosts::stdout_worker
    ),
    case!(
        "w02",
        Scenario,
        Order(&["first", "second", "server", "caller", "pump"]),
        "two pollables of one stream, one waker kept",
        hosts::two_pollables
    ),
    case!("w03", Scenario, Always, "a clock that reckons the wrong way round", hosts::clock_underflow),
    case!(
        "w04",
        Scenario,
        Order(&["program", "runtime"]),
        "a poll with a time-out of nothing that never yields",
        hosts::zero_timeout
    ),
    // Servers that pause.
    case!(
        "p01",
        Scenario,
        Order(&["server", "first", "second"]),
        "an update lost across a pause of its server",
        pauses::lost_update,
        1
    ),
    case!(
        "p02",
        Scenario,
        Order(&["server", "first", "second"]),
        "the same across two pauses",
        pauses::lost_update,
        2
    ),
    case!(
        "p03",
        Scenario,
        Order(&["server", "first", "second"]),
        "a RefCell borrowed across a pause",
        pauses::borrow_across_pause
    ),
    case!(
        "p04",
        Scenario,
        Failure,
        "a write that fails between two halves of an update",
        pauses::failed_write
    ),
    // Between vats.
    case!(
        "v01",
        Cycle(&["a", "b"]),
        Order(&["a", "b"]),
        "two vats that each hold a lock and ask for the other's",
        vats::mutual_locks
    ),
    case!(
        "v02",
        Cycle(&["a", "b", "c"]),
        Order(&["a", "b", "c"]),
        "the same in a ring of three vats",
        vats::ring_of_locks
    ),
    case!(
        "v03",
        Vat("mailbox"),
        Order(&["first", "second", "third", "fourth", "mailbox"]),
        "a mailbox that wakes one for two messages",
        vats::mailbox
    ),
    case!(
        "v04",
        Vat("broker"),
        Order(&["broker"]),
        "an answer handed out before its asker is written down",
        vats::late_entry
    ),
    case!(
        "v05",
        Vat("store"),
        Order(&["store", "relay", "reader", "writer"]),
        "a value set between a look and a wait, behind a relay",
        vats::missed_value
    ),
    case!(
        "v06",
        Vat("shop"),
        Order(&["shop", "store", "first", "second"]),
        "a RefCell borrowed across a call to another vat",
        vats::borrow_across_call
    ),
    case!("v07", Vat("pool"), Failure, "a permit that a failed operation keeps", vats::lost_permit),
    case!(
        "v08",
        Cycle(&["client", "server"]),
        Always,
        "a callback that calls back while its server is locked",
        vats::reentrant_callback
    ),
    // Shapes.
    case!("account", Scenario, Order(&["t"]), "an update lost across a yield", shapes::account),
    case!("abba", Scenario, Order(&["t"]), "two locks in opposite order", shapes::abba),
    case!(
        "reorder_3",
        Scenario,
        Order(&["t", "last"]),
        "the last of 3 must overtake the first",
        shapes::reorder,
        3
    ),
    case!(
        "reorder_5",
        Scenario,
        Order(&["t", "last"]),
        "the last of 5 must overtake the first",
        shapes::reorder,
        5
    ),
    case!(
        "reorder_10",
        Scenario,
        Order(&["t", "last"]),
        "the last of 10 must overtake the first",
        shapes::reorder,
        10
    ),
    case!(
        "reorder_20",
        Scenario,
        Order(&["t", "last"]),
        "the last of 20 must overtake the first",
        shapes::reorder,
        20
    ),
    case!(
        "twostage_2",
        Scenario,
        Order(&["t", "last"]),
        "a write in two stages, seen between them",
        shapes::twostage,
        2
    ),
    case!("twostage_20", Scenario, Order(&["t", "last"]), "the same with 20 tasks", shapes::twostage, 20),
    case!("needle_20", Scenario, Order(&["hay", "needle"]), "one exact step of 20", shapes::needle, 20),
    case!("needle_100", Scenario, Order(&["hay", "needle"]), "one exact step of 100", shapes::needle, 100),
    case!(
        "longshort_10",
        Scenario,
        Order(&["long", "short"]),
        "one step after all 10 of another task",
        shapes::longshort,
        10
    ),
    case!(
        "longshort_50",
        Scenario,
        Order(&["long", "short"]),
        "one step after all 50 of another task",
        shapes::longshort,
        50
    ),
    case!(
        "buffer",
        Scenario,
        Order(&["p", "c"]),
        "a bounded buffer, one condition, one woken",
        shapes::bounded_buffer
    ),
    case!("philosophers", Scenario, Order(&["t"]), "three dine, left fork first", shapes::philosophers),
];

/// The case with this id.
pub fn find(id: &str) -> Option<&'static Case> {
    ALL.iter().find(|case| case.id == id)
}

/// As many steps that do nothing.
async fn steps(count: u32) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// Adds a task on a vat of its own.
fn task(world: &World, name: &str, task: impl Future<Output = ()> + 'static) {
    world.task_of(world.vat(name), name, task);
}
