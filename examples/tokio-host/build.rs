//! Generates Rust from the stored request `office.cgr`, so a build needs no `capnp` compiler. If you change the schema,
//! make a new request: `capnp compile -o- office.capnp > office.cgr`.

fn main() {
    println!("cargo::rerun-if-changed=office.cgr");
    capnpc::codegen::CodeGenerationCommand::new()
        .output_directory(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"))
        .run(std::fs::File::open("office.cgr").expect("office.cgr is beside build.rs"))
        .expect("office.cgr is a code generator request");
}
