//! The panic message of a guest, and the functions of a guest's backtrace that its author wrote.
//!
//! To the engine a panic is just the instruction `unreachable`. The message and the place are on the guest's stderr, in
//! the format of its language's runtime. [`GuestPanic::last_in`] knows these formats:
//!
//! | runtime | form |
//! |---|---|
//! | Rust's std since 1.73 | `thread 'NAME' (ID) panicked at FILE:LINE:COLUMN:`, then the message on lines of its own |
//! | Rust's std before | `thread 'NAME' panicked at 'MESSAGE', FILE:LINE:COLUMN` |
//! | wasi-libc's `assert` | `Assertion failed: EXPRESSION (FILE: FUNCTION: LINE)` |
//! | AssemblyScript's `abort` | `abort: MESSAGE in FILE(LINE:COLUMN)` |
//! | Go, TinyGo | `panic: MESSAGE` |
//!
//! The text of a guest is for people, and for telling two failures apart. No verdict depends on it.

use crate::source_path::portable_path;
use serde::{Deserialize, Serialize};

/// A panic, as the guest reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPanic {
    /// The message, which may have several lines.
    pub message: String,
    /// The source line, if the guest names it.
    pub at: Option<SourceLine>,
}

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file, with a path that does not depend on the machine if possible.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl SourceLine {
    /// Reads `FILE:LINE`.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let (file, line) = text.rsplit_once(':')?;
        Some(SourceLine { file: file.into(), line: line.parse().ok()? })
    }
}

impl std::fmt::Display for SourceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl GuestPanic {
    /// The panic that ended a guest with this stderr: the last panic in it.
    ///
    /// If a panic could not be handled because of its place (a destructor, a function that must not unwind), std panics
    /// once more and names a place of its own. Then the panic before it is the cause.
    pub fn last_in(stderr: &str) -> Option<Self> {
        let lines: Vec<&str> = stderr.lines().collect();
        let all: Vec<GuestPanic> = (0..lines.len()).filter_map(|at| starting_at(&lines[at..])).collect();
        let is_of_std = |panic: &&GuestPanic| panic.at.as_ref().is_some_and(|at| is_runtime_file(&at.file));
        all.iter().rev().find(|panic| !is_of_std(panic)).or(all.last()).cloned()
    }
}

fn starting_at(lines: &[&str]) -> Option<GuestPanic> {
    let line = lines[0].trim();
    rust(line, &lines[1..])
        .or_else(|| rust_before_1_73(line))
        .or_else(|| c_assertion(line))
        .or_else(|| assembly_script(line))
        .or_else(|| go(line))
}

/// The words between the name of a thread and the place of its panic.
const PANICKED_AT: &str = " panicked at ";

fn rust(line: &str, next: &[&str]) -> Option<GuestPanic> {
    let (thread, at) = line.split_once(PANICKED_AT)?;
    if !thread.starts_with("thread ") {
        return None;
    }
    let at = source_line(at.strip_suffix(':')?)?;
    let is_over = |line: &&&str| {
        line.starts_with("note: run with `RUST_BACKTRACE")
            || line.starts_with("stack backtrace:")
            || line.contains(PANICKED_AT)
    };
    let message: Vec<&str> = next.iter().take_while(|line| !is_over(line)).copied().collect();
    Some(GuestPanic { message: message.join("\n").trim_end().to_string(), at: Some(at) })
}

fn rust_before_1_73(line: &str) -> Option<GuestPanic> {
    let (_, rest) = line.split_once(PANICKED_AT)?;
    let (message, at) = rest.strip_prefix('\'')?.rsplit_once("', ")?;
    Some(GuestPanic { message: message.into(), at: Some(source_line(at)?) })
}

fn c_assertion(line: &str) -> Option<GuestPanic> {
    let (expression, at) = line.strip_prefix("Assertion failed: ")?.strip_suffix(')')?.rsplit_once(" (")?;
    let (file, rest) = at.split_once(": ")?;
    let line = rest.rsplit_once(": ")?.1.parse().ok()?;
    let message = format!("assertion failed: {expression}");
    Some(GuestPanic { message, at: Some(SourceLine { file: portable_path(file), line }) })
}

fn assembly_script(line: &str) -> Option<GuestPanic> {
    let (message, at) = line.strip_prefix("abort: ")?.strip_suffix(')')?.rsplit_once(" in ")?;
    let (file, at) = at.rsplit_once('(')?;
    let line = at.split(':').next()?.parse().ok()?;
    Some(GuestPanic { message: message.into(), at: Some(SourceLine { file: portable_path(file), line }) })
}

