//! The format of packs: a tar archive, compressed with zstd, of one saved failure and all that it needs.
//!
//! The first file is `manifest.json`. It lists the others in their order, with the size and the SHA-256 of each. All that
//! could differ between two machines is left out, as times and owners, so the same files always give the same bytes.
//!
//! A pack may come from a stranger. It is read into memory and never unpacked onto a disk. Every size is bounded, and
//! whatever this format does not have is refused: links, folders, names of another kind, files that are not listed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use tar::{Archive, EntryType, Header};
use zstd::stream::read::Decoder;

/// The version of the format.
const FORMAT: u32 = 1;

/// The ending of packs.
pub(crate) const ENDING: &str = ".tar.zst";

/// The first bytes of anything that zstd compressed.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

const MANIFEST: &str = "manifest.json";

/// Maximum size of a pack, in bytes.
const MAX_PACK_BYTES: u64 = 256 * 1024 * 1024;

/// Maximum size of what is inside, in bytes: room for two components of the largest size.
const MAX_INSIDE_BYTES: u64 = 512 * 1024 * 1024;

/// Maximum size of a manifest, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1024 * 1024;

/// Maximum number of files inside.
const MAX_FILES: usize = 1_000;

/// Maximum memory that a frame of zstd may ask for, as a power of two: 128 MiB.
const WINDOW_LOG: u32 = 27;

/// How hard to compress: components shrink by four fifths, in about a second for 10 MB.
const LEVEL: i32 = 9;

/// What a pack says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the format.
    pub(crate) wavetank_pack: u32,
    /// The version of the wavetank that made it.
    pub(crate) wavetank: String,
    /// The engine that the failure was found on: its version, compiler and allocator.
    pub(crate) engine: String,
    pub(crate) scenario: String,
    pub(crate) seed: String,
    pub(crate) outcome: String,
    /// The cells and the component that each ran.
    pub(crate) guests: Vec<PackedGuest>,
    /// The SHA-256 of the component that runs as pid0, if the scenario is one.
    pub(crate) component: Option<String>,
    /// The other files inside, in their order.
    pub(crate) files: Vec<PackedFile>,
}

/// A cell and its component, which is the file `guests/SHA256.wasm`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedGuest {
    pub(crate) cell: String,
    pub(crate) sha256: String,
}

/// A file inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// A pack in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) manifest: Manifest,
    /// The other files by name, in their order.
    files: Vec<(String, Vec<u8>)>,
}

impl Pack {
    /// A pack without files.
    pub(crate) fn new(manifest: Manifest) -> Self {
        Pack { manifest, files: Vec::new() }
    }

    /// Adds a file. A name that is there already is left alone.
    pub(crate) fn add(&mut self, name: String, content: Vec<u8>) {
        if self.file(&name).is_none() {
            self.files.push((name, content));
        }
    }

    /// The content of a file.
    pub(crate) fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(is, _)| is == name).map(|(_, content)| &content[..])
    }

    /// The files below a folder, in their order.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = &[u8]> {
        self.files.iter().filter(move |(name, _)| name.starts_with(folder)).map(|(_, content)| &content[..])
    }

    /// The component with a SHA-256 in hexadecimal.
    pub(crate) fn guest(&self, sha256: &str) -> Option<&[u8]> {
        self.file(&guest_name(sha256))
    }

    /// Adds a component; gives its SHA-256 in hexadecimal.
    pub(crate) fn add_guest(&mut self, wasm: &[u8]) -> String {
        let sha256 = sha256(wasm);
        self.add(guest_name(&sha256), wasm.to_vec());
        sha256
    }

    /// The bytes of the pack. The manifest's list of files is made here.
    ///
    /// # Errors
    /// A message for the user if it would be larger than a pack may be.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let listed = |(name, content): &(String, Vec<u8>)| PackedFile {
            name: name.clone(),
            bytes: content.len() as u64,
            sha256: sha256(content),
        };
        let files: Vec<PackedFile> = self.files.iter().map(listed).collect();
        let inside: u64 = files.iter().map(|file| file.bytes).sum();
        if inside > MAX_INSIDE_BYTES || files.len() > MAX_FILES {
            return Err(format!("{inside} bytes in {} files are too much for a pack", files.len()));
        }
        let manifest = Manifest { wavetank_pack: FORMAT, files, ..self.manifest.clone() };
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(|e| e.to_string())?;
        text.push(b'\n');
        let packed = write(&text, &self.files).map_err(|e| format!("it cannot be packed: {e}"))?;
        // What we write, we can read.
        if text.len() as u64 > MAX_MANIFEST_BYTES || packed.len() as u64 > MAX_PACK_BYTES {
            return Err(format!("{} bytes are too much for a pack", packed.len()));
        }
        Ok(packed)
    }

    /// Reads a pack.
    ///
    /// # Errors
    /// A message for the user that does not name the file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |e: io::Error| format!("{e}: name a pack that `wavetank pack` made");
        let file = crate::files::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err("not a file: name a pack that `wavetank pack` made".into());
        }
        if about.len() > MAX_PACK_BYTES {
            return Err(format!(
                "{} bytes are too much for a pack: none has over {MAX_PACK_BYTES}",
                about.len()
            ));
        }
        read(BufReader::new(file.take(MAX_PACK_BYTES)))
    }
}

