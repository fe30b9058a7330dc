//! The child over stdio.

fn main() -> std::process::ExitCode {
    child_echo::echo(wavetank_guest::link::Link::over_stdio())
}
