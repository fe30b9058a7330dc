//! Generates the Rust side of the schemas of a user's own.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    #[expect(clippy::disallowed_methods, reason = "a build script, not a world")]
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for name in ["contacts", "sums", "market"] {
        let request = format!("schemas/{name}.cgr");
        println!("cargo:rerun-if-changed={request}");
        let file = fs::File::open(&request).unwrap_or_else(|e| panic!("{request}: {e}"));
        capnpc::codegen::CodeGenerationCommand::new()
            .output_directory(&out)
            .default_parent_module(vec!["schemas".into()])
            .run(file)
            .unwrap_or_else(|e| panic!("{request}: {e}"));
    }
}
