//! The relay over a connection.

fn main() -> std::process::ExitCode {
    relay::relay(wavetank_guest::link::Link::over_connection())
}
