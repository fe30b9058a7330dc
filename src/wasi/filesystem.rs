//! `wasi:filesystem` with nothing in it: no preopened folder, hence no descriptor, ever.
//!
//! Guests of several languages import all of `wasi:filesystem/types` even if they touch no files. Its methods need a
//! descriptor, which nobody can have. So they exist only to be linked, and trap if they are called.

use crate::store::CellState;
use wasmtime::bail;
use wasmtime::component::{Linker, ResourceType, Val};

/// A descriptor, or a stream of directory entries. Neither exists here.
enum NeverExists {}

const METHODS: &[&str] = &[
    "[method]descriptor.advise",
    "[method]descriptor.append-via-stream",
    "[method]descriptor.create-directory-at",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.is-same-object",
    "[method]descriptor.link-at",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]descriptor.open-at",
    "[method]descriptor.read",
    "[method]descriptor.read-directory",
    "[method]descriptor.read-via-stream",
    "[method]descriptor.readlink-at",
    "[method]descriptor.remove-directory-at",
    "[method]descriptor.rename-at",
    "[method]descriptor.set-size",
    "[method]descriptor.set-times",
    "[method]descriptor.set-times-at",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.symlink-at",
    "[method]descriptor.sync",
    "[method]descriptor.sync-data",
    "[method]descriptor.unlink-file-at",
    "[method]descriptor.write",
    "[method]descriptor.write-via-stream",
    "[method]directory-entry-stream.read-directory-entry",
];

pub(super) fn add_to_linker(linker: &mut Linker<CellState>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    for resource in ["descriptor", "directory-entry-stream"] {
        types.resource(resource, ResourceType::host::<NeverExists>(), |_, _| Ok(()))?;
    }
    for method in METHODS {
        types.func_new(method, move |_, _, _, _| bail!("{method}: there are no files here"))?;
    }
    // No stream error here ever comes from a file.
    types.func_new("filesystem-error-code", |_, _, _, results| {
        results[0] = Val::Option(None);
        Ok(())
    })?;
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.12")?;
    preopens.func_new("get-directories", |_, _, _, results| {
        results[0] = Val::List(Vec::new());
        Ok(())
    })?;
    Ok(())
}
