//! The child over a connection.

fn main() -> std::process::ExitCode {
    child_echo::echo(wavetank_guest::link::Link::over_connection())
}
