//! Exit codes that reach the host unchanged.
//!
//! WASI 0.2.9 knows only success and failure, so `std::process::exit(3)` reaches the host as 1. WASI 0.2.12 added a
//! call that takes a code. Only this interface is bound at that version.

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn)]
    wit_bindgen::generate!({
        // One interface of wasi:cli. It must be whole, because it is merged with the import of std, which is older.
        inline: "
            package wavetank:exit;
            world exit { import wasi:cli/exit@0.2.12; }
            package wasi:cli@0.2.12 {
                interface exit {
                    exit: func(status: result);
                    exit-with-code: func(status-code: u8);
                }
            }
        ",
        world: "wavetank:exit/exit",
        generate_all,
    });
}

/// Ends the guest at once with this exit code.
///
/// It drops nothing and closes no link in order. So call it after a session, or in a guest that has none.
pub fn exit(code: u8) -> ! {
    bindings::wasi::cli::exit::exit_with_code(code);
    unreachable!("the host returned from exit-with-code")
}
