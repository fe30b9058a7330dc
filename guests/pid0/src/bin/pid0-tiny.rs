//! pid0 with `child-tiny` inside: the same calls with little to carry.

fn main() -> std::process::ExitCode {
    pid0::boot("child-tiny", include_bytes!("../../../built/child-tiny.wasm"))
}
