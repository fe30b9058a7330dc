//! Paths of source files, without anything that belongs to one machine.

/// Recognises a file of ours: our name for its crate's folder, and the path within the folder.
pub(crate) fn own(file: &str) -> Option<(&'static str, &str)> {
    let crates = [
        (wavetank_choice::THIS_FILE, "sim/choice/src/"),
        (wavetank_trace::THIS_FILE, "sim/trace/src/"),
        (crate::THIS_FILE, "sim/src/"),
        (wavetank::THIS_FILE, "src/"),
    ];
    crates.into_iter().find_map(|(lib, name)| {
        let folder = lib.strip_suffix("lib.rs")?;
        Some((name, file.strip_prefix(folder)?))
    })
}

/// The path of a source file from the folder of its crate on, without anything that belongs to one machine.
pub(crate) fn portable_path(file: &str) -> String {
    let after = |mark: &str| file.split_once(mark).map(|(_, rest)| rest);
    let of_registry = || after("/registry/src/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let of_std = || after("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    match own(file) {
        Some((folder, within)) => format!("{folder}{within}"),
        None => of_registry().or_else(of_std).unwrap_or_else(|| from_crate(file)).to_string(),
    }
}

/// The path from the folder that holds `src`, `tests`, `examples` or `benches`.
fn from_crate(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    let start =
        ["/src/", "/tests/", "/examples/", "/benches/"].iter().filter_map(|part| file.rfind(part)).max();
    let start = start.and_then(|at| file[..at].rfind('/')).or_else(|| file.rfind('/'));
    start.map_or(file, |at| &file[at + 1..])
}
