//! `cargo wavetank`: the command over the checks of a project.

use std::process::ExitCode;

fn main() -> ExitCode {
    wavetank_cli::cargo_main()
}
