//! The `main` of a binary that holds the checks of a user's project.
//!
//! Without a command, the binary behaves like any test binary: `cargo test` and nextest list its checks and run them.
//! With a command as its first argument, it is the whole `wavetank` command over these checks.

use crate::args::Args;
use crate::{Binary, Catalogue, terminal};
use clap::CommandFactory;
use libtest_mimic::{Arguments, Failed, Trial};
use std::ffi::OsString;
use std::process::ExitCode;
use wavetank_sim::check::AnyCheck;
use wavetank_sim::replay_line::{Called, test_line};

/// The command that a user typed to come here, if it is neither cargo nor this binary: `cargo wavetank`.
pub(crate) const CALLED_AS: &str = "WAVETANK_CALLED_AS";

/// The word that makes the binary list its checks for `cargo wavetank`.
pub(crate) const LIST: &str = "wavetank-checks";

/// Stands before the list, because libraries print to stdout too.
const MARK: &str = "\u{1e}wavetank checks ";

/// Reads the list out of what a binary printed; `None` if it is no such binary.
pub(crate) fn listed(stdout: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(stdout).ok()?;
    serde_json::from_str(text.lines().find_map(|line| line.strip_prefix(MARK))?).ok()
}

/// Runs checks as tests, or the `wavetank` command over them. The macro [`checks!`](crate::checks) calls it.
pub fn checks_main(binary: Binary, checks: Vec<fn() -> AnyCheck>) -> ExitCode {
    let catalogue = Catalogue::of_checks(binary, checks);
    let first = std::env::args_os().nth(1);
    if first.as_ref().is_some_and(|word| word == LIST) {
        let names = serde_json::to_string(&catalogue.check_names()).expect("names are plain data");
        return crate::ended(
            terminal::write(format!("{MARK}{names}\n").as_bytes()).map(|()| ExitCode::SUCCESS),
        );
    }
    if first.is_some_and(|word| is_command(&word)) {
        return crate::main(catalogue);
    }
    let test = to_the_binary(Called::of_this_process());
    let mut trials = Vec::new();
    for make in catalogue.checks {
        let name = make().token_name();
        let again = format!("{test} --exact {name}");
        trials.push(Trial::test(name, move || run(make().called_by(&again))));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Whether a word is a command of `wavetank`. Everything else is for the test harness, such as the name of a check.
fn is_command(word: &OsString) -> bool {
    let known = |command: &clap::Command| word == command.get_name();
    word == "--help" || word == "--version" || word == "help" || Args::command().get_subcommands().any(known)
}

fn run(check: AnyCheck) -> Result<(), Failed> {
    // A panic is the report, which the harness prints.
    check.run();
    Ok(())
}

/// The start of a line that calls a command of this binary.
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: how the command was called")]
pub(crate) fn command_line(called: Called) -> String {
    std::env::var(CALLED_AS).unwrap_or_else(|_| to_the_binary(called))
}

/// The command that passes arguments to this binary: `cargo test -p shop --test checks --`, or the path of the binary if
/// cargo did not start it.
fn to_the_binary(called: Called) -> String {
    let dashes = if called.env.contains_key("CARGO") { " --" } else { "" };
    let args = called.args.into_iter().take(1).collect();
    test_line(&Called { args, test_thread: None, ..called }) + dashes
}

/// A `main` for the checks of a project.
///
/// ```no_run
/// use wavetank_sim::{World, check};
///
/// fn counts(world: &mut World) {
///     world.task("count", async { assert_eq!(1 + 1, 2) });
/// }
///
/// wavetank_cli::checks! {
///     check("counts", counts),
///     check("counts under damage", counts).profile(wavetank_sim::Profile::harsh()).seeds(0..500),
/// }
/// ```
///
/// Put it into a test target with `harness = false`, say `tests/checks.rs`. Then `cargo test` runs the checks, and
/// `cargo test --test checks -- run counts --seeds 0..100000` runs one with the whole tool: every command of `wavetank`
/// works. Names may have letters, digits and dashes; other characters become underscores.
#[macro_export]
macro_rules! checks {
    ($($check:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::checks_main(
                $crate::Binary { package: env!("CARGO_PKG_NAME"), folder: env!("CARGO_MANIFEST_DIR") },
                vec![$(|| $check.boxed()),+],
            )
        }
    };
}
