//! The folder of saved failures. Several processes write into it at once: no file is ever half written, and the same
//! failure of the same seed always has the same name.

use super::{ComponentInputs, SavedFailure, SavedFailureError, Source};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use twox_hash::XxHash3_64;
use wavetank_choice::seed::Seed;

/// The default folder of saved failures.
const DEFAULT: &str = "wavetank-failures";

/// The variable that names another folder, or none if it is empty.
const VARIABLE: &str = "WAVETANK_FAILURES";

/// Larger than any saved failure: a bound against hostile files.
const MAX_FILE_BYTES: u64 = 16_000_000;

/// Maximum number of letters of a scenario in a file name.
const NAME_LETTERS: usize = 80;

/// The chosen folder: `given`, otherwise the value of `WAVETANK_FAILURES`, otherwise `wavetank-failures` in `base`.
/// `None` if the variable is set and empty: then no failures are saved.
pub fn folder(given: Option<PathBuf>, base: &Path) -> Option<PathBuf> {
    match (given, variable()) {
        (Some(given), _) => Some(given),
        (None, Some(text)) => (!text.is_empty()).then(|| PathBuf::from(text)),
        (None, None) => Some(base.join(DEFAULT)),
    }
}

#[expect(clippy::disallowed_methods, reason = "read outside of all worlds, and documented")]
fn variable() -> Option<std::ffi::OsString> {
    std::env::var_os(VARIABLE)
}

/// The file name of a failure: `SCENARIO-SEED-HASH.toml`. The hash is of the failure signature and of the inputs of a
/// component.
pub fn file_name(scenario: &str, source: &Source, seed: Seed, failure: &str) -> String {
    let mut hashed = format!("{failure}\n");
    let mut title = scenario.to_string();
    match source {
        Source::BuiltIn => {}
        Source::Check => hashed += "check\n",
        Source::Component { path, inputs } => {
            let ComponentInputs { args, transport, expects_rpc, .. } = inputs;
            hashed += &format!("{path}\n{transport:?}\n{args:?}\n{expects_rpc}\n");
            hashed += &inputs.newer();
            // Do not use the digest, as tokens do, because the same file may be built anew.
            title = Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    if title.chars().map(plain).ne(title.chars()) || title.len() > NAME_LETTERS {
        hashed += &title;
    }
    let title: String = title.chars().map(plain).take(NAME_LETTERS).collect();
    let hash = XxHash3_64::oneshot(hashed.as_bytes()) as u32;
    format!("{title}-{:x}-{hash:08x}.toml", seed.0)
}

/// The scenario that a file belongs to, judged by its name alone.
pub fn scenario_of(path: &Path) -> Option<&str> {
    let (head, hash) = path.file_name()?.to_str()?.strip_suffix(".toml")?.rsplit_once('-')?;
    let (scenario, seed) = head.rsplit_once('-')?;
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(hash) && is_hex(seed)).then_some(scenario)
}

impl SavedFailure {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        file_name(&self.setting.scenario, &self.setting.source, self.seed, &self.failure)
    }
}

/// Writes a failure into a folder, which is created if it does not exist; gives its file. A reader of that file finds
/// either all of the old content or all of the new.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn write(folder: &Path, kept: &SavedFailure) -> io::Result<PathBuf> {
    /// Gives each write of this process its own file, because two threads may write at once.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(folder)?;
    let name = kept.file_name();
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let unfinished = folder.join(format!(".{name}.{}-{number}.unfinished", std::process::id()));
    let path = folder.join(name);
    let written = write_whole(&unfinished, kept).and_then(|()| fs::rename(&unfinished, &path));
    if written.is_err() {
        // The rest of the file is useless; a failure to remove it changes nothing.
        let _ = fs::remove_file(&unfinished);
    }
    written.map(|()| path)
}

fn write_whole(path: &Path, kept: &SavedFailure) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(kept.to_string().as_bytes())?;
    file.sync_all()
}

/// The same, but keeps a file of this failure that already exists, with its shrunk run.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn write_new(folder: &Path, kept: &SavedFailure) -> io::Result<PathBuf> {
    let path = folder.join(kept.file_name());
    match read(&path) {
        Ok(there)
            if (&there.setting, &there.guests, &there.original)
                == (&kept.setting, &kept.guests, &kept.original) =>
        {
            Ok(path)
        }
        _ => write(folder, kept),
    }
}

/// Reads a saved failure.
///
/// # Errors
/// [`SavedFailureError`], which does not name the file.
pub fn read(path: &Path) -> Result<SavedFailure, SavedFailureError> {
    let unreadable = |e: io::Error| SavedFailureError::Unreadable(e.to_string());
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(SavedFailureError::Unreadable("not a file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    std::str::from_utf8(&bytes).map_err(|_| SavedFailureError::Foreign)?.parse()
}

/// Reads all files of a folder whose names end in `.toml`, in the order of their names. A folder that does not exist
/// counts as empty.
///
/// # Errors
/// If the folder cannot be listed.
pub fn read_all(folder: &Path) -> io::Result<Vec<(PathBuf, Result<SavedFailure, SavedFailureError>)>> {
    let listed = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut paths = listed.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    Ok(paths.into_iter().map(|path| (path.clone(), read(&path))).collect())
}