fn go(line: &str) -> Option<GuestPanic> {
    let message = line.strip_prefix("panic: ")?;
    Some(GuestPanic { message: message.into(), at: None })
}

/// Reads `FILE:LINE:COLUMN`.
fn source_line(text: &str) -> Option<SourceLine> {
    let mut parts = text.rsplitn(3, ':');
    let _column: u32 = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(SourceLine { file: portable_path(parts.next()?), line })
}

fn is_runtime_file(file: &str) -> bool {
    file.starts_with("library/")
}

/// The lines of a backtrace to show: the author's functions, and how many functions of the runtime are left out.
pub(crate) fn shown_backtrace(functions: &[String], most: usize) -> Vec<String> {
    let authors: Vec<&String> = functions.iter().filter(|function| !is_of_runtime(function)).collect();
    if authors.is_empty() {
        return functions.iter().take(most).map(|function| format!("in {function}")).collect();
    }
    let mut lines: Vec<String> = authors.iter().take(most).map(|function| format!("in {function}")).collect();
    if authors.len() > most {
        lines.push(format!("… {} more", authors.len() - most));
    }
    let of = match functions.iter().any(|function| is_of_binding(function)) {
        true => "of bindings and of the language's runtime",
        false => "of the language's runtime",
    };
    match functions.len() - authors.len() {
        0 => {}
        1 => lines.push(format!("(1 function {of} is not shown)")),
        hidden => lines.push(format!("({hidden} functions {of} are not shown)")),
    }
    lines
}

/// The innermost function that the guest's author wrote.
pub(crate) fn author_function(functions: &[String]) -> Option<&str> {
    functions.iter().map(String::as_str).find(|function| !is_of_runtime(function))
}

/// Whether a function is the binding of an import of WASI or `wetware:streams`. Such functions are generated. They only
/// hand a call on, so the mistake is in their caller.
fn is_of_binding(function: &str) -> bool {
    const INTERFACES: [&str; 8] = [
        "wasi::cli::",
        "wasi::clocks::",
        "wasi::filesystem::",
        "wasi::http::",
        "wasi::io::",
        "wasi::random::",
        "wasi::sockets::",
        "wetware::streams::",
    ];
    let path = path_of(function);
    let is_inside = |interface: &str| path.starts_with(interface) || path.contains(&format!("::{interface}"));
    // The import itself, in the bindings of wit-bindgen for Rust and for C.
    let is_import = path.contains("::wit_import") || path.starts_with("__wasm_import_");
    is_import || INTERFACES.iter().any(|interface| is_inside(interface))
}

