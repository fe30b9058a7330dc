//! The corpus: a folder with one small file a case, named by what is in it.
//!
//! A file holds the bytes that [`super::input`] reads: libFuzzer can work on the same folder.

use super::input;
use std::io;
use std::path::Path;
use twox_hash::XxHash3_64;

/// The name of a case's file.
pub fn name(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// The cases of a folder, in the order of their files' names. A folder that is not there is made.
///
/// # Errors
/// Where it or a file in it cannot be read.
pub fn read(folder: &Path) -> io::Result<Vec<Vec<u32>>> {
    std::fs::create_dir_all(folder)?;
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    files.iter().map(|file| Ok(input::decode(&std::fs::read(file)?))).collect()
}

/// Writes a case, where it is not there already; gives its file's name.
///
/// # Errors
/// Where it cannot be written.
pub fn write(folder: &Path, choices: &[u32]) -> io::Result<String> {
    let bytes = input::encode(choices);
    let name = name(&bytes);
    let file = folder.join(&name);
    if !file.exists() {
        std::fs::write(file, bytes)?;
    }
    Ok(name)
}

/// Takes all cases out of a folder that are not among `kept`.
///
/// # Errors
/// Where a file cannot be removed.
pub fn retain(folder: &Path, kept: &[Vec<u32>]) -> io::Result<()> {
    let kept: std::collections::BTreeSet<String> =
        kept.iter().map(|choices| name(&input::encode(choices))).collect();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let is_kept = file.file_name().to_str().is_some_and(|name| kept.contains(name));
        if file.file_type()?.is_file() && !is_kept {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// The fewest of some cases, about, that bring all features: those that bring most for their length first (a
/// greedy set cover). Gives their places, ascending.
pub fn cover(cases: &[(usize, Vec<u64>)]) -> Vec<usize> {
    let mut seen = std::collections::BTreeSet::new();
    let mut order: Vec<usize> = (0..cases.len()).collect();
    // Shortest first: whatever a short case brings, no long one is needed for.
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
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn short_cases_make_long_ones_needless() {
        let cases = [(9, vec![1, 2, 3]), (1, vec![1]), (2, vec![2, 3]), (3, vec![3])];
        assert_eq!(cover(&cases), [1, 2]);
    }
}
