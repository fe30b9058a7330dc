//! Generates the Rust side of the schemas of users' own: those of the tests, and the example guest's.

use std::path::PathBuf;
use std::{env, fs};

/// Each request with the module that its code goes into.
const REQUESTS: [(&str, &str); 4] = [
    ("schemas/contacts.cgr", "schemas"),
    ("schemas/market.cgr", "schemas"),
    ("schemas/sums.cgr", "schemas"),
    ("../guests/till/till.cgr", "own_schema"),
];

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a build script, not a world")]
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for (request, module) in REQUESTS {
        println!("cargo:rerun-if-changed={request}");
        let file = fs::File::open(request).unwrap_or_else(|e| panic!("{request} is part of the source: {e}"));
        capnpc::codegen::CodeGenerationCommand::new()
            .output_directory(&out)
            .default_parent_module(vec![module.into()])
            .run(file)
            .unwrap_or_else(|e| panic!("{request} is a code generator request: {e}"));
    }
}