/// The path of a function, or of the type that it is a method of: of `<std::io::Stdout as core::fmt::Write>::write_str`,
/// it is `std::io::Stdout` and what follows.
fn path_of(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&', '(', '*', '[']);
    path.strip_prefix("mut ").or(path.strip_prefix("dyn ")).unwrap_or(path)
}

/// Whether a function belongs to a language's runtime (Rust's std, libc, or the code that calls `main`), or is the binding
/// of an import.
fn is_of_runtime(function: &str) -> bool {
    let path = path_of(function);
    const CRATES: [&str; 6] =
        ["std::", "core::", "alloc::", "__rustc", "compiler_builtins::", "panic_abort::"];
    const C: [&str; 10] = [
        "abort",
        "exit",
        "_Exit",
        "_start",
        "main",
        "rust_panic",
        "rust_begin_unwind",
        "dlmalloc",
        "cabi_realloc",
        "runtime.abort",
    ];
    // The exports that a component lifts, as `wasi:cli/run@0.2.0#run`, and the functions that wit-bindgen makes for
    // them.
    let is_export = function.contains('#');
    CRATES.iter().any(|name| path.starts_with(name))
        || C.contains(&path)
        || path.starts_with("__")
        || path.starts_with("fn(")
        || path.starts_with("function ")
        || is_export
        || is_of_binding(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_s_form_is_read() {
        let cases = [
            (
                "rust",
                "\nthread 'main' (1) panicked at src/main.rs:2:56:\na header of length 3\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
                "a header of length 3",
                Some("src/main.rs:2"),
            ),
            (
                "rust without the note",
                "thread '<unnamed>' panicked at src/a b.rs:12:1:\nleft: 1\n right: 2\n",
                "left: 1\n right: 2",
                Some("src/a b.rs:12"),
            ),
            (
                "rust before 1.73",
                "thread 'main' panicked at 'it's gone', src/lib.rs:7:9\nnote: x\n",
                "it's gone",
                Some("src/lib.rs:7"),
            ),
            (
                "a crate of the registry",
                "thread 'main' panicked at /h/registry/src/index-1/capnp-0.1.0/src/a.rs:3:4:\nno\n",
                "no",
                Some("capnp-0.1.0/src/a.rs:3"),
            ),
            (
                "c",
                "Assertion failed: n < 3 (src/main.c: parse: 12)\n",
                "assertion failed: n < 3",
                Some("src/main.c:12"),
            ),
            (
                "assembly script",
                "abort: Index out of range in assembly/index.ts(4:9)\n",
                "Index out of range",
                Some("assembly/index.ts:4"),
            ),
            ("go", "hello\npanic: runtime error: nil map\n\tgoroutine 1\n", "runtime error: nil map", None),
            (
                "the last of two",
                "thread 'a' panicked at a.rs:1:1:\none\nthread 'a' panicked at a.rs:2:1:\ntwo\n",
                "two",
                Some("a.rs:2"),
            ),
            (
                "std's own second panic",
                "thread 'a' panicked at a.rs:1:1:\none\nthread 'a' panicked at library/core/src/panicking.rs:233:5:\npanic in a destructor during cleanup\n",
                "one",
                Some("a.rs:1"),
            ),
        ];
        for (name, stderr, message, at) in cases {
            let panic = GuestPanic::last_in(stderr).unwrap_or_else(|| panic!("{name}: no panic is found"));
            assert_eq!(panic.message, message, "{name}");
            assert_eq!(panic.at.map(|at| at.to_string()).as_deref(), at, "{name}");
        }
    }

    #[test]
    fn other_text_is_no_panic() {
        for stderr in [
            "",
            "all is well\n",
            "he panicked at noon\n",
            "thread 'main' panicked at\n",
            "Assertion failed: \n",
        ] {
            assert_eq!(GuestPanic::last_in(stderr), None, "{stderr:?}");
        }
    }

    #[test]
    fn the_author_s_functions_come_first() {
        let functions = [
            "abort",
            "std::sys::pal::wasi::helpers::abort_internal",
            "__rustc::rust_panic",
            "std::sys::backtrace::__rust_end_short_backtrace::<std::panicking::panic_handler::{closure#0}, !>",
            "core::panicking::panic_fmt",
            "guest::parse",
            "<guest::Session as core::ops::drop::Drop>::drop",
            "guest::main",
            "<fn() as core::ops::function::FnOnce<()>>::call_once",
            "std::rt::lang_start::<()>::{closure#0}",
            "__main_void",
            "_start",
            "wasi:cli/run@0.2.6#run",
        ]
        .map(String::from);
        assert_eq!(author_function(&functions), Some("guest::parse"));
        assert_eq!(
            shown_backtrace(&functions, 2),
            [
                "in guest::parse",
                "in <guest::Session as core::ops::drop::Drop>::drop",
                "… 1 more",
                "(10 functions of the language's runtime are not shown)"
            ]
        );
        assert_eq!(shown_backtrace(&functions[..1], 2), ["in abort"]);
    }

    #[test]
    fn the_caller_of_a_binding_comes_before_the_binding() {
        for binding in [
            "wasip2::imports::wasi::io::streams::OutputStream::write",
            "wasi::io::streams::OutputStream::write",
            "<guest::bindings::wasi::io::poll::Pollable as core::ops::drop::Drop>::drop",
            "guest::made::wetware::streams::streams::create_connection",
            "<guest::Sink>::write::wit_import2",
        ] {
            let functions = [binding, "guest::flush", "guest::main"].map(String::from);
            assert_eq!(author_function(&functions), Some("guest::flush"), "{binding}");
            assert_eq!(
                shown_backtrace(&functions, 2),
                [
                    "in guest::flush",
                    "in guest::main",
                    "(1 function of bindings and of the language's runtime is not shown)"
                ]
            );
        }
        let own = ["guest::wasi::Host::poll", "guest::iowasi::io"].map(String::from);
        assert_eq!(author_function(&own), Some("guest::wasi::Host::poll"));
    }
}
