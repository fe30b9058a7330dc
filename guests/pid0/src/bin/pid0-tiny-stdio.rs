//! pid0 over stdio, with `child-tiny` inside: the same calls with few bytes to carry.

use wavetank_guest::link::Link;

const CHILD: &[u8] = include_bytes!("../../../built/child-tiny.wasm");

fn main() -> std::process::ExitCode {
    pid0::boot(Link::over_stdio(), "child-tiny", CHILD)
}
