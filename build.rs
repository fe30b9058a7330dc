//! Generates the Rust side of the schema from its stored request, so that no `capnp` compiler is needed.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=capnp/peer.cgr");
    #[expect(clippy::disallowed_methods, reason = "a build script, not a world")]
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let request = fs::File::open("capnp/peer.cgr").expect("capnp/peer.cgr is part of the source");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(out)
        .default_parent_module(vec!["schema".into()])
        .run(request)
        .expect("capnp/peer.cgr is a code generator request");
}
