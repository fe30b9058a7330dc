//! pid0 over stdio, with `child-echo-stdio` inside.

use wavetank_guest::link::Link;

const CHILD: &[u8] = include_bytes!("../../../built/child-echo-stdio.wasm");

fn main() -> std::process::ExitCode {
    pid0::boot(Link::over_stdio(), "child-echo", CHILD)
}
