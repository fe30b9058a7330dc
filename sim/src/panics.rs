//! Panics inside a world: each is caught with its place, and the place decides whose fault it is.
//!
//! A process-wide hook is set once. On a thread that is inside a world, the hook notes the panic's message and place
//! and prints nothing, because the outcome reports them. On all other threads the previous hook runs.

use crate::outcome::Blame;
use crate::source_path::{own, portable_path};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

/// A panic that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) message: String,
    /// File and line. The path starts at the folder of its crate.
    pub(crate) at: String,
    pub(crate) blame: Blame,
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<Caught>> = const { RefCell::new(None) };
}

/// Runs a closure that belongs to a world, and catches its panic.
pub(crate) fn catch<R>(inside: impl FnOnce() -> R) -> Result<R, Caught> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| if INSIDE.get() { note(panic) } else { before(panic) }));
    });
    INSIDE.set(true);
    let result = std::panic::catch_unwind(AssertUnwindSafe(inside));
    INSIDE.set(false);
    let noted = CAUGHT.take();
    result.map_err(|panic| {
        // If somebody has replaced the hook since, nothing was noted.
        noted.unwrap_or_else(|| Caught {
            message: message(panic.as_ref()),
            at: "an unknown place".into(),
            blame: scenarios(),
        })
    })
}

/// The panic that was last caught on its way, by somebody inside the running closure.
pub(crate) fn caught_on_its_way() -> Option<Caught> {
    CAUGHT.take()
}

fn note(panic: &PanicHookInfo<'_>) {
    let (file, line) = panic.location().map_or(("", 0), |at| (at.file(), at.line()));
    let caught = Caught { message: message(panic.payload()), at: place(file, line), blame: blame(file) };
    // A panic may be caught on its way and another may follow. The last one ends the world, so it overwrites the
    // others. If it came while the first was still unwinding, it ends the process, and nobody is left to report either.
    if let Some(first) = CAUGHT.take() {
        let line = |caught: &Caught| format!("{} at {}", caught.message, caught.at);
        eprintln!("a world panicked twice: {}; then {}", line(&first), line(&caught));
    }
    CAUGHT.set(Some(caught));
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}

/// Libraries below us: the start of their folder's name, and their name.
const LIBRARIES: [(&str, &str); 5] = [
    ("/capnp-rpc-", "capnp-rpc"),
    ("/capnp-0", "capnp"),
    ("/capnp-futures-", "capnp-futures"),
    ("/wasmtime-wasi-io-", "wasmtime-wasi-io"),
    ("/wasmtime", "wasmtime"),
];

fn blame(file: &str) -> Blame {
    let library = LIBRARIES.iter().find(|(folder, _)| file.contains(folder) && file.contains("/registry/"));
    if let Some((_, name)) = library {
        return Blame::Library(name);
    }
    if own(file).is_some() { Blame::Tank } else { scenarios() }
}

fn scenarios() -> Blame {
    Blame::Scenario("it or a capability of its own panicked".into())
}

/// File and line without anything that belongs to one machine: the path starts at the folder of its crate.
fn place(file: &str, line: u32) -> String {
    format!("{}:{line}", portable_path(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_place() {
        let caught = catch(|| panic!("at {}", 7)).expect_err("it panics");
        assert_eq!(caught.message, "at 7");
        assert!(caught.at.starts_with("sim/src/panics.rs:"), "{}", caught.at);
        assert_eq!(caught.blame, Blame::Tank);
        assert_eq!(catch(|| 3), Ok(3));
    }

    #[test]
    fn a_panic_that_was_caught_on_its_way_is_not_told_of_the_next() {
        let caught = catch(|| {
            let _ = std::panic::catch_unwind(|| panic!("first"));
            panic!("second");
        });
        assert_eq!(caught.expect_err("it panics").message, "second");
        let seen = catch(|| {
            drop(std::panic::catch_unwind(|| panic!("only")));
            caught_on_its_way().map(|caught| caught.message)
        });
        assert_eq!(seen, Ok(Some("only".into())));
        let fine = catch(|| drop(std::panic::catch_unwind(|| panic!("only"))));
        assert_eq!(fine, Ok(()));
    }

    #[test]
    fn places_hold_nothing_of_a_machine() {
        let at = |file: &str| place(file, 3);
        let registry = "/somewhere/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert_eq!(at(&format!("{registry}/capnp-rpc-0.27.3/src/rpc.rs")), "capnp-rpc-0.27.3/src/rpc.rs:3");
        assert_eq!(at("/rustc/abc123/library/core/src/cell.rs"), "library/core/src/cell.rs:3");
        assert_eq!(at("/somewhere/guest/tests/waves.rs"), "guest/tests/waves.rs:3");
        assert_eq!(at("tests/it/waves.rs"), "tests/it/waves.rs:3");
        assert_eq!(at("/somewhere.rs"), "somewhere.rs:3");
    }

    #[test]
    fn the_layer_is_known_by_the_path() {
        let registry = "/somewhere/registry/src/index.crates.io-1949cf8c6b5b557f";
        let of = |crate_file: &str| blame(&format!("{registry}/{crate_file}"));
        assert_eq!(of("capnp-rpc-0.27.3/src/rpc.rs"), Blame::Library("capnp-rpc"));
        assert_eq!(of("capnp-0.27.3/src/layout.rs"), Blame::Library("capnp"));
        assert_eq!(of("wasmtime-48.0.1/src/lib.rs"), Blame::Library("wasmtime"));
        assert_eq!(blame(wavetank::THIS_FILE), Blame::Tank);
        assert_eq!(blame(file!()), Blame::Tank);
        assert_eq!(blame(wavetank_choice::THIS_FILE), Blame::Tank);
        assert_eq!(blame("sim/lab/src/bugs.rs"), scenarios());
        assert_eq!(blame("tests/it/waves.rs"), scenarios());
    }
}
