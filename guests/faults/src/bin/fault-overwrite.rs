//! Fault: a write of more than `check_write` granted.
//!
//! A permit is a promise to take that many bytes and no more. A write of one byte more traps, even if the pipe
//! had room for it.

use wasip2::cli::stdout::get_stdout;

fn main() {
    let stdout = get_stdout();
    let permit_bytes = stdout.check_write().expect("stdout is open");
    let written = stdout.write(&vec![b'.'; permit_bytes as usize + 1]);
    eprintln!("not reached: {written:?}");
}
