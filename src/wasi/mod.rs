//! WASI 0.2 for cells, deterministic: io, cli, clocks, random, and an empty list of preopens.
//!
//! Clocks are virtual, random numbers come from the tank's entropy source, and there are no files, no
//! sockets and no HTTP. A component that imports anything else is refused by name before it starts.

mod cli;
mod clocks;
mod filesystem;
mod io;
mod random;
mod streams;

use crate::error::Error;
use crate::store::CellState;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

pub(crate) use cli::Exit;

/// The interface that a command exports. Any 0.2 version of it matches.
pub(crate) const RUN_INTERFACE: &str = "wasi:cli/run@0.2.12";

#[allow(clippy::disallowed_types, reason = "generated")]
#[allow(clippy::all, reason = "generated")]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        inline: "
            package wavetank:host;

            world imports {
                import wasi:cli/environment@0.2.12;
                import wasi:cli/exit@0.2.12;
                import wasi:cli/stdin@0.2.12;
                import wasi:cli/stdout@0.2.12;
                import wasi:cli/stderr@0.2.12;
                import wasi:cli/terminal-input@0.2.12;
                import wasi:cli/terminal-output@0.2.12;
                import wasi:cli/terminal-stdin@0.2.12;
                import wasi:cli/terminal-stdout@0.2.12;
                import wasi:cli/terminal-stderr@0.2.12;
                import wasi:clocks/monotonic-clock@0.2.12;
                import wasi:clocks/wall-clock@0.2.12;
                import wasi:random/random@0.2.12;
                import wasi:random/insecure@0.2.12;
                import wasi:random/insecure-seed@0.2.12;
                import wetware:streams/streams@0.1.0;
            }
        ",
        with: {
            "wasi:io@0.2.12": wasmtime_wasi_io::bindings::wasi::io,
            "wasi:io@0.2.9": wasmtime_wasi_io::bindings::wasi::io,
            "wetware:streams/streams.connection": crate::connection::Connection,
        },
        imports: {
            // A guest that looks at the time again and again must let others run.
            "wasi:clocks/monotonic-clock.now": async | trappable,
            "wasi:clocks/wall-clock.now": async | trappable,
            default: trappable,
        },
        require_store_data_send: true,
    });
}

/// Everything that the host offers to cells.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CellState>> {
    use bindings::{wasi, wetware};
    type Data = HasSelf<CellState>;
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::add_to_linker(l)?;
    wasi::cli::environment::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::exit::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::stdin::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::stdout::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::stderr::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::terminal_input::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::terminal_output::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::terminal_stdin::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::terminal_stdout::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::cli::terminal_stderr::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::clocks::monotonic_clock::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::clocks::wall_clock::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::random::random::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::random::insecure::add_to_linker::<_, Data>(l, |state| state)?;
    wasi::random::insecure_seed::add_to_linker::<_, Data>(l, |state| state)?;
    wetware::streams::streams::add_to_linker::<_, Data>(l, |state| state)?;
    filesystem::add_to_linker(l)?;
    Ok(linker)
}

/// The interface that hands out a cell's connection, without its version.
const CONNECTION_INTERFACE: &str = "wetware:streams/streams";

/// Whether a component imports the interface that hands out a connection. A guest imports only the interfaces that it
/// calls.
pub(crate) fn imports_connection(engine: &Engine, component: &Component) -> bool {
    component.component_type().imports(engine).any(|(name, _)| interface(name) == CONNECTION_INTERFACE)
}

/// An import's name without its version.
fn interface(import: &str) -> &str {
    import.split('@').next().unwrap_or(import)
}

/// The interfaces that [`linker`] offers, without their versions.
const OFFERED: &[&str] = &[
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
    CONNECTION_INTERFACE,
];

/// Finds imports that the host does not offer, by name and all at once. The linker would stop at the first.
///
/// # Errors
/// [`Error::UnknownImport`].
pub(crate) fn check_imports(engine: &Engine, component: &Component) -> Result<(), Error> {
    let unknown: Vec<String> = component
        .component_type()
        .imports(engine)
        .map(|(name, _)| name.to_string())
        .filter(|name| !OFFERED.contains(&interface(name)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::UnknownImport { name: unknown.join(", ") })
}

/// Explains why some bytes are not a component, if their head shows it.
pub(crate) fn not_a_component(bytes: &[u8]) -> Option<String> {
    const COMPONENT: u16 = 1;
    if bytes.is_empty() {
        return Some("there are no bytes".into());
    }
    if !bytes.starts_with(b"\0asm") {
        return Some("these bytes are not WebAssembly".into());
    }
    let layer = bytes.get(6..8).map(|l| u16::from_le_bytes([l[0], l[1]]));
    match layer {
        Some(COMPONENT) => None,
        Some(0) => Some(
            "this is a core module: build it for wasm32-wasip2, or make a component of it with `wasm-tools component new`"
                .into(),
        ),
        _ => Some("these bytes end within the header, or are of an unknown kind of WebAssembly".into()),
    }
}