/// Whether a file is a pack, judged by its name and its first bytes.
pub(crate) fn is_pack(path: &Path) -> bool {
    let starts = || {
        let mut start = [0; MAGIC.len()];
        path.is_file()
            && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
            && start == MAGIC
    };
    path.to_string_lossy().ends_with(ENDING) || starts()
}

fn guest_name(sha256: &str) -> String {
    format!("guests/{sha256}.wasm")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(manifest: &[u8], files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut compressed = zstd::Encoder::new(Vec::new(), LEVEL)?;
    compressed.include_checksum(true)?;
    let mut archive = tar::Builder::new(compressed);
    let all =
        [(MANIFEST, manifest)].into_iter().chain(files.iter().map(|(name, content)| (&**name, &content[..])));
    for (name, content) in all {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_path(name)?;
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        archive.append(&header, content)?;
    }
    archive.into_inner()?.finish()
}

/// What a reader is told of a file that another program wrote.
const FOREIGN: &str = "not a pack that `wavetank pack` made";

fn read(mut file: impl BufRead) -> Result<Pack, String> {
    let start = file.fill_buf().map_err(|e| e.to_string())?;
    if start.is_empty() {
        return Err("it is empty: get it again".into());
    }
    if !start.starts_with(&MAGIC) {
        let is_short = start.len() < MAGIC.len() && MAGIC.starts_with(start);
        return Err(if is_short { CUT.into() } else { FOREIGN.into() });
    }
    let mut decoder = Decoder::with_buffer(file).map_err(damaged)?.single_frame();
    decoder.window_log_max(WINDOW_LOG).map_err(damaged)?;
    // Headers and padding need room too.
    let limit = MAX_INSIDE_BYTES + MAX_MANIFEST_BYTES + 2_048 * MAX_FILES as u64;
    let mut archive = Archive::new(decoder.take(limit));
    let pack = read_files(&mut archive)?;
    // The checksum of zstd comes at its end.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(damaged)?;
    if rest.limit() == 0 {
        return Err(too_large());
    }
    let mut after = rest.into_inner().finish();
    if !after.fill_buf().map_err(|e| e.to_string())?.is_empty() {
        return Err(format!("something follows its end: {FOREIGN}"));
    }
    Ok(pack)
}

fn read_files(archive: &mut Archive<impl Read>) -> Result<Pack, String> {
    let mut pack = Pack::default();
    let mut listed = Vec::new().into_iter();
    let mut is_first = true;
    // Raw: without names and sizes that one entry gives to the next.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let bytes = entry.size();
        if is_first {
            is_first = false;
            if name != MANIFEST || entry.header().entry_type() != EntryType::Regular {
                return Err(FOREIGN.into());
            }
            if bytes > MAX_MANIFEST_BYTES {
                return Err(format!("its {MANIFEST} has {bytes} bytes, over {MAX_MANIFEST_BYTES}"));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text).map_err(damaged)?;
            pack.manifest = manifest(&text)?;
            listed = pack.manifest.files.clone().into_iter();
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(format!("it holds {name:?}, which is no plain file: {FOREIGN}"));
        }
        let Some(file) = listed.next() else {
            return Err(format!("it holds {name:?}, which its {MANIFEST} does not list: {FOREIGN}"));
        };
        if (&file.name, file.bytes) != (&name, bytes) {
            return Err(format!(
                "it holds {name:?} of {bytes} bytes in place of {:?} of {}",
                file.name, file.bytes
            ));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if sha256(&content) != file.sha256 {
            return Err(format!("{name:?} is not what its {MANIFEST} says: {DAMAGED}"));
        }
        pack.files.push((name, content));
    }
    match listed.next() {
        _ if is_first => Err(FOREIGN.into()),
        Some(file) => Err(format!("{:?} is missing: {CUT}", file.name)),
        None => Ok(pack),
    }
}

/// Parses a manifest, and checks what it lists before any of it is read.
fn manifest(text: &[u8]) -> Result<Manifest, String> {
    #[derive(Deserialize)]
    struct Version {
        wavetank_pack: u64,
        #[serde(default)]
        wavetank: String,
    }
    let Version { wavetank_pack, wavetank } =
        serde_json::from_slice(text).map_err(|_| FOREIGN.to_string())?;
    if wavetank_pack != u64::from(FORMAT) {
        return Err(format!(
            "made by another wavetank ({wavetank}): its format is {wavetank_pack}, and this one reads {FORMAT}: replay it with that one"
        ));
    }
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|e| format!("its {MANIFEST} makes no sense ({e})"))?;
    if manifest.files.len() > MAX_FILES {
        return Err(format!("it lists {} files, over {MAX_FILES}", manifest.files.len()));
    }
    let inside = manifest.files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
    if inside > MAX_INSIDE_BYTES {
        return Err(too_large());
    }
    for (at, file) in manifest.files.iter().enumerate() {
        if !is_plain(&file.name) {
            return Err(format!("it lists {:?}, which is no name of a file in a pack: {FOREIGN}", file.name));
        }
        if file.name == MANIFEST || manifest.files[..at].iter().any(|before| before.name == file.name) {
            return Err(format!("it lists {:?} twice: {FOREIGN}", file.name));
        }
    }
    Ok(manifest)
}

