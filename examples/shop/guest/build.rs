//! Generates Rust from the stored request of the shop's schema, so a build needs no `capnp` compiler.

const REQUEST: &str = "../schema/shop.cgr";

fn main() {
    println!("cargo::rerun-if-changed={REQUEST}");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .run(std::fs::File::open(REQUEST).expect("the request is in the repository"))
        .expect("it is a code generator request");
}
