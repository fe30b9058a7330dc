//! Snapshot files in the format of insta, so that `cargo insta review` shows and accepts them.

use crate::args::{Snapshot, UpdateArg};
use crate::exit_code::FOUND;
use crate::terminal::{self, Stop};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

/// Unchanged lines that are printed around a change.
const CONTEXT_LINES: usize = 3;

/// Compares a text with the snapshot that the arguments name, and prints the difference.
pub(super) fn compare(args: &Snapshot, text: &str) -> Result<ExitCode, Stop> {
    let path = path(&args.folder, &args.name)?;
    let pending = path.with_extension("snap.new");
    let known = match fs::read_to_string(&path) {
        Ok(file) => Some(content(&file).to_owned()),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => return Err(format!("{}: {e}", path.display()).into()),
    };
    let shown = path.display();
    if known.as_ref().is_some_and(|known| known.trim_end() == text.trim_end()) {
        remove(&pending)?;
        if args.update == UpdateArg::Force {
            write(&path, text)?;
        }
        terminal::print(format_args!("{shown}: the same\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(difference(known.as_deref().unwrap_or(""), text))?;
    let is_new = known.is_none();
    let writes_itself = match args.update {
        UpdateArg::Always | UpdateArg::Force => true,
        UpdateArg::Unseen => is_new,
        UpdateArg::Auto | UpdateArg::New | UpdateArg::No => false,
    };
    if writes_itself {
        write(&path, text)?;
        remove(&pending)?;
        terminal::print(format_args!("{shown}: written\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let how = if is_new { "there was no snapshot" } else { "another text" };
    let writes_pending = match args.update {
        UpdateArg::Auto => args.ci.as_ref().is_none_or(|ci| ci.is_empty() || ci == "false" || ci == "0"),
        UpdateArg::No => false,
        _ => true,
    };
    if writes_pending {
        write(&pending, text)?;
        let pending = pending.display();
        terminal::print(format_args!("{shown}: {how}; `cargo insta review` accepts {pending}\n"))?;
    } else {
        terminal::print(format_args!("{shown}: {how}\n"))?;
    }
    Ok(ExitCode::from(FOUND))
}

/// The file of a snapshot.
fn path(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || name.ends_with('/') || !Path::new(name).components().all(is_plain) {
        return Err(format!("--name {name:?}: a name is a word, or words with / between them"));
    }
    Ok(folder.join(format!("{name}.snap")))
}

/// The text below the metadata.
fn content(file: &str) -> &str {
    let body = file.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    body.map_or(file, |(_, content)| content)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let unwritable = |e: std::io::Error| format!("{}: {e}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let file = format!("---\nsource: wavetank snapshot\n---\n{}\n", text.trim_end());
    fs::write(path, file).map_err(unwritable)
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(format!("{}: {e}", path.display())),
        _ => Ok(()),
    }
}

fn difference(known: &str, text: &str) -> String {
    let diff = TextDiff::from_lines(known.trim_end(), text.trim_end());
    let mut lines = String::new();
    for group in diff.grouped_ops(CONTEXT_LINES) {
        if !lines.is_empty() {
            lines += "  …\n";
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let _ = writeln!(lines, "{sign} {}", change.value().trim_end());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insta_reads_what_is_written() {
        let folder = std::env::temp_dir().join("wavetank-snapshot-format");
        let text = "→ bootstrap  q1\n← return     q1 bootstrap (server's bootstrap)\n";
        write(&folder.join("session.snap"), text).expect("a folder for a test");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_snapshot!("session", text));
    }
}