/// Whether a name stays below its folder on every system.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c);
    name.len() < 100
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain))
}

const CUT: &str = "cut short: get it again";

const DAMAGED: &str = "damaged: get it again";

/// The message for a pack that cannot be decoded.
fn damaged(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => CUT.into(),
        _ => format!("{DAMAGED} ({error})"),
    }
}

fn too_large() -> String {
    format!("more than {MAX_INSIDE_BYTES} bytes are inside: {FOREIGN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Pack {
        let manifest = Manifest { scenario: "echo".into(), ..Manifest::default() };
        let mut pack = Pack::new(manifest);
        pack.add("failure.toml".into(), b"version = 1\n".to_vec());
        let sha256 = pack.add_guest(b"a component");
        pack.manifest.guests.push(PackedGuest { cell: "pid0".into(), sha256 });
        pack.add("schemas/1.cgr".into(), vec![7; 5_000]);
        pack
    }

    fn packed(bytes: &[u8]) -> Result<Pack, String> {
        read(bytes)
    }

    /// A pack of these tar entries.
    fn made_of(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).expect("an encoder"));
        for (name, kind, content) in entries {
            let mut header = Header::new_ustar();
            header.set_entry_type(*kind);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_cksum();
            archive.append(&header, *content).expect("an entry");
        }
        archive.into_inner().and_then(zstd::Encoder::finish).expect("a pack")
    }

    fn listing(files: &[(&str, &[u8])]) -> Vec<u8> {
        let files = files
            .iter()
            .map(|(name, content)| PackedFile {
                name: (*name).into(),
                bytes: content.len() as u64,
                sha256: sha256(content),
            })
            .collect();
        serde_json::to_vec(&Manifest { wavetank_pack: FORMAT, files, ..Manifest::default() }).expect("JSON")
    }

    #[test]
    fn what_is_written_is_read_and_always_has_the_same_bytes() {
        let bytes = example().to_bytes().expect("it fits");
        assert_eq!(example().to_bytes().expect("it fits"), bytes);
        let read = packed(&bytes).expect("a pack");
        assert_eq!(read.files, example().files);
        assert_eq!(read.manifest.guests, example().manifest.guests);
        assert_eq!(read.guest(&read.manifest.guests[0].sha256), Some(&b"a component"[..]));
        assert_eq!(read.below("schemas/").count(), 1);
    }

    #[test]
    fn every_shorter_pack_and_every_changed_byte_is_refused() {
        let bytes = example().to_bytes().expect("it fits");
        for end in 0..bytes.len() {
            let refused = packed(&bytes[..end]).expect_err("it is cut");
            assert!(refused.contains(if end == 0 { "it is empty" } else { "cut short" }), "{end}: {refused}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            // A byte of the frame's header may have no meaning; then the content is the same.
            if let Ok(read) = packed(&changed) {
                assert_eq!(read, packed(&bytes).expect("a pack"), "byte {at}");
            }
        }
        assert!(packed(&[&bytes[..], b"more"].concat()).is_err_and(|told| told.contains("follows its end")));
        assert!(packed(&[&bytes[..], &bytes].concat()).is_err_and(|told| told.contains("follows its end")));
    }

    #[test]
    fn what_another_program_made_is_refused() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let one = listing(&[("failure.toml", b"x")]);
        let newer = br#"{"wavetank_pack":2,"wavetank":"9.9.9"}"#;
        let (up, absolute) = (listing(&[("../failure.toml", b"x")]), listing(&[("/etc/passwd", b"x")]));
        let back = listing(&[("guests\\x", b"x")]);
        let twice = listing(&[("failure.toml", b"x"), ("failure.toml", b"x")]);
        let two = listing(&[("failure.toml", b"x"), ("report.txt", b"y")]);
        let m = MANIFEST;
        let huge = format!(
            r#"{{"wavetank_pack":1,"wavetank":"","engine":"","scenario":"","seed":"","outcome":"","guests":[],"component":null,"files":[{{"name":"a","bytes":{},"sha256":""}},{{"name":"b","bytes":9,"sha256":""}}]}}"#,
            u64::MAX
        );
        let spaces = vec![b' '; MAX_MANIFEST_BYTES as usize + 1];
        let cases: [(&str, Vec<u8>, &str); 17] = [
            ("text", b"version = 1".to_vec(), FOREIGN),
            ("gzip", vec![0x1f, 0x8b, 8, 0], FOREIGN),
            ("no archive", zstd::encode_all(&b"hello"[..], 1).expect("zstd"), "damaged"),
            ("no files", made_of(&[]), FOREIGN),
            ("another archive", made_of(&[("README", Regular, b"x")]), FOREIGN),
            ("another manifest", made_of(&[(m, Regular, b"{\"a\":1}")]), FOREIGN),
            ("newer", made_of(&[(m, Regular, newer)]), "made by another wavetank (9.9.9): its format is 2"),
            ("part of a manifest", made_of(&[(m, Regular, b"{\"wavetank_pack\":1}")]), "makes no sense"),
            ("a manifest that is a link", made_of(&[(m, Symlink, b"")]), FOREIGN),
            ("up", made_of(&[(m, Regular, &up), ("../failure.toml", Regular, b"x")]), "no name of a file"),
            (
                "absolute",
                made_of(&[(m, Regular, &absolute), ("/etc/passwd", Regular, b"x")]),
                "no name of a file",
            ),
            ("backslash", made_of(&[(m, Regular, &back), ("guests\\x", Regular, b"x")]), "no name of a file"),
            ("twice", made_of(&[(m, Regular, &twice)]), "twice"),
            ("a link", made_of(&[(m, Regular, &one), ("failure.toml", Link, b"")]), "no plain file"),
            (
                "not listed",
                made_of(&[(m, Regular, &one), ("failure.toml", Regular, b"x"), ("d", Directory, b"")]),
                "no plain file",
            ),
            ("huge", made_of(&[(m, Regular, huge.as_bytes())]), "are inside"),
            ("spaces", made_of(&[(m, Regular, &spaces)]), "bytes, over"),
        ];
        for (case, bytes, told) in &cases {
            let refused = packed(bytes).expect_err(case);
            assert!(refused.contains(told), "{case}: {refused}");
        }
        for (case, entries, told) in [
            (
                "other",
                &[(m, Regular, &one[..]), ("failure.toml", Regular, b"y")][..],
                "not what its manifest.json says",
            ),
            ("longer", &[(m, Regular, &one), ("failure.toml", Regular, b"xy")], "of 2 bytes in place of"),
            ("other name", &[(m, Regular, &one), ("report.txt", Regular, b"x")], "in place of"),
            (
                "more",
                &[(m, Regular, &one), ("failure.toml", Regular, b"x"), ("z", Regular, b"")],
                "does not list",
            ),
            ("missing", &[(m, Regular, &two), ("failure.toml", Regular, b"x")], "\"report.txt\" is missing"),
        ] {
            let refused = packed(&made_of(entries)).expect_err(case);
            assert!(refused.contains(told), "{case}: {refused}");
        }
        assert!(packed(&made_of(&[(m, Regular, &one), ("failure.toml", Regular, b"x")])).is_ok());
    }

    /// A few kilobytes that would become terabytes.
    #[test]
    fn a_bomb_is_refused_before_it_fills_the_memory() {
        let one = listing(&[("failure.toml", b"x")]);
        let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).expect("an encoder"));
        let mut add = |name: &str, bytes: u64, content: &mut dyn Read| {
            let mut header = Header::new_gnu();
            header.set_path(name).expect("a plain name");
            header.set_size(bytes);
            header.set_cksum();
            archive.append(&header, content).expect("an entry");
        };
        add(MANIFEST, one.len() as u64, &mut &one[..]);
        // The size is only stated: what follows is far less.
        add("failure.toml", 1 << 42, &mut io::empty());
        let bytes = archive.into_inner().and_then(zstd::Encoder::finish).expect("a pack");
        let refused = packed(&bytes).expect_err("it is too large");
        assert!(refused.contains("in place of"), "{refused}");
    }

    #[test]
    fn plain_names_stay_below_their_folder() {
        for name in ["failure.toml", "guests/0a.wasm", "schemas/1.cgr", "report.html"] {
            assert!(is_plain(name), "{name}");
        }
        for name in
            ["", "/", "a/", "/a", "..", "a/../b", "./a", "a//b", "a\\b", "C:a", ".hidden", "a\nb", "ü"]
        {
            assert!(!is_plain(name), "{name}");
        }
    }
}
