//! pid0 over a connection, with `child-echo` inside.

use wavetank_guest::link::Link;

const CHILD: &[u8] = include_bytes!("../../../built/child-echo.wasm");

fn main() -> std::process::ExitCode {
    pid0::boot(Link::over_connection(), "child-echo", CHILD)
}
