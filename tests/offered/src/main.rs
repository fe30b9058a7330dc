//! Makes a component that imports every function of every interface that the host offers, and calls none. It makes one
//! for each of two versions of WASI: the one that `wetware:streams` names, and the newest.

use std::path::Path;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    LiftLowerAbi, ManglingAndAbi, Resolve, TypeDefKind, WasmExport, WasmExportKind, WasmImport, WorldId,
    WorldItem, WorldKey,
};

/// The version of the texts in `wit/deps`: the newest.
const NEWEST: u32 = 12;

const MANGLING: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

fn wit(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A package of WASI at version `0.2.PATCH`, without later additions.
fn package(name: &str, patch: u32) -> String {
    let mut text = String::new();
    let newest = wit(&format!("deps/{name}-0.2.{NEWEST}.wit"));
    let mut lines = newest.lines();
    while let Some(line) = lines.next() {
        let since = line.trim().strip_prefix("@since(version = 0.2.").and_then(|rest| rest.strip_suffix(')'));
        if since.is_some_and(|since| since.parse::<u32>().expect("a version") > patch) {
            let item = lines.next().expect("an item after its gate");
            assert!(item.ends_with(';'), "{item}: only items of a line were ever added");
            continue;
        }
        text += &line.replace(&format!("@0.2.{NEWEST}"), &format!("@0.2.{patch}"));
        text.push('\n');
    }
    text
}

/// A world that imports everything that is offered of `wasi` at one version, and `wetware:streams`.
fn everything(patch: u32) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    for name in ["io", "clocks", "random", "filesystem", "sockets", "cli"] {
        resolve.push_str(name, &package(name, patch)).expect("a package of WASI");
    }
    // The version that wetware:streams names.
    if patch != 9 {
        resolve.push_str("io", &wit("deps/io-0.2.9.wit")).expect("wasi:io");
    }
    resolve.push_str("streams", &wit("streams.wit")).expect("wetware:streams");
    let version = format!("0.2.{patch}");
    let mut imports = vec!["import wetware:streams/streams@0.1.0;".to_string()];
    for (_, interface) in resolve.interfaces.iter() {
        let (Some(name), Some(package)) = (&interface.name, interface.package) else { continue };
        let of = &resolve.packages[package].name;
        let is_offered = of.namespace == "wasi" && of.name != "sockets" && name != "run";
        if is_offered && of.version.as_ref().is_some_and(|of| of.to_string() == version) {
            imports.push(format!("import wasi:{}/{name}@{version};", of.name));
        }
    }
    assert!(imports.len() > 18, "{imports:?}");
    let imports = imports.join("\n");
    let text = format!("package test:all;\nworld all {{\n{imports}\nexport wasi:cli/run@{version};\n}}");
    let package = resolve.push_str("all", &text).expect("a world");
    let world = resolve.select_world(&[package], None).expect("its only world");
    (resolve, world)
}

/// A core module that imports every function of a world's imports and every drop of a resource, and calls none.
fn core_module(resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    let mut count = 0;
    let mut import = |(module, name): (String, String), params: &[WasmType], results: &[WasmType]| {
        types.ty().function(params.iter().map(core), results.iter().map(core));
        imports.import(&module, &name, EntityType::Function(count));
        count += 1;
    };
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = &resolve.interfaces[*id];
        for func in interface.functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, func);
            let name = resolve.wasm_import_name(MANGLING, WasmImport::Func { interface: Some(key), func });
            import(name, &signature.params, &signature.results);
        }
        for (name, ty) in &interface.types {
            if matches!(resolve.types[*ty].kind, TypeDefKind::Resource) {
                let module = resolve.name_world_key(key);
                import((module, format!("[resource-drop]{name}")), &[WasmType::I32], &[]);
            }
        }
    }
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut exports = ExportSection::new();
    types.ty().function([], [ValType::I32]);
    functions.function(count);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    functions.function(count + 1);
    let mut run = Function::new([]);
    run.instruction(&Instruction::I32Const(0)).instruction(&Instruction::End);
    let mut realloc = Function::new([]);
    realloc.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
    code.function(&run).function(&realloc);
    exports.export(&run_name(resolve, world), ExportKind::Func, count);
    exports.export("cabi_realloc", ExportKind::Func, count + 1);
    exports.export("memory", ExportKind::Memory, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories);
    module.section(&exports).section(&code);
    module.finish()
}

fn core(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

fn run_name(resolve: &Resolve, world: WorldId) -> String {
    let (key, item): (&WorldKey, _) = resolve.worlds[world].exports.first().expect("it exports run");
    let WorldItem::Interface { id, .. } = item else { panic!("run is an interface") };
    let func = &resolve.interfaces[*id].functions["run"];
    let export = WasmExport::Func { interface: Some(key), func, kind: WasmExportKind::Normal };
    resolve.wasm_export_name(MANGLING, export)
}

fn main() {
    for patch in [9, NEWEST] {
        let (resolve, world) = everything(patch);
        let mut module = core_module(&resolve, world);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        let encoder = ComponentEncoder::default().module(&module).expect("a module");
        let component = encoder.validate(true).encode().expect("a component");
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../it/offered/everything-0.2.{patch}.wasm"));
        std::fs::write(&path, component).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}
