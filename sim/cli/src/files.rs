//! The files that the command line names, written whole.

use crate::terminal::{self, Stop};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
