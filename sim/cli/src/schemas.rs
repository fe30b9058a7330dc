//! `--schema`: the schemas by which reports name calls and values.

use crate::terminal::{self, Stop};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wavetank_trace::{Schema, listing};

/// The ending of files that hold a CodeGeneratorRequest.
const ENDING: &str = "cgr";

/// Schemas of the user's own.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchemaArgs {
    /// Name calls and values by this schema: a .cgr file, as `capnp compile -o- x.capnp > x.cgr` makes it, or a folder
    /// of them; may be given several times
    #[arg(long = "schema", value_name = "FILE")]
    paths: Vec<PathBuf>,
}

impl SchemaArgs {
    /// Puts all of these on top of a schema.
    ///
    /// # Errors
    /// A message for the user if a file is no schema, or if a folder holds none.
    pub(crate) fn load_onto(&self, schema: &mut Arc<Schema>) -> Result<(), String> {
        for path in &self.paths {
            for file in files(path)? {
                Arc::make_mut(schema).extend(read(&file)?);
            }
        }
        Ok(())
    }

    /// The absolute path of each schema file.
    ///
    /// # Errors
    /// A message for the user if a folder holds no schema.
    pub(crate) fn absolute_files(&self) -> Result<Vec<PathBuf>, String> {
        let mut absolute = Vec::new();
        for path in &self.paths {
            for file in files(path)? {
                absolute.push(std::path::absolute(&file).map_err(|e| format!("{}: {e}", file.display()))?);
            }
        }
        Ok(absolute)
    }

    /// Whether the user named any.
    pub(crate) fn is_given(&self) -> bool {
        !self.paths.is_empty()
    }

    /// The content of each file.
    ///
    /// # Errors
    /// A message for the user if a file is no schema, or if a folder holds none.
    pub(crate) fn requests(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut requests = Vec::new();
        for path in &self.paths {
            for file in files(path)? {
                read(&file)?;
                requests.push(std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?);
            }
        }
        Ok(requests)
    }

    /// The files and folders, as the user named them.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// These schemas, or those of a saved failure if the user named none.
    pub(crate) fn or_saved(self, saved: &[String]) -> Self {
        if self.paths.is_empty() { Self { paths: saved.iter().map(Into::into).collect() } } else { self }
    }

    /// The arguments that name the same schemas again.
    pub(crate) fn words(&self) -> Vec<String> {
        self.paths().into_iter().flat_map(|path| ["--schema".to_string(), path]).collect()
    }
}

/// Prints what schemas name.
pub(crate) fn print(paths: &[PathBuf]) -> Result<(), Stop> {
    let mut schema = Schema::default();
    for path in paths {
        for file in files(path)? {
            schema.extend(read(&file)?);
        }
    }
    terminal::print(listing(&schema))
}

/// The file itself, or the schema files of a folder by name.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let unreadable = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|ending| ending == ENDING) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{}: it holds no .{ENDING} file", path.display())) } else { Ok(files) }
}

fn read(file: &Path) -> Result<Schema, String> {
    let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Schema::from_request(&bytes).map_err(|e| {
        if file.extension().is_some_and(|ending| ending == "capnp") {
            let request = file.with_extension(ENDING);
            let (file, request) = (file.display(), request.display());
            return format!("{file} is the text of a schema: make a request of it with `capnp compile -o- {file} > {request}`, and name that");
        }
        format!("{}: {e}", file.display())
    })
}
