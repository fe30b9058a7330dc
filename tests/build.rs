//! Generates the Rust side of the example guest's schema, for the test that is its host.

use std::{env, fs};

const REQUEST: &str = "../guests/till/till.cgr";

fn main() {
    println!("cargo:rerun-if-changed={REQUEST}");
    #[expect(clippy::disallowed_methods, reason = "a build script, not a world")]
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let file = fs::File::open(REQUEST).unwrap_or_else(|e| panic!("{REQUEST} is part of the source: {e}"));
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(out)
        .default_parent_module(vec!["own_schema".into()])
        .run(file)
        .unwrap_or_else(|e| panic!("{REQUEST} is a code generator request: {e}"));
}
