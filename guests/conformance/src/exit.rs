//! `wasi:cli/exit.exit-with-code`. It is bound here because the bindings of wasip2 1.0.2 end with WASI 0.2.9,
//! and the function came with 0.2.12.

mod bindings {
    #![allow(missing_docs, unsafe_op_in_unsafe_fn)]
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package wavetank:conformance;
            world exit { import wasi:cli/exit@0.2.12; }
        ",
        world: "wavetank:conformance/exit",
        generate_all,
    });
}

pub use bindings::wasi::cli::exit::exit_with_code;
