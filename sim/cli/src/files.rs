//! The files that the command line names, written whole.

use crate::terminal::{self, Stop};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
pub(crate) use wavetank_sim::worker::files::open;

/// Reads a component.
pub(crate) fn component(path: &Path) -> Result<Vec<u8>, String> {
    wavetank_sim::worker::files::component(path, path)
}

/// Maximum size of a file for stdin, in bytes. Each run records all that a cell reads.
const MAX_INPUT_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a file that a run reads too. A replay must be able to read it again, so a stream is refused.
pub(crate) fn input(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let unreadable = |e: io::Error| format!("{shown}: {e}: name a file for --stdin that can be read");
    if path == Path::new("-") {
        return Err("--stdin - cannot be replayed, because the bytes are gone then: write them to a file, and name that (a file called - is ./-)".into());
    }
    let kind = std::fs::metadata(path).map_err(unreadable)?;
    // `/dev/stdin` may be a file here, but it is another one in a worker and in a replay.
    let is_of_process = path.starts_with("/dev") || path.starts_with("/proc");
    if is_of_process || !kind.is_file() {
        return Err(format!(
            "{shown}: it is not a file, so a replay could not read the same bytes from it again: write them to a file, and name that for --stdin"
        ));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let read = file.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if read as u64 > MAX_INPUT_BYTES {
        return Err(format!("{shown}: it is larger than {MAX_INPUT_BYTES} bytes, the most for --stdin"));
    }
    Ok(bytes)
}

/// Whether two paths name the same file. The file need not exist yet.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || is_stdout(one) && is_stdout(other)
        || whole(one).is_some_and(|one| Some(one) == whole(other))
}

fn whole(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    })
}

/// Refuses flags that name one file twice.
pub fn refuse_same(named: &[(&str, Option<&Path>)]) -> Result<(), String> {
    for (at, (flag, path)) in named.iter().enumerate() {
        for (other, before) in &named[..at] {
            if let (Some(path), Some(before)) = (path, before)
                && is_same(path, before)
            {
                return Err(format!("{other} and {flag} name the same file: {}", path.display()));
            }
        }
    }
    Ok(())
}

/// Whether a flag names stdout.
fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// A file to write later. It is created before the work starts, so that a file that cannot be written is reported at
/// once.
pub struct Target {
    flag: &'static str,
    path: PathBuf,
    file: File,
    /// A pipe, a device, or stdout itself: bytes once written cannot be replaced.
    pub(crate) is_stream: bool,
}

impl Target {
    /// Makes the file that a flag names.
    pub fn create(flag: &'static str, path: &Path) -> Result<Self, String> {
        if is_stdout(path) {
            let file = own_stdout().map_err(|e| unwritable(flag, path, &e))?;
            terminal::leave_stdout_to_data();
            return Ok(Target { flag, path: path.into(), file, is_stream: true });
        }
        if let Some(file) = stdout(path) {
            return Ok(Target { flag, path: path.into(), file, is_stream: true });
        }
        let file = File::create(path).map_err(|e| unwritable(flag, path, &e))?;
        let is_stream = !file.metadata().is_ok_and(|file| file.is_file());
        // If the path is a link, replace its target and not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        Ok(Target { flag, path, file, is_stream })
    }

    /// Writes the file as a whole: if this fails, the old file is unchanged. A stream is simply written to.
    pub fn write(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Stop> {
        let Target { flag, path, file, is_stream } = self;
        let written = || {
            if is_stream {
                let mut file = BufWriter::new(file);
                return write(&mut file).and_then(|()| file.flush());
            }
            let mut beside = path.as_os_str().to_owned();
            beside.push(".new");
            let mut file = BufWriter::new(File::create(&beside)?);
            write(&mut file)?;
            file.flush()?;
            std::fs::rename(&beside, &path)
        };
        written().map_err(|e| unwritten(flag, &path, &e))
    }

    /// Appends bytes at once.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.file.write_all(bytes).map_err(|e| unwritten(self.flag, &self.path, &e))
    }
}

/// The reason why a write failed. If the reader of stdout has gone, nothing is printed.
fn unwritten(flag: &str, path: &Path, error: &io::Error) -> Stop {
    if is_stdout(path) && error.kind() == io::ErrorKind::BrokenPipe {
        return Stop::Unread;
    }
    Stop::Told(unwritable(flag, path, error))
}

fn unwritable(flag: &str, path: &Path, error: &io::Error) -> String {
    format!("{}: {error}: name a file for {flag} that can be written", path.display())
}

/// Stdout, as a file.
#[cfg(unix)]
fn own_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn own_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// Stdout, if the path names it. Opened anew, a file behind stdout would be overwritten from its start.
#[cfg(unix)]
fn stdout(path: &Path) -> Option<File> {
    use std::os::unix::fs::MetadataExt;
    let stdout = own_stdout().ok()?;
    let (ours, named) = (stdout.metadata().ok()?, std::fs::metadata(path).ok()?);
    ((ours.dev(), ours.ino()) == (named.dev(), named.ino())).then_some(stdout)
}

#[cfg(not(unix))]
fn stdout(_: &Path) -> Option<File> {
    None
}
