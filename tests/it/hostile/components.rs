//! Components that are malformed, or larger than the host allows.

use super::*;

/// Runs a world whose first guest is these bytes.
fn first_guest(bytes: &[u8], limits: Limits) -> Run {
    let build = |world: &mut World| {
        let cell = world.cell("guest", bytes).limits(limits.clone()).serve(peer::executor(world));
        cell.spawn();
    };
    run(build, &setup(1))
}

#[track_caller]
fn cannot_be_started(bytes: &[u8], reason: &str) {
    let run = first_guest(bytes, Limits::default());
    let Outcome::Panicked { message, blame, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(message.contains(reason), "{message}");
    assert!(!matches!(blame, Blame::Tank), "{blame}");
}

#[test]
fn a_component_that_is_not_one_cannot_be_started() {
    cannot_be_started(b"", "there are no bytes");
    cannot_be_started(b"hello", "these bytes are not WebAssembly");
    cannot_be_started(b"\0asm\x01\0\0\0", "this is a core module");
    cannot_be_started(&guests::CHILD_ECHO[..1000], "not a component");
}

#[test]
fn a_component_without_its_export_cannot_be_started() {
    cannot_be_started(&component(&[]), "exports no wasi:cli/run");
}

#[test]
fn a_component_whose_export_is_of_another_type_cannot_be_started() {
    let module = [
        &b"\0asm\x01\0\0\0"[..],
        // Types, functions, exports, code: a `run` that takes a number and gives nothing.
        b"\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0\x07\x07\x01\x03run\0\0\x0a\x04\x01\x02\0\x0b",
    ];
    let bytes = component(&[
        (1, module.concat()),
        // An instance of the module, its `run`, the type `func(x: u32)`, and `run` lifted to that type.
        (2, b"\x01\0\0\0".to_vec()),
        (6, b"\x01\0\0\x01\0\x03run".to_vec()),
        (7, b"\x01\x40\x01\x01x\x79\x01\0".to_vec()),
        (8, b"\x01\0\0\0\0\0".to_vec()),
        // An instance of components that holds it, exported.
        (5, b"\x01\x01\x01\0\x03run\x01\0".to_vec()),
        (11, b"\x01\0\x12wasi:cli/run@0.2.0\x05\0\0".to_vec()),
    ]);
    cannot_be_started(&bytes, "its wasi:cli/run is not `func() -> result`");
}

#[test]
fn a_component_of_four_gibibytes_of_memory_cannot_be_started() {
    let memory = [vec![1, 0], leb(65_536)].concat();
    let module = [b"\0asm\x01\0\0\0".to_vec(), vec![5, memory.len() as u8], memory].concat();
    cannot_be_started(&component(&[(1, module)]), "needs more than this host gives");
}

#[test]
fn a_component_of_a_hundred_thousand_instances_cannot_be_started() {
    // One empty core module, instantiated over and over.
    let mut instances = leb(100_000);
    instances.extend([0, 0, 0].repeat(100_000));
    cannot_be_started(&component(&[(1, b"\0asm\x01\0\0\0".to_vec()), (2, instances)]), "not a component");
}

#[test]
fn components_within_components_cannot_be_started() {
    let nested = (0..2_000).fold(component(&[]), |inner, _| component(&[(4, inner)]));
    cannot_be_started(&nested, "exports no wasi:cli/run");
}

#[test]
fn a_component_larger_than_its_memory_limit_is_a_trap_of_that_name() {
    let run = first_guest(guests::PROBE, Limits { memory_bytes: 64 * 1024, ..Limits::default() });
    let Outcome::Trapped { trap, .. } = &run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(trap.class, TrapClass::MemoryLimit, "{}", trap.message);
    assert_eq!(exit_of(&run).cause, Cause::Trapped(trap.clone()));
}

/// A component with these sections.
fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (id, section) in sections {
        bytes.push(*id);
        bytes.extend(leb(section.len()));
        bytes.extend(section);
    }
    bytes
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}
