//! The relay over stdio.

fn main() -> std::process::ExitCode {
    relay::relay(wavetank_guest::link::Link::over_stdio())
}
