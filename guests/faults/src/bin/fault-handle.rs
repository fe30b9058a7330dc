//! Fault: a resource handle that was passed as a plain number and used as a resource.
//!
//! Handles are indexes into the table of one component instance. If a number comes from elsewhere, say from the host's
//! own table by way of an argument, it names nothing in the instance's table: the read traps with "unknown handle".

use wasip2::io::streams::InputStream;

/// A handle "from the host", of the kind that guests with this fault were given.
const PASSED_HANDLE: u32 = 4242;

fn main() {
    // SAFETY: this is wrong but not memory-unsafe, because the component model checks each handle at the call.
    // That is the fault.
    let stream = unsafe { InputStream::from_handle(PASSED_HANDLE) };
    let read = stream.read(1);
    println!("not reached: {read:?}");
}
