//! The corpus: a folder with one small file for each case, named by its content.
//!
//! A file holds the bytes that [`super::input`] reads, so libFuzzer can work on the same folder.

use super::input;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_64;

/// The file name of a case.
pub fn name(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// Maximum number of bytes that are read from a file. No run makes so many choices, but other files in the folder may
/// have any size.
const MAX_CASE_BYTES: u64 = 1 << 16;

/// The cases of a folder, in the order of their file names. If the folder does not exist, it is created; folders in it
/// are left alone.
///
/// # Errors
/// If the folder or a file in it cannot be read; the error names it.
pub fn read(folder: &Path) -> io::Result<Vec<Vec<u32>>> {
    fs::create_dir_all(folder).map_err(|e| of(folder, &e))?;
    let mut files = files(folder)?;
    files.sort();
    files.iter().map(|file| Ok(input::decode(&start(file).map_err(|e| of(file, &e))?))).collect()
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).and_then(|all| all.map(|file| Ok(file?.path())).collect());
    let mut files: Vec<PathBuf> = listed.map_err(|e| of(folder, &e))?;
    files.retain(|file| file.is_file());
    Ok(files)
}

fn start(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_CASE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn of(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Writes a case, unless it is already there; gives its file name.
///
/// # Errors
/// If the file cannot be written; the error names it.
pub fn write(folder: &Path, choices: &[u32]) -> io::Result<String> {
    let bytes = input::encode(choices);
    let name = name(&bytes);
    let file = folder.join(&name);
    if !file.exists() {
        fs::write(&file, bytes).map_err(|e| of(&file, &e))?;
    }
    Ok(name)
}

/// Removes all cases from a folder that are not among `kept`. Files whose names no fuzzer chose are left alone.
///
/// # Errors
/// If a file cannot be removed; the error names it.
pub fn retain(folder: &Path, kept: &[Vec<u32>]) -> io::Result<()> {
    let kept: BTreeSet<String> = kept.iter().map(|choices| name(&input::encode(choices))).collect();
    for file in files(folder)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if is_fuzzers(name) && !kept.contains(name) {
            fs::remove_file(&file).map_err(|e| of(&file, &e))?;
        }
    }
    Ok(())
}

/// Whether a fuzzer chose this file name: this fuzzer, or libFuzzer, which names files by their SHA-1.
fn is_fuzzers(name: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    [16, 40].contains(&name.len()) && name.bytes().all(is_hex)
}

/// A nearly minimal set of cases that bring all features (a greedy set cover), shortest cases first. Gives their
/// places, ascending.
pub fn cover(cases: &[(usize, Vec<u64>)]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut order: Vec<usize> = (0..cases.len()).collect();
    // Shortest first: if a short case brings a feature, no long case is needed for it.
    order.sort_by_key(|at| (cases[*at].0, *at));
    let mut kept: Vec<usize> = order
        .into_iter()
        .filter(|at| cases[*at].1.iter().filter(|feature| seen.insert(**feature)).count() > 0)
        .collect();
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_back_what_was_put_in() {
        let folder = std::env::temp_dir().join(format!("wavetank-corpus-{}", std::process::id()));
        assert_eq!(read(&folder).unwrap(), Vec::<Vec<u32>>::new());
        let cases = [vec![], vec![1, 2, 300], vec![7]];
        let names: Vec<String> = cases.iter().map(|case| write(&folder, case).unwrap()).collect();
        assert_eq!(names[1], write(&folder, &cases[1]).unwrap());
        let mut read_back = read(&folder).unwrap();
        read_back.sort();
        assert_eq!(read_back, [vec![], vec![1, 2, 300], vec![7]]);
        retain(&folder, &cases[1..2]).unwrap();
        assert_eq!(read(&folder).unwrap(), [vec![1, 2, 300]]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_case_is_read_in_bounds_and_never_removed() {
        let folder = std::env::temp_dir().join(format!("wavetank-junk-{}", std::process::id()));
        fs::create_dir_all(folder.join("0123456789abcdef")).unwrap();
        let huge = folder.join("huge");
        File::create(&huge).unwrap().set_len(1 << 30).unwrap();
        fs::write(folder.join("README.md"), "not a case").unwrap();
        let libfuzzers = folder.join("da39a3ee5e6b4b0d3255bfef95601890afd80709");
        fs::write(&libfuzzers, [1]).unwrap();
        let lengths: Vec<usize> = read(&folder).unwrap().iter().map(Vec::len).collect();
        assert_eq!(lengths, [10, 1, MAX_CASE_BYTES as usize]);
        retain(&folder, &[]).unwrap();
        assert!(!libfuzzers.exists());
        assert!(
            huge.exists() && folder.join("README.md").exists() && folder.join("0123456789abcdef").exists()
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn short_cases_make_long_ones_needless() {
        let cases = [(9, vec![1, 2, 3]), (1, vec![1]), (2, vec![2, 3]), (3, vec![3])];
        assert_eq!(cover(&cases), [1, 2]);
    }
}
