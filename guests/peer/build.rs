//! Generates Rust from the stored CodeGeneratorRequest, so that building needs cargo and no `capnp` compiler.

use std::{env, error::Error, fs::File};

const REQUEST: &str = "../../capnp/peer.cgr";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={REQUEST}");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(env::var("OUT_DIR")?)
        .run(File::open(REQUEST)?)?;
    Ok(())
}
