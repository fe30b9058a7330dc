//! Generates Rust from the stored request `schema/shop.cgr`, so a build needs no `capnp` compiler. If you change the
//! schema, make a new request: `capnp compile --src-prefix=schema -o- schema/shop.capnp > schema/shop.cgr`.

fn main() {
    println!("cargo::rerun-if-changed=schema/shop.cgr");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .run(std::fs::File::open("schema/shop.cgr").expect("schema/shop.cgr is in the repository"))
        .expect("schema/shop.cgr is a code generator request");
}
