//! Fault: a stream dropped before its pollable.
//!
//! The pollable is the stream's child in the host's table, and a resource with children cannot be dropped: the
//! drop of the stream traps with "resource has children". Rust drops locals in reverse order of declaration,
//! but fields in order. So a struct that declares its stream first has this fault.

use wasip2::{
    cli::stdin::get_stdin,
    io::{poll::Pollable, streams::InputStream},
};

struct Backwards {
    _stream: InputStream,
    _pollable: Pollable,
}

fn main() {
    let stream = get_stdin();
    let pollable = stream.subscribe();
    drop(Backwards { _stream: stream, _pollable: pollable });
    println!("not reached");
}
