//! `Executor`: components that start, and components that are refused and why.

use super::*;

#[test]
fn an_executor_echoes() {
    let mut family = Family::new();
    for message in ["hello", "", "wäve ∿"] {
        let answer = family.bare.run(echo(&family.executor, message));
        assert_eq!(answer.unwrap(), format!("Echo: {message}"));
    }
}

#[test]
fn a_child_gets_its_arguments_and_its_environment() {
    let mut family = Family::new();
    let with = With { args: &["me", "0"], env: &["A=b=c", "EMPTY="], ..With::default() };
    let child = family.child_with(guests::PROBE, &with);
    assert_eq!(&**child.cell.name(), "me");
    let stdout = family.stdout(&child);
    let stdin = family.stdin(&child);
    family.bare.run(close(&stdin)).unwrap();
    let said = String::from_utf8(family.all(&stdout)).unwrap();
    assert!(said.starts_with(r#"args: ["me", "0"]"#), "{said}");
    says(said, r#"env: [("A", "b=c"), ("EMPTY", "")]"#);
    assert_eq!(family.code(&child), 0);
}

#[test]
fn a_child_named_to_steer_a_terminal_has_a_harmless_name() {
    let mut family = Family::new();
    let with = With { args: &["\n::error::\u{1b}[31m", "exit", "3"], ..With::default() };
    let child = family.child_with(guests::PROBE, &with);
    assert_eq!(&**child.cell.name(), "\\n::error::\\u{1b}[31m");
    assert_eq!(family.code(&child), 3);
}

#[test]
fn bytes_that_are_no_component_are_refused_for_what_they_are() {
    let mut family = Family::new();
    let core_module = *b"\0asm\x01\0\0\0";
    let truncated = &guests::CHILD_TINY[..guests::CHILD_TINY.len() / 2];
    for (wasm, reason) in [
        (&b""[..], "there are no bytes"),
        (b"#!/bin/sh\nexit 0\n", "these bytes are not WebAssembly"),
        (b"\0asm", "end within the header"),
        (b"\0asm\x0d\0\x07\0", "unknown kind of WebAssembly"),
        (&core_module, "this is a core module"),
        (truncated, "out of bounds"),
        (b"\0asm\x0d\0\x01\0\xff", "not a component: "),
    ] {
        let refused = family.refused(wasm, &With::default());
        says(&refused, "not a component: ");
        says(&refused, reason);
    }
}

#[test]
fn an_import_that_is_not_there_is_refused_by_its_name() {
    let mut family = Family::new();
    for (from, to, reason) in [
        // There is no such interface, no such version of it, and no such function in it.
        ("wasi:cli/environment@", "wasi:cli/environmenx@", "wasi:cli/environmenx@0.2.9"),
        ("wasi:cli/environment@0.2", "wasi:cli/environment@0.9", "wasi:cli/environment@0.9.9"),
        ("get-arguments", "get-argumentz", "get-argumentz"),
    ] {
        let refused = family.refused(&renamed(guests::CHILD_TINY, from, to), &With::default());
        says(&refused, "imports what this host does not offer: ");
        says(&refused, reason);
    }
}

#[test]
fn a_component_that_cannot_be_run_is_refused() {
    let mut family = Family::new();
    let wasm = renamed(guests::CHILD_TINY, "wasi:cli/run@", "wasi:cli/rux@");
    says(family.refused(&wasm, &With::default()), "exports no wasi:cli/run");
}

#[test]
fn a_component_over_the_length_limit_is_refused() {
    let wasm_bytes = guests::CHILD_TINY.len();
    let mut family = Family::of(|spec| CellSpec { limits: Limits { wasm_bytes, ..spec.limits }, ..spec });
    family.child(guests::CHILD_TINY, &[]);
    let refused = family.refused(guests::CHILD_ECHO, &With::default());
    says(&refused, &format!("{} bytes of a component", guests::CHILD_ECHO.len()));
    says(&refused, &format!("the limit is {wasm_bytes}"));
}

#[test]
fn children_over_the_limit_are_refused_until_one_has_ended() {
    let mut family = Family::of(|spec| CellSpec { limits: Limits { children: 2, ..spec.limits }, ..spec });
    let first = family.child(guests::SERVER, &[]);
    family.child(guests::SERVER, &[]);
    let refused = family.refused(guests::SERVER, &With::default());
    says(&refused, "3 children that live at once");
    says(&refused, "the limit is 2");
    family.bare.run(first.kill()).unwrap();
    family.child(guests::SERVER, &[]);
}

#[test]
fn a_child_over_the_tanks_limit_is_refused() {
    let mut bare = Bare::of(1, true);
    let (parent, _stdio) = bare.start(bare.spec("parent", guests::SERVER));
    let refused = run_bytes(&executor_of(&bare, &parent), guests::SERVER, &With::default());
    fails(bare.run(refused), "over the limit: cells that live at once (the limit is 1)");
}

#[test]
fn children_inherit_their_limits() {
    let mut family = Family::of(|spec| CellSpec { limits: Limits { children: 1, ..spec.limits }, ..spec });
    let child = family.child(guests::SERVER, &[]);
    family.executor = executor_of(&family.bare, &child.cell);
    family.child(guests::SERVER, &[]);
    says(family.refused(guests::SERVER, &With::default()), "the limit is 1");
}

#[test]
fn an_environment_entry_without_a_name_or_a_value_is_refused() {
    let mut family = Family::new();
    for entry in ["NAME", "=value", ""] {
        let refused = family.refused(guests::SERVER, &With { env: &["A=b", entry], ..With::default() });
        says(refused, &format!("expected NAME=value, found {entry:?}"));
    }
}

#[test]
fn the_executor_of_an_ended_cell_starts_nothing() {
    let mut family = Family::new();
    family.parent.kill();
    family.bare.rest();
    says(family.refused(guests::SERVER, &With::default()), "has ended: parent");
}

#[test]
fn a_childs_bootstrap_is_an_executor_of_its_own() {
    let mut bare = Bare::new();
    let mut spec = bare.spec("chain", guests::CHAIN);
    spec.args.extend(["2".into(), "root".into()]);
    let (root, stdio) = bare.start_on_host(spec);
    let stdin = stdio.stdin.expect("stdin is the guest's own over a connection");
    bare.run(async move {
        stdin.write(guests::CHAIN.into()).await.unwrap();
        stdin.close();
    });
    assert_eq!(code(&root), Some(0), "{:?}", String::from_utf8(stdio.stderr.kept()));
    let cells: Vec<_> = bare.tank.cells().iter().map(Cell::id).collect();
    let parents: Vec<_> = bare
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::CellBorn { parent, .. } => Some(parent),
            _ => None,
        })
        .collect();
    assert_eq!(parents, [None, Some(cells[0]), Some(cells[1])]);
}
