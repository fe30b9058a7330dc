//! pid0 with `child-echo` inside.

fn main() -> std::process::ExitCode {
    pid0::boot("child-echo", include_bytes!("../../../built/child-echo.wasm"))
}
