//! Files that a user names, read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Maximum size of a component that a user names, in bytes: more than a guest may hand to its host, to leave room for
/// debugging information.
const MAX_COMPONENT_BYTES: u64 = 256 * 1024 * 1024;

/// Opens a file to read. A FIFO that has a name is refused: nobody may ever write to it. The pipe of a shell's `<(…)` is
/// read, and so is stdin.
///
/// # Errors
/// Those of the system, or that the file is a FIFO.
pub fn open(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let is_open_already =
            ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|of| path.starts_with(of));
        if !is_open_already && std::fs::metadata(path)?.file_type().is_fifo() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a FIFO, which may never end"));
        }
    }
    File::open(path)
}

/// Reads a component. `named` is the file as the user named it.
///
/// # Errors
/// A message for the user that names the file.
pub fn component(path: &Path, named: &Path) -> Result<Vec<u8>, String> {
    let named = named.display();
    let mut wasm = Vec::new();
    let read = open(path).and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut wasm));
    match read {
        Err(e) => {
            Err(format!("{named}: {e}: name a built component, as target/wasm32-wasip2/release/NAME.wasm"))
        }
        Ok(read) if read as u64 > MAX_COMPONENT_BYTES => {
            Err(format!("{named}: it is larger than {MAX_COMPONENT_BYTES} bytes"))
        }
        Ok(_) => Ok(wasm),
    }
}
