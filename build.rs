//! Generates the Rust side of the schemas from their stored requests, so that no `capnp` compiler is needed.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a build script, not a world")]
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for request in ["capnp/peer.cgr", "capnp/vats.cgr", "capnp/sink.cgr"] {
        println!("cargo:rerun-if-changed={request}");
        let file = fs::File::open(request).unwrap_or_else(|e| panic!("{request} is part of the source: {e}"));
        capnpc::codegen::CodeGenerationCommand::new()
            .output_directory(&out)
            .default_parent_module(vec!["schema".into()])
            .run(file)
            .unwrap_or_else(|e| panic!("{request} is a code generator request: {e}"));
    }
}
