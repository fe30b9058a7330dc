//! Generates Rust from the stored request `till.cgr`, so a build needs no `capnp` compiler. If you change the schema,
//! make a new request: `capnp compile -o- till.capnp > till.cgr`.

fn main() {
    println!("cargo::rerun-if-changed=till.cgr");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .run(std::fs::File::open("till.cgr").expect("till.cgr is beside build.rs"))
        .expect("till.cgr is a code generator request");
}
